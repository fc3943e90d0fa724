# SPDX-License-Identifier: GPL-2.0-or-later
"""Between two virtual machines: Debian's stock kernel, its CRIU, all controllers.  needs: vm

The processor is emulated, so nothing here says how long anything takes; what is asked is that all of it arrives, once.
"""
import json
import os
import time

import pytest

from bed.node import join
from lib import needs
from lib.pair import Pair, lease, start_client, start_redis

pytestmark = pytest.mark.needs("vm")

REPORT = "/root/report.json"
PORT = 7110
# for 16 MB of which 4000 pages are written each second
FASTER_THAN_THE_LINK = ("--bandwidth", "4M", "--max-rounds", "5", "--downtime-limit", "50", "--report", REPORT)


class VmPair(Pair):
    """Nothing is shared between machines: the connection goes over the cable."""

    def receive(self, node, *options, env=None):
        process = node.start(["socat", f"TCP-LISTEN:{PORT},reuseaddr",
                              " ".join(["EXEC:coracle", "receive", *options])], env=env)
        node.run(f"until ss -Hltn 'sport = :{PORT}' | grep -q .; do sleep 0.05; done")
        host = self.link.addresses[self.link.nodes.index(node)]
        return process, f"exec:socat - TCP:{host}:{PORT}"

    def told(self, node=None):
        return json.loads((node or self.a).read(REPORT))


@pytest.fixture(scope="module")
def machines(request, binary):
    if sentence := needs.missing("vm"):
        pytest.skip(sentence)
    from bed.vm import VmNode
    with VmNode("a") as a, VmNode("b") as b:
        for node in (a, b):
            for name in ("coracle", "coracle-node"):
                node.put(os.path.join(os.path.dirname(binary), name), "/bed/bin/" + name)
        yield VmPair(a, b, None, join(a, b))


@pytest.fixture
def vm_pair(machines):
    yield machines
    machines.clean()


def test_a_writer_moves_with_its_memory(vm_pair):
    """Debian's kernel tells which pages were written without stopping anyone."""
    c = vm_pair.counter("c", mb=16, rate=100)
    before = c.look()
    vm_pair.move("c", "--track", "auto", "--report", REPORT, "--force", timeout=120)
    told = vm_pair.told()
    assert told["tracking"] == "wp"
    first, *others = told["rounds"]
    assert first["pagesSent"] > 16 * 256 * 0.9
    assert others and others[-1]["pagesSent"] < first["pagesSent"] / 2
    assert others[-1]["pagesSame"] > 16 * 256 * 0.5
    assert vm_pair.only_on("b", c, seconds=30).count > before.count


def cpu_max_while(pair, process, group):
    """What cpu.max was, each value once, until the process ended."""
    seen = []
    while process.poll() is None:
        now = pair.a.run(f"cat {group}/cpu.max", check=False).out.strip()
        if now and now not in seen:
            seen.append(now)
        time.sleep(0.02)
    return seen


@pytest.mark.slow
def test_throttled_and_given_up(vm_pair):
    """cpu.max is cut in steps, and is what it was in the end."""
    c = vm_pair.counter("c", mb=16, rate=4000)
    group = "/sys/fs/cgroup/coracle-c"
    before = vm_pair.a.read(group + "/cpu.max").strip()
    receiver, address = vm_pair.receive(vm_pair.b)
    moving = vm_pair.a.start(["coracle", "migrate", "--auto-converge", *FASTER_THAN_THE_LINK, "--progress", "none", "c", address])
    seen = cpu_max_while(vm_pair, moving, group)
    result = moving.wait(5)
    receiver.wait(30)
    assert result.rc == 1 and "expected downtime" in result.err, result.err
    assert len(seen) > 1 and seen[0] == before, seen
    quotas = [int(s.split()[0]) for s in seen if s != before]
    assert quotas == sorted(quotas, reverse=True), seen
    assert vm_pair.a.read(group + "/cpu.max").strip() == before
    assert any(r["throttlePercent"] for r in vm_pair.told()["rounds"])
    vm_pair.only_on("a", c, seconds=30)

@pytest.mark.slow
def test_a_throttled_container_arrives_unthrottled(vm_pair):
    c = vm_pair.counter("c", mb=16, rate=4000)
    vm_pair.move("c", "--auto-converge", "--force", *FASTER_THAN_THE_LINK, timeout=120)
    assert any(r["throttlePercent"] for r in vm_pair.told()["rounds"])
    assert vm_pair.b.read("/sys/fs/cgroup/coracle-c/cpu.max").split()[0] == "max"
    vm_pair.only_on("b", c, seconds=30)


@pytest.fixture
def switched(vm_pair):
    """The machines, with one switch of both over a VXLAN."""
    for number, node in enumerate((vm_pair.a, vm_pair.b)):
        own, other = vm_pair.link.addresses[::-1 if number else 1]
        node.run(f"coracle switch create --subnet 10.9.0.0/24 --vxlan 7 --local {own} --remote {other} --part {number + 1}/2 web")
    yield vm_pair
    vm_pair.clean()
    for node in (vm_pair.a, vm_pair.b):
        node.run("coracle switch rm web", check=False)


@pytest.mark.slow
def test_a_client_over_vxlan_notices_a_pause_and_nothing_else(switched):
    """Redis moves to its client's machine, and back."""
    pair = switched
    address = start_redis(pair)
    mac = lease(pair.a, "r")["mac"]
    client = start_client(pair, pair.b, address)
    for back in (False, True):
        pair.move("r", "--force", back=back, timeout=120)
        here, there = (pair.a, pair.b) if back else (pair.b, pair.a)
        assert pair.ids(here).get("r") == "running" and "r" not in pair.ids(there)
        assert lease(here, "r")["address"] == address and lease(here, "r")["mac"] == mac
        assert client.poll() is None, client.so_far()
    pair.b.write("/stop", "")
    result = client.wait(60)
    assert result.rc == 0 and "counted" in result.out, result.err
