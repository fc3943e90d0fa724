# SPDX-License-Identifier: GPL-2.0-or-later
"""test_switch.py - switches are made, looked at, removed; containers are wired to them and find each other."""
import json

import pytest

pytestmark = pytest.mark.needs("root", "tree")


def test_switch_is_made_listed_and_removed_and_nothing_is_left(net):
    before = net.rules()
    net.switch("create", "web", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "--gateway", "--nat")
    [web] = net.json("ls")
    assert (web["name"], web["up"], web["ports"], web["nat"], web["mtu"]) == ("web", True, 0, True, 1500)
    assert [s["gateway"] for s in web["subnets"]] == ["10.5.0.1/24", "fd05::1/64"]
    assert "web" in net.switch("ls").out and net.switch("ls", "-q").out == "web\n"
    assert "10.5.0.1" in net.switch("inspect", "web").out
    assert net.links() == {"sw-web"}
    assert net.switch("create", "web", check=False).err == "coracle: switch `web` exists already\n"
    net.switch("rm", "web")
    assert net.json("ls") == [] and net.links() == set() and net.rules() == before
    assert net.node.run("ls -A /run/coracle-switches").out == ""
    net.switch("create", "web", "--subnet", "10.5.0.0/24")      # the second time as the first
    net.switch("rm", "web")
    assert net.links() == set()


def test_what_is_changed_of_the_host_is_told(net):
    def setting(key):
        return net.node.read("/proc/sys/net/" + key).strip()
    net.node.run("ip link add up0 type veth peer name up1 && ip link set up0 up && ip link set up1 up && "
                 "echo 1 >/proc/sys/net/ipv6/conf/up0/accept_ra && echo 0 >/proc/sys/net/ipv6/conf/up1/accept_ra")
    assert net.switch("create", "plain").err == "" and setting("ipv4/ip_forward") == "0"
    assert net.switch("create", "alone", "--gateway", "--isolated").err == ""
    told = net.switch("create", "web", "--gateway").err
    assert "net.ipv4.ip_forward is now 1" in told and "net.ipv6.conf.all.forwarding is now 1" in told
    assert "accept_ra of its links is now 2" in told
    assert (setting("ipv6/conf/up0/accept_ra"), setting("ipv6/conf/up1/accept_ra")) == ("2", "0")
    assert net.switch("create", "more", "--gateway").err == ""


def test_container_has_its_network_before_its_first_instruction(net):
    net.switch("create", "web", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "--gateway")
    out = net.run("one", "--switch", "web:ip=10.5.0.7,mac=02:00:00:00:00:07,ifname=up0", "--dns", "10.9.9.9",
                  command="ip -j addr; ip -j route; ip -j -6 route; cat /etc/hosts /etc/resolv.conf").out
    addr, end = json.JSONDecoder().raw_decode(out)
    rest = out[end:]
    assert {a["ifname"] for a in addr} == {"lo", "up0"}
    up0 = next(a for a in addr if a["ifname"] == "up0")
    assert up0["address"] == "02:00:00:00:00:07" and "UP" in up0["flags"]
    local = {a["local"] for a in up0["addr_info"]}
    assert "10.5.0.7" in local and any(a.startswith("fd05::") for a in local)
    assert not [a for a in up0["addr_info"] if a.get("tentative") and a["scope"] == "global"]
    assert '"dst":"default","gateway":"10.5.0.1"' in rest and '"gateway":"fd05::1"' in rest
    assert "10.5.0.7 one" in rest and "127.0.0.1 localhost" in rest and rest.endswith("nameserver 10.9.9.9\n")
    assert net.json("leases") == [] and net.links() == {"sw-web"}


def test_containers_and_host_reach_each_other_by_name_in_both_families(net):
    net.switch("create", "web", "--gateway")
    net.up("one", "--switch", "web")
    net.up("two", "--switch", "web", "--hostname", "deux")
    for name in ("two", "deux", "one"):
        net.inside("one", f"ping -4 -c 1 -W 5 {name} && ping -6 -c 1 -W 5 {name}")
    net.inside("two", "ping -c 1 -W 5 one")
    for family in (4, 6):
        net.node.run(f"ping -c 1 -W 5 {net.address('two', family)}")
    net.inside("two", f"ping -c 1 -W 5 {net.json('ls')[0]['subnets'][0]['gateway'].split('/')[0]}")
    net.down("two")
    assert net.inside("one", "getent hosts two", check=False).rc == 2      # gone, and the name with it
    net.up("three", "--switch", "web")
    net.inside("one", "ping -c 1 -W 5 three")


def test_switch_in_use_is_not_removed_without_force(net):
    net.switch("create", "web")
    net.up("one", "--switch", "web")
    failed = net.switch("rm", "web", check=False)
    assert failed.rc == 1 and "switch `web` is in use: one has address" in failed.err
    assert net.json("inspect", "web")["ports"] == 1
    net.switch("rm", "--force", "web")
    assert net.links() == set() and "eth0" not in net.inside("one", "ip -br link").out
    net.down("one")


def test_several_switches_and_their_names(net):
    net.switch("create", "front", "--gateway")
    net.switch("create", "back")
    net.up("db", "--switch", "back")
    net.up("app", "--switch", "front", "--switch", "back")
    net.up("proxy", "--switch", "front")
    net.inside("app", "ping -c 1 -W 5 db && ping -c 1 -W 5 proxy")
    assert net.inside("proxy", "getent hosts db", check=False).rc == 2
    assert set(net.addresses("app")) == {"front", "back"}
    assert net.inside("app", "ip -br link").out.count("eth") == 2
    net.down("app", "db", "proxy")
    assert net.json("leases") == []


def test_errors_name_the_place(net):
    net.switch("create", "web", "--subnet", "10.5.0.0/29", "--gateway")
    for options, text in {
            ("--switch", "nosuch"): "switch `nosuch` does not exist",
            ("--switch", "web:ip=10.6.0.1"): "address 10.6.0.1 is of no subnet of the switch",
            ("--switch", "web:ip=10.5.0.1"): "address 10.5.0.1 is the switch's own",
            ("--switch", "web:ip=10.5.0.7"): "address 10.5.0.7 is no host's in subnet 10.5.0.0/29",
            ("--switch", "web:bogus=1"): "option --switch: `bogus` is none of ip=, mac=, ifname=, rate=",
            ("--switch", "web:rate=fast"): "option --switch: rate: `fast` is no rate such as 10mbit",
            ("--publish", "80:80"): "option --publish goes with --switch",
            ("--switch", "web", "--publish", "80"): "option --publish: `80` is not [ADDRESS:]HOSTPORT:PORT",
    }.items():
        failed = net.run("one", *options, check=False)
        assert failed.rc == 1 and text in failed.err, failed.err
    net.up("a", "--switch", "web:ip=10.5.0.3")
    assert "address 10.5.0.3 is leased to /run/coracle/a" in net.run("b", "--switch", "web:ip=10.5.0.3",
                                                                     check=False).err
    for name in "cdef":
        net.up(name, "--switch", "web")
    assert "no address is free in subnet 10.5.0.0/29" in net.run("g", "--switch", "web", check=False).err
    assert net.json("ls")[0]["ports"] == 5
    net.node.run("rm -r /run/coracle/c")      # its owner is gone: taken back
    net.up("g", "--switch", "web")


def test_subnets_do_not_overlap(net):
    net.switch("create", "a", "--subnet", "10.5.0.0/16")
    failed = net.switch("create", "b", "--subnet", "10.5.9.0/24", check=False)
    assert "10.5.9.0/24 overlaps 10.5.0.0/16, which this host has already" in failed.err
    assert net.node.run("ls /var/lib/coracle/switches").out == "a\n"
    net.switch("create", "b")
    net.switch("create", "c")
    nets = [s["subnet"] for x in net.json("ls") for s in x["subnets"]]
    assert len(nets) == len(set(nets)) == 5
