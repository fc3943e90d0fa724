# SPDX-License-Identifier: GPL-2.0-or-later
"""test_netdev.py - links of the host move into a container (config-linux.md, "Network Devices")."""
import contextlib
import json
import subprocess

import pytest

pytestmark = pytest.mark.needs("node")


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True).stdout


@pytest.fixture
def link():
    ip("link", "add", "nd0", "mtu", "1400", "address", "02:00:00:00:00:aa", "type", "veth", "peer", "name", "nd1")
    ip("addr", "add", "10.6.0.1/24", "dev", "nd0")
    yield "nd0"
    with contextlib.suppress(subprocess.CalledProcessError):
        ip("link", "del", "nd1")


def inside(coracle, id):
    pid = str(coracle.state(id)["pid"])
    return json.loads(subprocess.run(["nsenter", "-t", pid, "-n", "ip", "-j", "addr"], check=True,
                                     capture_output=True, text=True).stdout)


@pytest.mark.parametrize("name", [None, "in0"])
def test_a_link_moves_in_with_its_name_address_and_mtu(coracle, bundle, link, name):
    b = bundle("sleep", "100")
    b.linux["netDevices"] = {link: {"name": name} if name else {}}
    c = coracle.started(b)
    moved = next(x for x in inside(coracle, c) if x["ifname"] == (name or link))
    assert (moved["mtu"], moved["address"]) == (1400, "02:00:00:00:00:aa") and "UP" in moved["flags"]
    assert [a["local"] for a in moved["addr_info"] if a["scope"] == "global"] == ["10.6.0.1"]
    assert link not in ip("-br", "link")


def test_errors_leave_the_link_where_it_was(coracle, bundle, link):
    b = bundle("true")
    b.linux["netDevices"] = {link: {"name": "lo"}}
    failed = coracle.try_create(b)
    assert failed.rc == 1 and "linux.netDevices" in failed.err
    b.linux["netDevices"] = {"nosuch": {}}
    failed = coracle.try_create(b)
    assert failed.rc == 1 and "nosuch" in failed.err
    b.linux["netDevices"] = {link: {}}
    b.process["args"] = ["/nosuch"]
    assert coracle.run(b, check=False).rc == 1
    b.drop_namespace("network")
    failed = coracle.try_create(b)
    assert "linux.netDevices: the container has no network namespace of its own" in failed.err
    assert "10.6.0.1/24" in ip("-br", "addr", "show", link)


def test_features_tell(coracle):
    assert json.loads(coracle("features").out)["linux"]["netDevices"] == {"enabled": True}
