# SPDX-License-Identifier: GPL-2.0-or-later
"""A container on a switch that spans nodes moves with its address and its connections.  needs: tree"""
import copy
import json
import os

import pytest

from bed.node import join
from lib.bundle import DEFAULT
from lib.pair import Pair

pytestmark = pytest.mark.needs("tree")

# A redis client on a third node: each answer is the next number, so nothing is lost and nothing is done twice.
CLIENT = r"""
import socket, sys, time, os
s = socket.create_connection((sys.argv[1], 6379), timeout=60)
f = s.makefile("rwb")
n, gap, last = 0, 0, time.monotonic()
while not os.path.exists("/stop"):
    f.write(b"INCR x\r\n")
    f.flush()
    answer = f.readline()
    n += 1
    assert answer == b":%d\r\n" % n, (answer, n)
    now = time.monotonic()
    gap, last = max(gap, now - last), now
    if n == 50:
        print("going", flush=True)
print("counted", n, "gap_ms", round(gap * 1000, 1), flush=True)
"""


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


def start_redis(pair, name="r"):
    config = copy.deepcopy(DEFAULT)
    config["process"]["args"] = ["/usr/bin/redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]
    pair.a.run(f"mkdir -p /ct/{name}/rootfs/{{proc,dev,sys,tmp,etc}} && cd /ct/{name}/rootfs && for f in "
               "$(ldd /usr/bin/redis-server | grep -o '/[^ ]*') /usr/bin/redis-server; do "
               "mkdir -p .$(dirname $f); cp -L $f .$f; done")
    pair.a.write(f"/ct/{name}/config.json", json.dumps(config))
    pair.a.run(f"coracle run --detach --bundle /ct/{name} --switch web {name} </dev/null >/dev/null 2>&1")
    return lease(pair.a, name)["address"]


def lease(node, name):
    return next((x for x in json.loads(node.run("coracle switch leases --format json").out) if x["name"] == name), None)


def start_client(pair, node, address):
    """In a container's network on the third node, as a process of that node's."""
    pair.bundle("k", 1, 0, node=node)
    node.run("coracle run --detach --bundle /ct/k --switch web k </dev/null >/dev/null 2>&1")
    pid = json.loads(node.run("coracle state k").out)["pid"]
    node.write("/client.py", CLIENT)
    client = node.start(f"nsenter -t {pid} -n python3 /client.py {address}")
    client.expect("going")
    return client


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
