# SPDX-License-Identifier: GPL-2.0-or-later
"""test_kill.py - signals by every name, to the first process or to all; what engines match on."""
import os

import pytest


def wait_gone(coracle, pid):
    coracle.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"process {pid} is gone")


@pytest.mark.parametrize("word, number", [("TERM", 15), ("SIGUSR1", 10), ("hup", 1), ("12", 12), ("RTMIN+1", 35),
                                          ("SIGRTMAX", 64)])
def test_kill_by_name_and_number(coracle, bundle, word, number):
    c = coracle.started(bundle("trap", number))
    coracle.wait_output(c, "ready")
    coracle("kill", c, word)
    coracle.wait_output(c, f"signal {number}\n")


def test_kill_without_a_signal_is_term(coracle, bundle):
    c = coracle.started(bundle("trap", 15))
    coracle.wait_output(c, "ready")
    coracle("kill", c)
    coracle.wait_output(c, "signal 15\n")


def test_kill_signal_zero_only_asks(coracle, bundle):
    c = coracle.started(bundle("pause"))
    coracle("kill", c, "0")
    assert coracle.state(c)["status"] == "running"


def test_kill_a_created_container(coracle, bundle):
    c = coracle.create(bundle("true"))
    coracle("kill", c, "KILL")
    coracle.wait_status(c, "stopped")


def test_kill_a_paused_container(coracle, bundle):
    c = coracle.started(bundle("pause"))
    coracle("pause", c)
    coracle("kill", c, "KILL")
    coracle.wait_status(c, "stopped")


def test_kill_what_has_ended(coracle, bundle):
    c = coracle.started(bundle("true"))
    coracle.wait_status(c, "stopped")
    for words in (["TERM"], ["9"], ["--all", "KILL"]):
        result = coracle("kill", c, *words, check=False)
        assert result.rc == 1 and "container not running" in result.err


def test_kill_nobody(coracle):
    for words in (["nobody"], ["nobody", "9"], ["--all", "nobody", "KILL"]):
        result = coracle("kill", *words, check=False)
        assert result.rc == 1 and "does not exist" in result.err


@pytest.mark.parametrize("word", ["FROB", "65", "-1", "RTMIN+31", "SIG"])
def test_kill_with_what_is_no_signal(coracle, bundle, word):
    c = coracle.started(bundle("pause"))
    result = coracle("kill", c, "--", word, check=False)
    assert result.rc == 64 and word in result.err
    assert coracle.state(c)["status"] == "running"


def test_kill_all_reaches_every_process(coracle, bundle):
    b = bundle("child", "--", "trap", 10, "--", "pause")
    c = coracle.started(b)
    coracle.wait_until(lambda: coracle.output(c).count("ready") == 2, "both wait")
    coracle("kill", "--all", c, "USR1")
    coracle.wait_until(lambda: coracle.output(c).count("signal 10") == 2, "both have the signal")


def test_kill_reaches_the_first_process_only(coracle, bundle):
    c = coracle.started(bundle("child", "--", "trap", 10, "--", "pause"))
    coracle.wait_until(lambda: coracle.output(c).count("ready") == 2, "both wait")
    coracle("kill", c, "USR1")
    coracle.wait_output(c, "signal 10")
    assert len(coracle("ps", "-f", "json", c).out.split(",")) == 2
    assert coracle.output(c).count("signal 10") == 1


def test_kill_without_a_pid_namespace_leaves_nobody(coracle, bundle):
    b = bundle("child", "--", "pause").drop_namespace("pid")
    c = coracle.started(b)
    coracle.wait_until(lambda: len(coracle("ps", "-f", "json", c).out.split(",")) == 2, "there are two")
    pids = [int(p) for p in coracle("ps", "-f", "json", c).out.strip("[]\n").split(",")]
    coracle("kill", c, "KILL")
    for pid in pids:
        wait_gone(coracle, pid)


def test_kill_all_where_the_first_process_has_ended(coracle, bundle):
    """containerd does so: in a shared pid namespace others may live on."""
    b = bundle("child", "--", "pause").drop_namespace("pid")
    c = coracle.started(b)
    coracle.wait_until(lambda: len(coracle("ps", "-f", "json", c).out.split(",")) == 2, "there are two")
    pids = [int(p) for p in coracle("ps", "-f", "json", c).out.strip("[]\n").split(",")]
    first = coracle.state(c)["pid"]
    os.kill(first, 9)
    coracle.wait_status(c, "stopped")
    coracle("kill", "--all", c, "KILL")
    for pid in pids:
        wait_gone(coracle, pid)


def test_kill_by_others_is_refused(coracle, bundle, as_nobody):
    c = coracle.started(bundle("pause"))
    result = as_nobody("kill", c, "KILL")
    assert result.rc == 1 and "Permission denied" in result.err
    assert coracle.state(c)["status"] == "running"


def test_regex_takes_all_that_match(coracle, bundle):
    """crun's --regex, of kill and of delete."""
    name = f"rx{os.getpid()}"
    mine = [coracle.create(bundle("trap", 10), id=f"{name}-{x}") for x in "ab"]
    other = coracle.started(bundle("trap", 10))
    for c in mine:
        coracle("start", c)
    for c in [*mine, other]:
        coracle.wait_output(c, "ready")
    coracle("kill", "--regex", f"^{name}-[ab]$", "USR1")
    for c in mine:
        coracle.wait_output(c, "signal 10\n")
    coracle("delete", "--force", "--regex", f"^{name}-")
    assert [coracle.state(c) for c in mine] == [None, None]
    assert coracle.state(other)["status"] == "running"
    assert "signal" not in coracle.output(other)
    wrong = coracle("kill", "--regex", "a(", "USR1", check=False)
    assert wrong.rc == 1 and "regular expression `a(`" in wrong.err
