# SPDX-License-Identifier: GPL-2.0-or-later
"""test_systemd.py - --systemd-cgroup where there is no systemd: an error in time, nothing left.  With systemd as
pid 1: tests/engines/test_systemd.py."""
import os
import socket
import time

import pytest

pytestmark = [pytest.mark.needs("root", "node")]


@pytest.fixture
def bus(tmp_path):
    """Environment for a system bus at a socket that nobody serves; and the socket, if somebody should."""
    path = str(tmp_path / "bus")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        yield {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}"}, s


def on_systemd(b):
    b.linux["cgroupsPath"] = "system.slice:test:"
    return b


def test_a_bus_that_is_dead(coracle, bundle, bus):
    result = coracle("--systemd-cgroup", "run", "--bundle", on_systemd(bundle("true")).save().path, coracle.new_id(),
                     env=bus[0], check=False)
    assert result.rc == 1 and "connect to the system bus, for a systemd cgroup: Connection refused" in result.err
    assert coracle("list", "--quiet").out == ""


@pytest.mark.slow
def test_a_bus_that_never_answers(coracle, bundle, bus):
    bus[1].listen()
    start = time.monotonic()
    result = coracle("--cgroup-manager", "systemd", "run", "--bundle", on_systemd(bundle("true")).save().path,
                     coracle.new_id(), env=bus[0], check=False, timeout=60)
    assert result.rc == 1 and "the bus does not answer: Connection timed out" in result.err
    assert time.monotonic() - start > 1
    assert coracle("list", "--quiet").out == ""


@pytest.mark.parametrize("path", ["/a/b", "a.slice:b", "../x.slice:a:b", "a.service:b:c"])
def test_paths_that_are_none(coracle, bundle, path):
    b = bundle("true")
    b.linux["cgroupsPath"] = path
    result = coracle("--systemd-cgroup", "run", "--bundle", b.save().path, coracle.new_id(), check=False)
    assert result.rc == 1 and "cgroupsPath: " in result.err


def test_commands_that_make_no_group_take_the_option(coracle, bundle):
    """containerd gives it to all of them; they need neither systemd nor the other program."""
    c = coracle.started(bundle("pause"))
    for words in (["state", c], ["list"], ["ps", "--format", "json", c], ["kill", c, "KILL"], ["delete", "--force", c]):
        coracle("--systemd-cgroup", *words, env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"})
    assert os.listdir(coracle.root) in ([], [".cache"])
