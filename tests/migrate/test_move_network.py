# SPDX-License-Identifier: GPL-2.0-or-later
"""A container on a switch that spans nodes moves with its address and its connections.  needs: tree"""
import os

import pytest

from bed.node import join
from lib.pair import Pair, lease, start_client, start_redis

pytestmark = pytest.mark.needs("tree")

@pytest.fixture
def three(nodes, tmp_path):
    """Nodes a and b, and c between them, all on one wire and on one switch of 10.9.0.0/24."""
    share = str(tmp_path / "share")
    os.mkdir(share)
    a, b, c = nodes("a", "b", "c", binds={share: "/share:rw"})
    join(a, c), join(b, c)
    c.run("ip link add br0 type bridge && ip link set br0 up && for i in eth0 eth1; do ip addr flush dev $i; "
          "ip link set $i master br0; done; ip addr add 10.77.99.3/24 dev br0")
    for number, node in enumerate((a, b, c), 1):
        if node is not c:
            node.run(f"ip addr flush dev eth0; ip addr add 10.77.99.{number}/24 dev eth0")
    for number, node in enumerate((a, b, c), 1):
        others = " ".join(f"--remote 10.77.99.{k}" for k in (1, 2, 3) if k != number)
        node.run(f"coracle switch create --subnet 10.9.0.0/24 --vxlan 7 --local 10.77.99.{number} {others} "
                 f"--part {number}/3 web")
    pair = Pair(a, b, share, None)
    yield pair, c
    pair.clean()


def test_a_redis_client_notices_a_pause_and_nothing_else(three):
    pair, c = three
    address = start_redis(pair)
    mac = lease(pair.a, "r")["mac"]
    client = start_client(pair, c, address)
    for back in (False, True, False):
        pair.move("r", back=back)
        here, there = (pair.a, pair.b) if back else (pair.b, pair.a)
        assert pair.ids(here).get("r") == "running" and "r" not in pair.ids(there)
        assert lease(here, "r")["address"] == address and lease(here, "r")["mac"] == mac
        # the node whose part the address is of keeps it for the container; the other one has nothing left of it
        assert lease(there, "r")["away"] if there is pair.a else lease(there, "r") is None
        assert client.poll() is None
    c.write("/stop", "")
    result = client.wait(30)
    assert result.rc == 0 and "counted" in result.out, result.err
    # no segment of the restored side was dropped as older than one that the frozen side had sent: its answer would
    # come again only after a second
    assert result.out.split()[-2:] == ["older", "0"], result.out
    c.run("coracle delete --force k")


def test_a_failed_move_keeps_the_connections(three):
    """The restore fails there; the client here sees a pause."""
    pair, c = three
    address = start_redis(pair)
    client = start_client(pair, c, address)
    pair.b.run("mkdir -p /var/lib/coracle/containers; coracle switch rm web")
    result = pair.move("r", check=False)
    assert result.rc == 1 and "web" in result.err
    assert pair.ids(pair.a) == {"r": "running"} and not pair.ids(pair.b)
    assert client.poll() is None
    c.write("/stop", "")
    assert client.wait(30).rc == 0
    c.run("coracle delete --force k")
