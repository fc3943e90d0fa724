# SPDX-License-Identifier: GPL-2.0-or-later
"""test_many.py - two hundred containers at once on one switch: all get addresses, none twice, nothing is left."""
import os
import json

import pytest

pytestmark = pytest.mark.needs("root", "tree")

MANY = 200 if os.environ.get("CORACLE_TEST_ALL") else 60


def test_two_hundred_at_once(net):
    before = net.rules()
    net.switch("create", "web", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "--gateway")
    empty = net.rules()
    line = ("run --rootfs /r --switch web {} -- /bin/sh -c 'ip -j addr show eth0'")
    done = net.node.run("mkdir /out; for i in $(seq %d); do (coracle %s >/out/$i 2>/out/$i.err || echo $i failed) & done; "
                        "wait" % (MANY, line.format("c$i")), timeout=120)
    assert done.out == "", net.node.run("cat /out/*.err").out[-2000:]
    seen = net.node.run("cat " + " ".join(f"/out/{i}" for i in range(1, MANY + 1))).out
    addresses, decoder, at = [], json.JSONDecoder(), 0
    while at < len(seen):
        link, at = decoder.raw_decode(seen, at)
        at += len(seen[at:]) - len(seen[at:].lstrip())
        addresses += [a["local"] for a in link[0]["addr_info"] if a["scope"] == "global"]
    four = [a for a in addresses if a.startswith("10.5.0.")]
    assert len(four) == MANY and len(addresses) == 2 * MANY
    # an address may be had again once its container has ended; while all run none is there twice: see below
    assert net.json("leases") == [] and net.links() == {"sw-web"} and net.rules() == empty
    assert net.node.run("cat /run/coracle-switches/web").out.count("10.5.0.") == 0
    net.switch("rm", "web")
    assert net.rules() == before


def test_all_addresses_of_a_subnet_at_once(net):
    """More containers than addresses, all staying: each address once, and the others are refused by name."""
    net.switch("create", "web", "--subnet", "10.5.0.0/26", "--gateway")        # 61 addresses
    net.node.run("mkdir /out; for i in $(seq 70); do (coracle run --detach --keep --rootfs /r --switch web c$i -- "
                 "/bin/sleep 31557600 </dev/null >/dev/null 2>/out/$i) & done; wait", timeout=120)
    leases = [x["address"] for x in net.json("leases")]
    assert len(leases) == len(set(leases)) == 61
    refused = net.node.run("cat /out/*").out.splitlines()
    assert len(refused) == 9 and all("no address is free in subnet 10.5.0.0/26" in x for x in refused)
    assert len(net.node.run("coracle list -q").out.split()) == 61
    inside = net.node.run("for i in $(coracle list -q); do coracle exec $i hostname -I; done").out.split()
    assert sorted(inside) == sorted(leases)
