# SPDX-License-Identifier: GPL-2.0-or-later
"""test_pause.py - pause and resume: the freezer, and the status that engines read."""


def test_pause_and_resume(coracle, bundle):
    c = coracle.started(bundle("trap", 10))
    coracle.wait_output(c, "ready")
    coracle("pause", c)
    assert coracle.state(c)["status"] == "paused"
    assert "frozen 1" in coracle.knob(c, "cgroup.events")
    coracle("kill", c, "USR1")
    assert "signal" not in coracle.output(c)
    coracle("resume", c)
    coracle.wait_output(c, "signal 10")


def test_twice_in_a_row(coracle, bundle):
    c = coracle.started(bundle("pause"))
    coracle("pause", c)
    result = coracle("pause", c, check=False)
    assert result.rc == 1 and "is paused: container not running" in result.err
    coracle("resume", c)
    result = coracle("resume", c, check=False)
    assert result.rc == 1 and "container not paused" in result.err
    assert coracle.state(c)["status"] == "running"


def test_a_created_container(coracle, bundle):
    c = coracle.create(bundle("echo", "hi"))
    coracle("pause", c)
    assert coracle.state(c)["status"] == "paused"
    coracle("resume", c)
    assert coracle.state(c)["status"] == "created"
    coracle("start", c)
    coracle.wait_output(c, "hi")


def test_a_stopped_container(coracle, bundle):
    c = coracle.started(bundle("true"))
    coracle.wait_status(c, "stopped")
    for word in ("pause", "resume"):
        result = coracle(word, c, check=False)
        assert result.rc == 1 and "is stopped" in result.err


def test_nobody(coracle):
    for word in ("pause", "resume"):
        result = coracle(word, "nobody", check=False)
        assert result.rc == 1 and "does not exist" in result.err


def test_delete_a_paused_container(coracle, bundle):
    c = coracle.started(bundle("pause"))
    coracle("pause", c)
    assert coracle("delete", c, check=False).rc == 1
    coracle("delete", "--force", c)
    assert coracle.state(c) is None


def test_exec_into_a_paused_container(coracle, bundle):
    c = coracle.started(bundle("pause"))
    coracle("pause", c)
    result = coracle("exec", c, "/init", "true", check=False)
    assert result.rc == 255 and "paused" in result.err


def test_others_may_not(coracle, bundle, as_nobody):
    c = coracle.started(bundle("pause"))
    assert as_nobody("pause", c).rc == 1
    assert coracle.state(c)["status"] == "running"
