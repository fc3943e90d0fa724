# SPDX-License-Identifier: GPL-2.0-or-later
"""test_traffic.py - what passes a switch and what does not: NAT, published ports, isolation, spoofing, MTU, rates."""
import json

import pytest

from bed.node import join

pytestmark = pytest.mark.needs("root", "tree")

SERVE = "exec python3 -u -m http.server --bind :: 80"


@pytest.fixture
def pair(nets):
    """Two nodes on one wire: net on a, the other node outside; (net, outside, address of a, address of outside)."""
    a, b = nets("a", "b")
    link = join(a.node, b.node)
    return a, b.node, link.addresses[0], link.addresses[1]


def test_nat_to_another_node(pair):
    net, outside, own, other = pair
    net.switch("create", "web", "--nat")
    outside.start("exec python3 -u -m http.server 8000").expect("Serving")
    net.up("one", "--switch", "web")
    net.inside("one", f"curl -sfm 10 http://{other}:8000/")
    # the other node has seen the address of the host only, and cannot come in uninvited
    assert outside.run(f"ping -c 1 -W 1 {net.address('one')}", check=False).rc != 0
    outside.run(f"ip route add {net.address('one')} via {own}")
    assert outside.run(f"ping -c 1 -W 1 {net.address('one')}", check=False).rc != 0


def test_published_from_outside_from_the_host_by_loopback_and_by_hairpin(pair):
    net, outside, own, _ = pair
    net.switch("create", "web", "--nat")
    net.up("www", "--switch", "web", "--publish", "8080:80", "--publish", "127.0.0.1:8081:80", command=SERVE)
    net.up("two", "--switch", "web")
    net.listening("www", 80)
    fetch = "curl -sfm 10 -o /dev/null http://{}/"
    outside.run(fetch.format(own + ":8080"))
    for where in (own + ":8080", "127.0.0.1:8080", "localhost:8080", "127.0.0.1:8081"):
        net.node.run(fetch.format(where))
    for name in ("two", "www"):                                 # hairpin: by the host's address
        net.inside(name, fetch.format(own + ":8080"))
    assert outside.run(fetch.format(own + ":8081"), check=False).rc != 0        # published on loopback alone
    outside.run(f"ip route add 127.0.0.0/8 via {own} table main", check=False)
    taken = net.run("x", "--switch", "web", "--publish", "8080:80", check=False)
    assert "published already" in taken.err
    net.node.run(fetch.format("127.0.0.1:8080"))                # the failure took nothing from the first
    net.down("www")
    assert net.node.run(fetch.format("127.0.0.1:8080"), check=False).rc != 0
    net.up("www", "--switch", "web", "--publish", "8080:80", command=SERVE)
    net.listening("www", 80)
    net.node.run(fetch.format("127.0.0.1:8080"))


def test_published_udp_and_ipv6(pair):
    net, outside, own, _ = pair
    net.switch("create", "web", "--nat")
    net.node.run("ip addr add fd77::1/64 dev eth0 nodad")
    outside.run("ip addr add fd77::2/64 dev eth0 nodad")
    net.up("www", "--switch", "web", "--publish", "8080:80", "--publish", "5353:53/udp", command=SERVE)
    net.up("echo", "--switch", "web", "--publish", "7777:7/udp", command="exec socat UDP4-LISTEN:7,fork EXEC:cat")
    net.listening("www", 80)
    outside.run("curl -gsfm 10 -o /dev/null http://[fd77::1]:8080/")
    net.node.run("curl -gsfm 10 -o /dev/null http://[fd77::1]:8080/")
    net.inside("echo", "for i in $(seq 200); do ss -Hlun 'sport = :7' | grep -q . && break; sleep 0.02; done")
    # a datagram may be lost: the first one waits for a neighbour's answer
    assert outside.run("for i in 1 2 3; do answer=$(echo hello | socat -T 2 - UDP4:%s:7777); "
                       "[ -z \"$answer\" ] || break; done; echo $answer" % own).out == "hello\n"


def test_containers_do_not_reach_the_loopback_of_the_host(pair):
    """As root of its network a container sends to 127.0.0.1 by way of the host; without the guard it gets there."""
    net, _, _, _ = pair
    net.switch("create", "web", "--subnet", "10.5.0.0/24", "--nat")
    net.node.start("exec python3 -u -m http.server --bind 127.0.0.1 9000").expect("Serving")
    net.up("www", "--switch", "web", "--publish", "8080:80")    # turns route_localnet on
    pid = json.loads(net("state", "www").out)["pid"]
    inside = f"nsenter -t {pid} -n sh -c "
    net.node.run(inside + "'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; ip addr flush dev lo; "
                 "ip route flush table local 127.0.0.0/8; ip route add 127.0.0.0/8 via 10.5.0.1'")
    fetch = inside + "'curl -sfm 2 -o /dev/null http://127.0.0.1:9000/'"
    assert net.node.run(fetch, check=False).rc != 0
    net.node.run("nft flush chain inet coracle before")
    assert net.node.run(fetch, check=False).rc == 0, "the decoy does not get there either"


def test_switches_are_apart_and_an_isolated_one_from_the_host_too(net):
    net.switch("create", "a", "--subnet", "10.5.1.0/24", "--gateway")
    net.switch("create", "b", "--subnet", "10.5.2.0/24", "--gateway")
    net.switch("create", "i", "--subnet", "10.5.3.0/24", "--gateway", "--isolated")
    net.up("a1", "--switch", "a")
    net.up("b1", "--switch", "b")
    net.up("i1", "--switch", "i")
    net.up("i2", "--switch", "i")
    ping = "ping -c 1 -W 1 "
    net.inside("a1", ping + "10.5.1.1")
    assert net.inside("a1", ping + net.address("b1"), check=False).rc != 0
    net.inside("i1", ping + "i2")
    for where in ("10.5.3.1", net.address("a1"), "10.5.1.1"):
        assert net.inside("i1", ping + where, check=False).rc != 0, where
    assert net.inside("a1", ping + net.address("i1"), check=False).rc != 0


def test_private_ports_reach_the_gateway_alone(net):
    net.switch("create", "web", "--subnet", "10.5.0.0/24", "--gateway", "--private")
    net.up("one", "--switch", "web")
    net.up("two", "--switch", "web")
    net.inside("one", "ping -c 1 -W 5 10.5.0.1")
    assert net.inside("one", "ping -c 1 -W 1 two", check=False).rc != 0


def test_a_container_sends_as_itself_only(net):
    net.switch("create", "web", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "--gateway")
    net.up("bad", "--switch", "web:ip=10.5.0.66", "--cap-add", "NET_ADMIN")
    net.up("good", "--switch", "web:ip=10.5.0.7,mac=02:00:00:00:00:07")
    ping = "ping -c 1 -W 1 "
    net.inside("bad", ping + "good")
    for change in ("ip addr add 10.5.0.99/24 dev eth0 && ping -I 10.5.0.99 -c 1 -W 1 10.5.0.7",     # another address
                   "ip addr add fd05::99/64 dev eth0 nodad && ping -I fd05::99 -c 1 -W 1 fd05::1",
                   "ip addr add 10.5.0.7/24 dev eth0 && ping -I 10.5.0.7 -c 1 -W 1 10.5.0.1",       # a neighbour's
                   "ip link set eth0 address 02:00:00:00:00:99 && ping -c 1 -W 1 10.5.0.1"):        # another MAC
        assert net.inside("bad", change, check=False).rc == 1, change
    # an ARP reply that says the gateway is here changes nobody's mind
    net.inside("good", ping + "10.5.0.1")
    before = net.inside("good", "ip neigh show 10.5.0.1").out.split()[4]
    net.inside("bad", "ip addr flush dev eth0; ip addr add 10.5.0.1/24 dev eth0; arping -A -c 3 -I eth0 10.5.0.1",
               check=False)
    net.inside("good", ping + "10.5.0.1")
    assert net.inside("good", "ip neigh show 10.5.0.1").out.split()[4] == before
    # without the guard the same gets through
    net.node.run("nft flush chain bridge coracle from_port")
    net.up("worse", "--switch", "web", "--cap-add", "NET_ADMIN")
    net.inside("worse", "ip addr add 10.5.0.98/24 dev eth0 && ping -I 10.5.0.98 -c 1 -W 5 10.5.0.7")


def test_mtu_is_the_switch_s_on_both_ends(net):
    net.switch("create", "jumbo", "--subnet", "10.5.0.0/24", "--gateway", "--mtu", "9000")
    net.up("one", "--switch", "jumbo")
    net.up("two", "--switch", "jumbo")
    net.inside("one", "ping -M do -s 8972 -c 1 -W 5 two && ping -M do -s 8972 -c 1 -W 5 10.5.0.1")
    assert net.inside("one", "ping -M do -s 8973 -c 1 -W 1 two", check=False).rc != 0


def throughput(net, server, client, reverse=False):
    """Bits per second from client to server (or back), by iperf3 for two seconds."""
    out = net.inside(client, f"iperf3 -J -t 2 {'-R' if reverse else ''} -c {server}").out
    return json.loads(out)["end"]["sum_received"]["bits_per_second"]


def test_rate_limits_both_ways(net):
    net.switch("create", "web", "--gateway")
    net.up("fast", "--switch", "web", command="exec iperf3 -s")
    net.up("slow", "--switch", "web:rate=40mbit")
    net.listening("fast", 5201)
    for reverse in (False, True):
        rate = throughput(net, "fast", "slow", reverse)
        assert 8e6 < rate < 60e6, f"{'received' if reverse else 'sent'}: {rate / 1e6:.1f} Mbit/s of 40"
