# SPDX-License-Identifier: GPL-2.0-or-later
"""test_harness.py - the driver, the bundles and the payload work together; what is left is noticed.

Any OCI runtime passes these, so they also tell a broken test bed from a broken coracle.
"""
import os

import pytest

from bed.node import CommandError
from lib import leftovers

pytestmark = [pytest.mark.needs("root"), pytest.mark.also_in_vm]


def test_harness_runs_a_bundle(coracle, bundle):
    result = coracle.run(bundle("echo", "hello", "--", "stderr", "there", "--", "exit", 7), check=False)
    assert (result.rc, result.out, result.err) == (7, "hello\n", "there\n")


def test_harness_takes_a_container_through_its_life(coracle, bundle):
    c = coracle.create(bundle("echo", "up", "--", "pause"))
    assert coracle.state(c)["status"] == "created"
    coracle("start", c)
    coracle.wait_output(c, "up\n")
    assert os.path.isdir(coracle.group(c))
    coracle("kill", c, "KILL")
    coracle.wait_status(c, "stopped")
    coracle("delete", c)
    assert coracle.state(c) is None


def test_harness_says_what_failed(coracle):
    with pytest.raises(CommandError, match="no-such-container"):
        coracle("start", "no-such-container")


@pytest.mark.needs("node")
def test_leftovers_of_every_kind_are_seen(tmp_path):
    import subprocess
    before = leftovers.look(tmp_path)
    sleeper = subprocess.Popen(["sleep", "1000"])
    os.mkdir("/sys/fs/cgroup/left")
    (tmp_path / "record").write_text("")
    subprocess.run(["mount", "-t", "tmpfs", "left", "/mnt"], check=True)
    subprocess.run(["ip", "link", "add", "left0", "type", "veth", "peer", "name", "left1"], check=True)
    told = "\n".join(leftovers.settle(before, tmp_path, seconds=0))
    for word in (f"process left: {sleeper.pid} sleep", "cgroup left: /sys/fs/cgroup/left", "mount left: ", "/mnt",
                 "link left: left0", f"file left: {tmp_path}/record"):
        assert word in told
    leftovers.remove(before)
    sleeper.wait()
    os.unlink(tmp_path / "record")
    subprocess.run(["ip", "link", "del", "left0"], check=True)
    assert leftovers.settle(before, tmp_path) == []
