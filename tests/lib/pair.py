# SPDX-License-Identifier: GPL-2.0-or-later
"""pair.py - two nodes, and containers that move between them

    p = pair                                two native nodes, joined by a link and by a directory /share
    c = p.counter("c", mb=8, rate=0)        a container on p.a that counts (counter.c); c.look() is its own view
    p.move("c")                             from a to b; p.move("c", back=True) the other way
    p.only_on("b", "c")                     exactly one copy, there, and it counts; nothing of it on the other node
"""
import copy
import hashlib
import json
import os
import subprocess
import time

from bed import trees
from .bundle import DEFAULT

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "migrate")
RECEIVED = "/var/lib/coracle/containers"
JOURNAL = "/var/lib/coracle/migrations"


def build(source):
    """A static program of tests/migrate."""
    with open(os.path.join(HERE, source), "rb") as f:
        key = hashlib.sha256(f.read()).hexdigest()[:12]
    path = os.path.join(trees.cache_dir(), "payload", f"{source[:-2]}-{key}")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-s", "-o", f"{path}.{os.getpid()}",
                        os.path.join(HERE, source)], check=True)
        os.rename(f"{path}.{os.getpid()}", path)
    return path


class View:
    """What the counter has written: its count, the longest time between two, wrong words, pages."""

    def __init__(self, text):
        self.count, self.gap_us, self.errors, self.pages = map(int, text.split())


class Counter:
    """A counting container, wherever it is."""

    def __init__(self, pair, name, node):
        self.pair, self.name, self.node = pair, name, node
        self.root = {id(node): f"/ct/{name}/rootfs"}

    def look(self, node=None):
        node = node or self.node
        root = self.root.get(id(node), f"{RECEIVED}/{self.name}/rootfs")
        return View(node.read(f"{root}/state"))

    def wait_count(self, more=20, node=None, seconds=10):
        """It counts on: that many more, and every word of its memory is right."""
        start = self.look(node)
        end = time.monotonic() + seconds
        while (now := self.look(node)).count < start.count + more:
            assert time.monotonic() < end, f"{self.name} does not count: {now.count}"
            time.sleep(0.005)
        assert now.errors == 0
        return now


class Pair:
    """Two nodes.  Commands run in them as an administrator's would."""

    def __init__(self, a, b, share, link):
        self.a, self.b, self.share, self.link = a, b, share, link
        self.sockets = 0

    def node(self, name):
        return {"a": self.a, "b": self.b}[name]

    def bundle(self, name, *args, node=None, program=None, config=None):
        """Make /ct/NAME on the node: a root with one program."""
        node = node or self.a
        program = program or build("counter.c")
        c = copy.deepcopy(DEFAULT)
        c["process"]["args"] = ["/" + os.path.basename(program).split("-")[0], *map(str, args)]
        if config:
            config(c)
        node.run(f"mkdir -p /ct/{name}/rootfs/{{proc,dev,sys,tmp,etc}}")
        node.put(program, f"/ct/{name}/rootfs{c['process']['args'][0]}")
        node.write(f"/ct/{name}/config.json", json.dumps(c))

    def counter(self, name, mb=4, rate=0, node=None, config=None):
        node = node or self.a
        self.bundle(name, mb, rate, node=node, config=config)
        node.run(f"coracle run --detach --bundle /ct/{name} {name} </dev/null >/dev/null 2>&1")
        c = Counter(self, name, node)
        end = time.monotonic() + 10
        while node.run(f"test -s /ct/{name}/rootfs/state", check=False).rc:
            assert time.monotonic() < end
        c.wait_count()
        return c

    def receive(self, node, *options, env=None):
        """A receiver for one connection; returns (process, address)."""
        self.sockets += 1
        path = f"/share/{self.sockets}"
        process = node.start(["coracle", "receive", "--listen", f"unix:{path}", "--once", *options], env=env)
        end = time.monotonic() + 10
        while not os.path.exists(f"{self.share}/{self.sockets}"):
            assert time.monotonic() < end and process.poll() is None, process.wait(1)
            time.sleep(0.005)
        return process, f"unix:{path}"

    def move(self, name, *options, back=False, check=True, receive=(), env=None, receive_env=None, timeout=60):
        """Returns migrate's result; .receiver is receive's."""
        source, target = (self.b, self.a) if back else (self.a, self.b)
        receiver, address = self.receive(target, *receive, env=receive_env)
        result = source.run(["coracle", "migrate", "--progress", "none", *options, name, address], check=False,
                            env=env, timeout=timeout)
        try:
            result.receiver = receiver.wait(20)
        finally:
            receiver.kill()
        if check:
            assert result.rc == 0, result.err + result.receiver.err
            assert result.receiver.rc == 0, result.receiver.err
        return result

    def ids(self, node):
        return {c["id"]: c["status"] for c in json.loads(node.run("coracle list --format json").out or "null") or []}

    def only_on(self, where, counter, seconds=10):
        """Exactly one copy, and it counts; of the other node's nothing is left but a bundle that a user made."""
        here, there = (self.a, self.b) if where == "a" else (self.b, self.a)
        assert self.ids(here).get(counter.name) == "running"
        assert counter.name not in self.ids(there)
        counter.node = here
        view = counter.wait_count(seconds=seconds)
        self.nothing_left(there, counter.name)
        return view

    def nothing_left(self, node, name):
        assert not node.run("pgrep -x counter", check=False).out
        assert node.run(f"ls -d {RECEIVED}/{name}", check=False).rc
        assert node.run("ls /run/coracle/.migrate /run/coracle/.receive", check=False).out.split() in (
            [], ["/run/coracle/.migrate:", "/run/coracle/.receive:"], ["/run/coracle/.migrate:"],
            ["/run/coracle/.receive:"])
        assert not node.run(f"ls -d /sys/fs/cgroup/coracle-{name}", check=False).out
        assert not node.run("pgrep -x criu; pgrep coracle", check=False).out

    def clean(self):
        for node in (self.a, self.b):
            for name in self.ids(node):
                node.run(["coracle", "delete", "--force", name], check=False)
            node.run(f"rm -rf /ct {RECEIVED} {JOURNAL}; pkill -9 coracle", check=False)


# --- a server and its client on the switch `web` ---

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
names, values = [line.split() for line in open("/proc/self/net/netstat") if line.startswith("TcpExt:")]
print("counted", n, "gap_ms", round(gap * 1000, 1), "older", dict(zip(names, values))["PAWSEstab"], flush=True)
"""


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
