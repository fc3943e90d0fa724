# SPDX-License-Identifier: GPL-2.0-or-later
"""test_completion.py - bash completes commands, options and names from what the binary itself says."""
import os
import subprocess

import pytest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "runtime", "coracle.bash")


@pytest.fixture
def complete(binary):
    def ask(*words):
        """What bash would offer for the last word."""
        done = subprocess.run(
            ["bash", "-c", 'compopt() { :; }; coracle() { "$BINARY" "$@"; }; . "$0"; COMP_WORDS=(coracle "$@"); '
             'COMP_CWORD=$#; _coracle; printf "%s\\n" "${COMPREPLY[@]}"', SCRIPT, *map(str, words)],
            capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", "BINARY": binary})
        assert done.stderr == ""
        return done.stdout.split()
    return ask


def test_commands(complete):
    assert complete("st") == ["start", "state"]
    assert complete("--log", "x", "fea") == ["features"]


def test_options(complete):
    assert complete("--log-") == ["--log-format", "--log-level"]
    assert complete("kill", "--a") == ["--all"]
    assert complete("--debug", "list", "--f") == ["--format"]


def test_values(complete):
    assert complete("list", "--format", "j") == ["json"]
    assert complete("--log-level", "w") == ["warning"]


def test_names(complete, coracle, bundle):
    coracle.create(bundle("true"), id="web1")
    coracle.create(bundle("true"), id="web2")
    assert complete("--root", coracle.root, "kill", "we") == ["web1", "web2"]
    assert complete("--root", coracle.root, "features", "we") == []
