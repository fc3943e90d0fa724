# SPDX-License-Identifier: GPL-2.0-or-later
"""test_span.py - one switch over two nodes, by VXLAN and by an uplink on the same wire."""
import ipaddress

import pytest

from bed.node import join

pytestmark = pytest.mark.needs("root", "tree")


def vxlan(a, b, link, *options):
    for net, local, remote in ((a, *link.addresses), (b, *reversed(link.addresses))):
        net.switch("create", "wide", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "--vxlan", "42",
                   "--local", local, "--remote", remote, *options)


def part(net):
    subnet = net.json("inspect", "wide")["subnets"][0]
    return ipaddress.ip_address(subnet["first"]), ipaddress.ip_address(subnet["last"])


def test_vxlan_is_one_network_over_two_nodes(nets):
    a, b = nets("a", "b")
    link = join(a.node, b.node)
    vxlan(a, b, link, "--gateway")
    (first_a, last_a), (first_b, last_b) = part(a), part(b)
    assert last_a < first_b or last_b < first_a             # never the same address on both
    a.up("one", "--switch", "wide")
    b.up("two", "--switch", "wide")
    for family in (4, 6):
        a.inside("one", f"ping -c 1 -W 5 {b.address('two', family)}")
        b.inside("two", f"ping -c 1 -W 5 {a.address('one', family)}")
    assert a.json("ls")[0]["mtu"] == 1450
    a.inside("one", f"ping -M do -s 1422 -c 1 -W 5 {b.address('two')}")
    # the gateways of both nodes are there for all
    for subnet in (a.json("ls")[0]["subnets"][0], b.json("ls")[0]["subnets"][0]):
        a.inside("one", f"ping -c 1 -W 5 {subnet['gateway'].split('/')[0]}")
    failed = b.run("x", "--switch", f"wide:ip={a.address('one')}", check=False)
    assert "is not of this node's part of subnet 10.5.0.0/24" in failed.err
    # guarded across the tunnel, too: a spoofed address stays on its own port
    assert b.inside("two", "ip addr add 10.5.0.250/24 dev eth0 && ping -I 10.5.0.250 -c 1 -W 1 "
                    + a.address("one"), check=False).rc != 0
    for net in (a, b):
        net.switch("rm", "--force", "wide")
        assert net.links() == set()


def test_uplink_is_one_network_over_two_nodes(nets):
    a, b = nets("a", "b")
    link = join(a.node, b.node)
    for net, number in ((a, "1/2"), (b, "2/2")):
        words = ["create", "wide", "--subnet", "10.5.0.0/24", "--gateway", "--uplink", link.interfaces[0]]
        assert "give --part N/COUNT or --range FIRST-LAST" in net.switch(*words, check=False).err
        failed = net.switch(*words, "--part", number, check=False)
        assert f"uplink {link.interfaces[0]} has an address of the host's" in failed.err
        assert net.json("ls") == [] and net.links() == set()
        net.node.run(f"ip addr flush dev {link.interfaces[0]} scope global")
        net.switch(*words, "--part", number)
    a.up("one", "--switch", "wide")
    b.up("two", "--switch", "wide")
    a.inside("one", f"ping -c 1 -W 5 {b.address('two')}")
    a.node.run(f"ping -c 1 -W 5 {b.address('two')}")
    a.switch("rm", "--force", "wide")
    assert "master" not in a.node.run(f"ip link show {link.interfaces[0]}").out     # given back
    assert a.inside("one", "ip -br link").out.count("eth0") == 0


def test_three_members_compute_disjoint_parts(nets):
    a, b = nets("a", "b")
    seen = []
    members = ["192.0.2.7", "192.0.2.30", "192.0.2.9"]
    for net, own in ((a, 0), (b, 1), (a, 2)):
        remotes = [w for i, m in enumerate(members) if i != own for w in ("--remote", m)]
        net.switch("create", "wide", "--subnet", "10.5.0.0/26", "--gateway", "--vxlan", "7", "--local", members[own],
                   *remotes)
        seen.append(part(net))
        net.switch("rm", "wide")
    seen.sort()
    assert all(x[1] < y[0] for x, y in zip(seen, seen[1:]))
