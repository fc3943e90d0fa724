# SPDX-License-Identifier: GPL-2.0-or-later
"""A container on a switch with a live client outside: the connection survives, over IPv4 and IPv6."""
import json
import os

import pytest

from lib.bundle import Bundle

# Sends each line that comes by the FIFO, and prints what comes back.
CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7200), timeout=20)
f = s.makefile("rw")
print("connected", flush=True)
while True:
    with open(sys.argv[2]) as fifo:
        for line in fifo:
            f.write(line); f.flush()
            print("got", f.readline().strip(), flush=True)
"""


@pytest.fixture
def server(nodes, workload_program):
    """A node with a switch, and on it a container that runs the workload's server."""
    node = nodes("node", binds={workload_program: "/bed/workload"})
    bundle = Bundle(os.path.join(node.root, "b"), workload_program, "server")
    bundle.save()
    node.run("coracle switch create web --gateway")
    node.run("coracle run --detach --bundle /b --switch web c </dev/null >/dev/null 2>&1")
    return node


def addresses(node):
    return {x["address"] for x in json.loads(node.run("coracle switch leases --format json").out) if x["name"] == "c"}


def client(node, address, name):
    node.run(["mkfifo", "/" + name])
    process = node.start(["python3", "-c", CLIENT, address, "/" + name])
    process.expect("connected")
    return process


def say(node, process, name, text, number):
    node.run(f"echo {text} >/{name}")
    process.expect(f"got {number} {text}", timeout=30)


def test_connections_survive_a_checkpoint_and_restore(server):
    node = server
    before = addresses(node)
    clients = [(client(node, a, f"c{i}"), f"c{i}") for i, a in enumerate(sorted(before))]
    assert len(clients) == 2, before  # both families
    for process, name in clients:
        say(node, process, name, "one", 1)
    node.run("coracle checkpoint --tcp-established --image-path /img c")
    for _, name in clients:
        node.run(f"echo two >/{name}")      # nobody is there: TCP sends it again
    node.run("coracle restore --detach --tcp-established --image-path /img --bundle /b c </dev/null >/dev/null")
    for process, name in clients:
        process.expect("got 2 two", timeout=30)
        say(node, process, name, "three", 3)
    assert addresses(node) == before
    # and while it runs on
    node.run("coracle checkpoint --leave-running --tcp-established --image-path /img2 c")
    for process, name in clients:
        say(node, process, name, "four", 4)
        process.kill()


# coracle stops when CRIU has been asked; CRIU will wait for it after the dump.
STOP = """
coracle checkpoint --tcp-established --image-path /img c & pid=$!
until [ -e /img/dump.log ]; do :; done
kill -STOP $pid
nft list set bridge coracle held
kill -KILL $pid
"""


def test_nothing_passes_while_criu_reads_and_all_does_if_we_are_killed(server):
    """What the frozen side still acknowledged would be lost, and make the restored side's segments look old."""
    node = server
    process = client(node, sorted(addresses(node))[0], "c0")
    say(node, process, "c0", "one", 1)
    link = json.loads(node.run("ip -j link show master sw-web").out)[0]["ifname"]
    assert link not in node.run("nft list set bridge coracle held").out
    assert f'"{link}"' in node.run(STOP).out
    node.run("until ! nft list set bridge coracle held | grep -q elements; do :; done")
    say(node, process, "c0", "two", 2)      # it runs on, and so does the connection


def test_a_connection_is_a_reason_to_refuse_without_the_option(server):
    node = server
    process = client(node, sorted(addresses(node))[0], "c0")
    say(node, process, "c0", "one", 1)
    done = node.run("coracle checkpoint --image-path /img c", check=False)
    assert done.rc == 1 and "established TCP connection" in done.err and "--tcp-established" in done.err
    assert "/img/dump.log" in done.err
    say(node, process, "c0", "two", 2)      # it runs on, and so does the connection
    process.kill()


def test_connections_are_closed_by_tcp_close(server):
    node = server
    process = client(node, sorted(addresses(node))[0], "c0")
    say(node, process, "c0", "one", 1)
    node.run("coracle checkpoint --tcp-close --image-path /img c")
    node.run("coracle restore --detach --tcp-close --image-path /img --bundle /b c </dev/null >/dev/null")
    process.kill()
    again = client(node, sorted(addresses(node))[0], "c1")
    say(node, again, "c1", "one", 1)        # it listens still
    again.kill()
