# SPDX-License-Identifier: GPL-2.0-or-later
"""judge.py - what a suite of somebody else's says of coracle, beside what it says of crun, held against a list.

The list (NAME.known) has a line for each case that does not pass with coracle here:
    FILE CASE    YEAR-MONTH-DAY    reason
A case that fails and is not in the list is a failure of the run; so is one that is in the list and passes: the list
only ever gets shorter.
"""
import os

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


def read_known(path):
    """{(file, case): reason}"""
    known = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            words = line.split(None, 3)
            if words and not words[0].startswith("#"):
                known[words[0], words[1]] = words[3].strip()
    return known


def table(title, ours, theirs):
    """A line for each file: how many cases pass with each runtime."""
    print(f"\n{title:34} {'coracle':>12} {'crun':>12}")
    sums = {"coracle": [0, 0], "crun": [0, 0]}
    for file in sorted({f for f, _ in ours}):
        cells = []
        for name, results in (("coracle", ours), ("crun", theirs)):
            here = [r for (f, _), r in results.items() if f == file]
            good = here.count(PASSED)
            sums[name][0] += good
            sums[name][1] += len(here)
            cells.append(f"{good} of {len(here)}")
        print(f"{file:34} {cells[0]:>12} {cells[1]:>12}")
    print(f"{'all':34} {'%d of %d' % tuple(sums['coracle']):>12} {'%d of %d' % tuple(sums['crun']):>12}")


def judge(ours, theirs, known_path, logs):
    """Print what differs and the closing line; returns the exit status."""
    known = read_known(known_path)
    failed = sorted(k for k, r in ours.items() if r == FAILED)
    new = [k for k in failed if k not in known]
    gone = sorted(k for k in known if ours.get(k) == PASSED)
    for file, case in failed:
        word = "known" if (file, case) in known else "FAILED"
        print(f"{word}: {file} {case}" + (f": {known[file, case]}" if (file, case) in known else
                                          f" (with crun: {theirs.get((file, case), 'not there')}; see {logs}/{file}.coracle)"))
    for file, case in gone:
        print(f"FAILED: {file} {case} passes and stands in {os.path.basename(known_path)}: take it out")
    behind = sorted(k for k in failed if theirs.get(k) == PASSED and k not in known)
    if behind:
        print(f"{len(behind)} of them pass with crun")
    passed = sum(r == PASSED for r in ours.values())
    skipped = sum(r == SKIPPED for r in ours.values()) + len(failed) - len(new)
    print(f"{passed} passed, {len(new) + len(gone)} failed, {skipped} skipped")
    return 1 if new or gone else 0
