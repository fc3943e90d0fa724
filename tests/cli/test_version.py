# SPDX-License-Identifier: GPL-2.0-or-later
"""test_version.py - --version, as go-runc and Docker take it apart."""
import re


def test_version_as_people_see_it(coracle_words):
    for words in (["--version"], ["-v"], ["-version"], ["--root", "/nowhere", "--version"]):
        result = coracle_words(*words)
        assert (result.rc, result.err) == (0, "")
        assert re.match(r"coracle version \d+\.\d+\.\d+\S*\n", result.out)


def test_version_as_go_runc_reads_it(coracle_words):
    """The words behind "commit: " and "spec: " at the beginning of lines after the first."""
    first, *lines = coracle_words("--version").out.strip().split("\n")
    assert first.split(" ")[1] == "version"
    said = dict(x.split(": ", 1) for x in lines if ": " in x)
    assert re.fullmatch(r"1\.\d+\.\d+", said["spec"])
    assert re.fullmatch(r"[0-9a-f]{12}.*", said.get("commit", "0" * 12))


def test_version_as_docker_reads_it(coracle_words):
    """Whatever line has the word "version" gives name and version: so there must be one only."""
    lines = coracle_words("--version").out.split("\n")
    name, version = next(x for x in lines if "version" in x).split("version")
    assert sum("version" in x for x in lines) == 1
    assert (name.strip(), version.strip()[0].isdigit()) == ("coracle", True)


def test_version_needs_no_rights(coracle, as_nobody):
    assert as_nobody("--version").rc == 0
