# SPDX-License-Identifier: GPL-2.0-or-later
"""test_help.py - help, and command lines that are wrong: exit code 64, the word that is wrong on stderr."""
import os
import re
import subprocess

import pytest

COMMANDS = ["create", "start", "run", "exec", "kill", "delete", "state", "list", "ps", "pause", "resume", "update",
            "events", "spec", "features", "checkpoint", "restore", "migrate", "receive", "switch"]
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_help_lists_every_command(coracle_words):
    for words in (["--help"], ["-h"], ["-help"], ["help"]):
        result = coracle_words(*words)
        assert (result.rc, result.err) == (0, "")
        listed = re.search(r"^Commands:\n(.*?)\n\n", result.out, re.S | re.M).group(1)
        assert sorted(line.split()[0] for line in listed.splitlines()) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(coracle_words, command):
    result = coracle_words(command, "--help")
    assert (result.rc, result.err) == (0, "")
    assert result.out.startswith(f"Usage: coracle {command} ")
    assert coracle_words("help", command).out == result.out
    assert coracle_words(command, "-h").out == result.out


@pytest.mark.parametrize("words, named", [
    (["frob"], "unknown command frob"),
    (["help", "frob"], "unknown command frob"),
    (["chekpoint", "--help"], "unknown command chekpoint"),
    ([], "which command?"),
    (["--frob", "list"], "unknown option --frob"),
    (["list", "--frob"], "unknown option --frob"),
    (["list", "--frob=1"], "unknown option --frob"),
    (["list", "-x"], "unknown option -x"),
    (["state"], "state: missing argument"),
    (["state", "a", "b"], "unexpected argument b"),
    (["create", "--preserve-fds", "two", "x"], "`two` is not a number"),
    (["--log-level", "loud", "list"], "`loud`"),
    (["--log-format", "xml", "list"], "`xml`"),
    (["--cgroup-manager", "frob", "list"], "`frob`"),
])
def test_a_wrong_command_line_is_named(coracle_words, words, named):
    result = coracle_words(*words)
    assert (result.rc, result.out) == (64, "")
    assert named in result.err
    assert result.err.startswith("coracle: ") and result.err.count("\n") == 1


@pytest.mark.parametrize("words", [["create", "--bundle"], ["exec", "-process"], ["--root"], ["list", "-f"]])
def test_engines_learn_that_an_option_is_known(coracle_words, words):
    """Podman asks with an option that lacks its value, and looks for the words of runc or of crun."""
    result = coracle_words(*words)
    assert result.rc == 64
    assert "requires an argument" in result.err and "flag needs an argument" in result.err



def test_what_engines_always_say_is_taken(coracle_words, tmp_path):
    result = coracle_words("--root", tmp_path / "none", "--rootless=true", "--criu", "/x", "--cgroup-manager=cgroupfs",
                           "-log-format=text", "list", "-quiet")
    assert (result.rc, result.out, result.err) == (0, "", "")


def test_the_man_page_says_what_help_says(binary):
    done = subprocess.run([SOURCE + "/tests/check-docs", binary], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
