# SPDX-License-Identifier: GPL-2.0-or-later
"""test_events.py - figures as JSON lines in runc's shape, kills for want of memory, the end."""
import json
import subprocess

import pytest


def follow(coracle, *words):
    return coracle.popen("events", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_stats_are_printed_once(coracle, bundle):
    c = coracle.started(bundle("pause"))
    for _ in range(2):
        line, = coracle("events", "--stats", c).out.splitlines()
        said = json.loads(line)
        assert (said["type"], said["id"]) == ("stats", c)
        assert "cpu" in said["data"]


def test_events_go_on_until_the_container_ends(coracle, bundle):
    c = coracle.started(bundle("pause"))
    with follow(coracle, "--interval", "20ms", c) as p:
        lines = [json.loads(p.stdout.readline()) for _ in range(3)]
        assert [x["type"] for x in lines] == ["stats"] * 3
        coracle("kill", c, "KILL")
        rest, err = p.communicate(timeout=20)
        assert (p.returncode, err) == (0, "")
        assert all(json.loads(x)["type"] == "stats" for x in rest.splitlines())


def test_events_end_with_the_container_though_the_interval_is_long(coracle, bundle):
    c = coracle.started(bundle("pause"))
    with follow(coracle, "--interval=1h", c) as p:
        assert json.loads(p.stdout.readline())["type"] == "stats"
        coracle("delete", "--force", c)
        assert p.communicate(timeout=20) == ("", "")
        assert p.returncode == 0


def test_events_end_when_nothing_can_be_written(coracle, bundle):
    c = coracle.started(bundle("pause"))
    with open("/dev/full", "wb") as full:
        p = coracle.popen("events", "--interval=1ms", c, stdout=full, stderr=subprocess.PIPE, text=True)
        assert "write to stdout" in p.communicate(timeout=20)[1]
        assert p.returncode == 1


@pytest.mark.needs("memory-controller")
@pytest.mark.also_in_vm
def test_a_kill_for_want_of_memory_is_told(coracle, bundle):
    b = bundle("wait_for", "/tmp/go", "--", "eat", "200")
    b.resources["memory"] = {"limit": 32 << 20, "swap": 32 << 20}
    c = coracle.started(b)
    with follow(coracle, "--interval=1h", c) as p:
        assert json.loads(p.stdout.readline())["type"] == "stats"
        coracle("exec", c, "/init", "write", "/tmp/go", "x")
        out, err = p.communicate(timeout=30)
        assert err == ""
        assert {"type": "oom", "id": c} in [json.loads(x) for x in out.splitlines()]


def test_a_container_that_has_ended(coracle, bundle):
    c = coracle.started(bundle("true"))
    coracle.wait_status(c, "stopped")
    for words in ([c], ["--stats", c]):
        result = coracle("events", *words, check=False)
        assert (result.rc, result.out) == (1, "") and "container not running" in result.err


def test_nobody(coracle):
    result = coracle("events", "--stats", "nobody", check=False)
    assert result.rc == 1 and "does not exist" in result.err


@pytest.mark.parametrize("interval", ["0", "0s", "-1s", "soon", "5d", "99999999h"])
def test_wrong_intervals(coracle, interval):
    assert coracle("events", "--interval", interval, "x", check=False).rc == 64
