# SPDX-License-Identifier: GPL-2.0-or-later
"""test_reboot.py - a machine goes down with a switch in use, and comes up again: the switch is there, its leases are not."""
import json
import os

import pytest

pytestmark = pytest.mark.needs("root", "vm")

LINE = "coracle run --detach --keep --rootfs /r --switch web {} -- /bin/sleep 31557600 </dev/null >/dev/null 2>&1"


def test_a_switch_survives_a_reboot(vms, tmp_path):
    """The virtual machine's root is thrown away with it: what its disk would keep is carried over."""
    before = vms("before")
    before.run("mkdir -p /r && mount --bind / /r && coracle switch create web --subnet 10.5.0.0/24 --nat")
    before.run(LINE.format("one"))
    before.run(LINE.format("two"))
    assert len(json.loads(before.run("coracle switch leases --format json").out)) == 2
    before.get("/var/lib/coracle", tmp_path / "disk")
    before.pull_plug()
    assert len(os.listdir(tmp_path / "disk/switches/web/leases")) == 2

    after = vms("after")
    after.put(tmp_path / "disk", "/var/lib/coracle")
    after.run("mkdir -p /r && mount --bind / /r")
    listed = json.loads(after.run("coracle switch ls --format json").out)
    assert [(s["name"], s["up"], s["ports"]) for s in listed] == [("web", False, 0)]
    told = after.run("coracle switch up")
    assert "net.ipv4.ip_forward is now 1" in told.err
    assert after.run("coracle switch up").err == ""                     # all is there: nothing to do
    assert after.run("ls /var/lib/coracle/switches/web/leases").out == ""
    assert "10.5.0.1/24" in after.run("ip -br addr show sw-web").out
    after.run(LINE.format("one"))
    [lease] = json.loads(after.run("coracle switch leases --format json").out)
    after.run(f"ping -c 1 -W 5 {lease['address']}")
    after.run("coracle delete --force one && coracle switch rm web")

    # without `up`, the first container brings its switch up
    after.run("coracle switch create lazy --subnet 10.6.0.0/24 --gateway && ip link del sw-lazy && nft flush ruleset")
    after.run(LINE.replace("web", "lazy").format("three"))
    [lease] = json.loads(after.run("coracle switch leases --format json").out)
    after.run(f"ping -c 1 -W 5 {lease['address']}")
