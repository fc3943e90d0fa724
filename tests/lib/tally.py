# SPDX-License-Identifier: GPL-2.0-or-later
"""tally.py RESULTS BUILD - adds up what tests/run left in RESULTS, and ends with "N passed, N failed, N skipped".

RESULTS/SUITE.xml           pytest's JUnit files
RESULTS/SUITE.tsv           lines "name TAB passed|failed|skipped TAB why"
RESULTS/check-FLAVOUR.*     there when `make check` ran in BUILD/FLAVOUR, whose logs are cmocka's

A test counts once for each suite that ran it (natively, sanitized, in the virtual machine, ...).  One that is
skipped in a suite and ran in another counts as not skipped: that is what the other suite is for.
"""
import collections
import glob
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

# outcome: passed, failed or skipped; test: its name without the suite
Outcome = collections.namedtuple("Outcome", "suite test outcome why")


def from_junit(path):
    suite = os.path.basename(path)[:-len(".xml")]
    for case in ElementTree.parse(path).iter("testcase"):
        test = f"{case.get('classname')}.{case.get('name')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skip = case.find("skipped")
        if bad is not None:
            yield Outcome(suite, test, "failed", (bad.get("message") or "").split("\n")[0][:160])
        elif skip is not None:
            yield Outcome(suite, test, "skipped", skip.get("message") or "")
        else:
            yield Outcome(suite, test, "passed", "")


def from_lines(path):
    suite = os.path.basename(path)[:-len(".tsv")]
    with open(path, encoding="utf-8") as f:
        for line in f:
            test, outcome, why = line.rstrip("\n").split("\t")
            yield Outcome(suite, test, outcome, why)


CMOCKA = re.compile(r"^\[\s+(OK|FAILED|SKIPPED|ERROR)\s+\] (?:\S+ --- )?(\w+)(?: \(.*\))?$", re.M)
AUTOMAKE_OUTCOMES = {"PASS": "passed", "XFAIL": "passed", "SKIP": "skipped"}
CMOCKA_OUTCOMES = {"OK": "passed", "SKIPPED": "skipped", "FAILED": "failed", "ERROR": "failed"}


def from_check(flavour, build, status):
    """cmocka's own counts, per program; a program that names no test, or not the one it failed in, is one."""
    failures = 0
    for trs in sorted(glob.glob(f"{build}/{flavour}/**/*.trs", recursive=True)):
        program = os.path.relpath(trs, f"{build}/{flavour}")[:-len(".trs")]
        with open(trs, encoding="utf-8") as f:
            result = re.search(r":test-result: (\w+)", f.read())
        with open(trs[:-len(".trs")] + ".log", encoding="utf-8", errors="replace") as f:
            found = {name: CMOCKA_OUTCOMES[word] for word, name in CMOCKA.findall(f.read())}
        whole = AUTOMAKE_OUTCOMES.get(result.group(1) if result else "", "failed")
        if not found or whole == "failed" and "failed" not in found.values():
            found["(the program)"] = whole
        failures += "failed" in found.values()
        for test, outcome in found.items():
            yield Outcome(f"unit {flavour}", f"{program}:{test}", outcome, "")
    if status and not failures:
        yield Outcome(f"unit {flavour}", "make check", "failed", f"exit status {status}; see check-{flavour}.txt")


def collect(results, build):
    for path in sorted(glob.glob(results + "/*.xml")):
        yield from from_junit(path)
    for path in sorted(glob.glob(results + "/*.tsv")):
        yield from from_lines(path)
    for path in sorted(glob.glob(results + "/check-*.status")):
        with open(path, encoding="ascii") as f:
            yield from from_check(os.path.basename(path)[len("check-"):-len(".status")], build, int(f.read()))


def main(results, build):
    outcomes = list(collect(results, build))
    ran = {o.test for o in outcomes if o.outcome != "skipped"}
    skipped = {o.test: o for o in outcomes if o.outcome == "skipped" and o.test not in ran}
    failed = [o for o in outcomes if o.outcome == "failed"]
    passed = collections.Counter(o.suite for o in outcomes if o.outcome == "passed")
    for suite, count in passed.items():
        print(f"{count:5} passed  {suite}")
    for o in skipped.values():
        print(f"skipped  {o.test}: {o.why}")
    for o in failed:
        print(f"FAILED   {o.suite}: {o.test}: {o.why}")
    print(f"{sum(passed.values())} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
