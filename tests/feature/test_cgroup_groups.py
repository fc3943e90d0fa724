# SPDX-License-Identifier: GPL-2.0-or-later
"""test_cgroup_groups.py - where a container's group is, whose it is, and that it goes."""
import os
import signal
import subprocess

import pytest

ROOT = "/sys/fs/cgroup"


@pytest.fixture
def group():
    """group("name") makes a group that is not coracle's; removed at the end."""
    made = []

    def make(name):
        path = f"{ROOT}/{name}"
        os.mkdir(path)
        made.append(path)
        return path
    yield make
    for path in reversed(made):
        os.rmdir(path)


def at(b, path):
    b.linux["cgroupsPath"] = path
    return b


@pytest.mark.parametrize("given, is_at", [("/deep/er/still", "/deep/er/still"), ("//odd/./one/", "/odd/one"),
                                          ("beside/us", "/beside/us"), ("", "/coracle-{id}"), (None, "/coracle-{id}")])
def test_the_group_is_where_the_config_says(coracle, bundle, given, is_at):
    """Relative ones go below the parent of our own group (the root here: this is run in /init)."""
    b = bundle("pause")
    if given is not None:
        at(b, given)
    c = coracle.started(b)
    with open("/proc/self/cgroup", encoding="ascii") as f:
        own = next(x for x in f if x.startswith("0::"))[3:].rstrip("\n")
    parent = "" if (given or "").startswith("/") else os.path.dirname(own).rstrip("/")
    assert coracle.group(c) == ROOT + parent + is_at.format(id=c)
    coracle("delete", "--force", c)
    assert not os.path.exists(ROOT + parent + "/" + is_at.format(id=c).split("/")[1])


@pytest.mark.parametrize("path", ["/", "..", "/../x", "../x", "/a/../../x", "a/..", "/a/.."])
def test_paths_out_of_bounds_are_refused(coracle, bundle, path):
    result = coracle.run(at(bundle("true"), path), check=False)
    assert result.rc and "cgroupsPath" in result.err


def test_parents_that_others_use_stay(coracle, bundle, group):
    parent = group("shared-parent")
    one = coracle.started(at(bundle("pause"), "/shared-parent/sub/one"))
    other = coracle.started(at(bundle("pause"), "/shared-parent/sub/other"))
    coracle("delete", "--force", one)
    assert os.path.isdir(coracle.group(other))
    coracle("delete", "--force", other)
    assert sorted(d for d in os.listdir(parent) if os.path.isdir(f"{parent}/{d}")) == []


def test_a_group_with_processes_is_refused_and_left(coracle, bundle, group):
    path = group("taken")
    with subprocess.Popen(["sleep", "100"]) as other:
        with open(path + "/cgroup.procs", "w", encoding="ascii") as f:
            f.write(str(other.pid))
        result = coracle.run(at(bundle("true"), "/taken"), check=False)
        assert result.rc and "processes in it already" in result.err
        assert other.poll() is None
        other.kill()


def test_a_frozen_group_is_refused(coracle, bundle, group):
    path = group("cold")
    with open(path + "/cgroup.freeze", "w", encoding="ascii") as f:
        f.write("1")
    result = coracle.run(at(bundle("true"), "/cold"), check=False)
    assert result.rc and "frozen" in result.err


def test_an_empty_group_of_others_is_used_and_left(coracle, bundle, group):
    path = group("given")
    c = coracle.started(at(bundle("pause"), "/given"))
    assert coracle.group(c) == path
    coracle("delete", "--force", c)
    assert os.path.isdir(path)


def test_groups_that_the_container_made_go_with_it(coracle, bundle):
    b = bundle("mkdir", "/sys/fs/cgroup/a", "--", "mkdir", "/sys/fs/cgroup/a/b", "--", "child", "pause", "--", "pause")
    for m in b.config["mounts"]:
        if m["destination"] == "/sys/fs/cgroup":
            m["options"] = [o for o in m["options"] if o != "ro"]
    c = coracle.started(b)
    path = coracle.group(c)
    coracle.wait_until(lambda: os.path.isdir(path + "/a/b"), "the container has made its groups")
    coracle("delete", "--force", c)
    assert not os.path.exists(path)


def test_processes_that_outlive_the_first_are_killed(coracle, bundle):
    """Without a pid namespace nothing ends them but their group."""
    b = bundle("orphan", "100000", "--", "pause")
    b.drop_namespace("pid")
    c = coracle.started(b)
    path = coracle.group(c)
    pid = coracle.state(c)["pid"]

    def pids():
        with open(path + "/cgroup.procs", encoding="ascii") as f:
            return f.read().split()
    coracle.wait_until(lambda: len(pids()) >= 2, "the orphan is there")
    os.kill(pid, signal.SIGKILL)
    coracle.wait_status(c, "stopped")
    coracle("delete", c)
    assert not os.path.exists(path)


def test_a_pause_freezes_all_of_the_group(coracle, bundle):
    b = bundle("child", "pause", "--", "pause")
    c = coracle.started(b)
    coracle("pause", c)
    assert "frozen 1" in coracle.knob(c, "cgroup.events").splitlines()
    assert coracle.state(c)["status"] == "paused"
    coracle("kill", c, "KILL")      # a frozen process can be killed
    coracle.wait_status(c, "stopped")
