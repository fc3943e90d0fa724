# SPDX-License-Identifier: GPL-2.0-or-later
"""test_conformance.py - every test that docs/conformance.md names is there."""
import os
import re

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMED = re.compile(r"((?:unit/)?\w+/test_\w+\.(?:py|c)): (\w+)")


def test_the_tests_that_are_named_are_there():
    with open(f"{CHECKOUT}/docs/conformance.md", encoding="utf-8") as f:
        text = f.read()
    named = set(NAMED.findall(text))
    assert len(named) > 80
    missing = []
    for file, test in sorted(named):
        try:
            with open(f"{CHECKOUT}/tests/{file}", encoding="utf-8") as f:
                there = re.search(rf"^(def|static void) test_{test}\(", f.read(), re.M)
        except FileNotFoundError:
            there = None
        if not there:
            missing.append(f"{file}: {test}")
    assert not missing


def test_every_row_has_its_answer():
    with open(f"{CHECKOUT}/docs/conformance.md", encoding="utf-8") as f:
        rows = [line.split("|")[1:-1] for line in f if re.match(r"\| \d", line)]
    numbers = set()
    for number, _, answer, shown in rows:
        for part in number.replace(" ", "").split(","):
            first, _, last = part.partition("–")
            numbers |= set(range(int(first), int(last or first) + 1))
        assert answer.strip() in ("y", "p", "n", "–", "") and (shown.strip() or answer.strip() == "n"), number
    assert numbers == set(range(1, 180))
