# SPDX-License-Identifier: GPL-2.0-or-later
"""test_ps.py - the processes of a container, and of no other."""
import json
import shutil

import pytest

needs_ps = pytest.mark.skipif(not shutil.which("ps"), reason="no ps(1) here")


def two(coracle, bundle):
    c = coracle.started(bundle("child", "--", "pause"))
    coracle.wait_until(lambda: len(json.loads(coracle("ps", "-f", "json", c).out)) == 2, "there are two")
    return c


def test_json_is_the_pids(coracle, bundle):
    c = two(coracle, bundle)
    pids = json.loads(coracle("ps", "--format", "json", c).out)
    assert coracle.state(c)["pid"] in pids and pids == sorted(pids)


@needs_ps
def test_the_table_is_that_of_ps(coracle, bundle):
    c, other = two(coracle, bundle), coracle.started(bundle("pause"))
    pids = json.loads(coracle("ps", "-f", "json", c).out)
    head, *lines = coracle("ps", c).out.splitlines()
    assert head.split()[:3] == ["UID", "PID", "PPID"]
    assert sorted(int(line.split()[1]) for line in lines) == pids
    assert coracle.state(other)["pid"] not in pids


@needs_ps
def test_words_behind_the_id_are_for_ps(coracle, bundle):
    c = two(coracle, bundle)
    for words in (["-eo", "comm,pid"], ["--", "-eo", "comm,pid"]):
        head, *lines = coracle("ps", c, *words).out.splitlines()
        assert head.split() == ["COMMAND", "PID"]
        assert {line.split()[0] for line in lines} == {"init"}
        assert len(lines) == 2


@needs_ps
def test_ps_without_a_pid_column(coracle, bundle):
    result = coracle("ps", coracle.started(bundle("pause")), "-eo", "comm", check=False)
    assert result.rc == 1 and "PID" in result.err


@needs_ps
def test_ps_itself_fails(coracle, bundle):
    result = coracle("ps", coracle.started(bundle("pause")), "--frobnicate", check=False)
    assert result.rc == 1 and "exit code" in result.err


def test_of_a_created_container(coracle, bundle):
    c = coracle.create(bundle("true"))
    assert json.loads(coracle("ps", "-f", "json", c).out) == [coracle.state(c)["pid"]]


def test_of_a_stopped_container(coracle, bundle):
    c = coracle.started(bundle("true"))
    coracle.wait_status(c, "stopped")
    for _ in range(2):
        result = coracle("ps", "-f", "json", c, check=False)
        assert (result.rc, result.out) == (1, "") and "container not running" in result.err


def test_of_nobody(coracle):
    result = coracle("ps", "nobody", check=False)
    assert result.rc == 1 and "does not exist" in result.err


def test_an_unknown_format(coracle, bundle):
    assert coracle("ps", "-f", "yaml", "x", check=False).rc == 64
