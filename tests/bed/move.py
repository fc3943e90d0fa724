# SPDX-License-Identifier: GPL-2.0-or-later
"""move.py CORACLE CRIU TREE - a running redis moves between two nodes and back, under the eyes of a client.

What quickstart ends with.  The nodes are private sets of namespaces of this machine, over its own root (bed/native.py):
each has its own network, processes, control groups, and a state of coracle's of its own; what they write is gone with
them.  They are joined by one link; a switch that spans both is a VXLAN over it, and the migration goes over TLS with a
certificate for each node.  TREE is a root tree with redis.  Prints what it does; the exit status tells whether the
client's count had a break.
"""
import os
import re
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    __package__ = "bed"

from .native import HostNode
from .node import BedError, CommandError, join

ADDRESS = "10.88.0.10"
PORT = 7100
CERTIFICATES = """
set -e; umask 077; mkdir -p /etc/coracle/tls; cd /etc/coracle/tls; cp /handed/ca.pem .
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out csr -subj "/CN=$1" 2>/dev/null
printf 'subjectAltName=IP:%s\\n' "$1" >ext
openssl x509 -req -in csr -CA /handed/ca.pem -CAkey /handed/ca.key -CAcreateserial -days 1 -extfile ext -out cert.pem 2>/dev/null
"""
AUTHORITY = """
umask 077; mkdir -p /handed; cd /handed
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 1 -subj /CN=quickstart 2>/dev/null
"""

# Counts in redis over one connection, each number once, and notes the longest wait for an answer.
CLIENT = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], 6379)); f = s.makefile("rb")
count, longest, last, ready = 0, 0, time.monotonic(), False
sys.stdout.write("counting\\n"); sys.stdout.flush()
while time.monotonic() - last < 30:
    s.sendall(b"*2\\r\\n$4\\r\\nINCR\\r\\n$5\\r\\ncount\\r\\n")
    answer = f.readline()
    now = time.monotonic()
    count += 1
    if answer != b":%d\\r\\n" % count:
        sys.exit("a break: answer %r to number %d" % (answer, count))
    longest, last = max(longest, now - last), now
    if count % 256 == 0:
        try:
            open("/run/client-stop").close()
            break
        except FileNotFoundError:
            pass
print("%d answers, each number once, over one connection; the longest wait was %.0f ms" % (count, longest * 1000))
"""


def show(node, line, shown=None):
    """One of coracle's command lines in a node, with its output."""
    print(f"   {node.name}# {shown or line}", flush=True)
    result = node.run(line, timeout=120, check=False)
    for text in (result.out + result.err).splitlines():
        print("   " + text, flush=True)
    if result.rc:
        raise CommandError(line, result)
    return result.out + result.err


def prepare(a, b, link):
    a.run(AUTHORITY)
    for name in ("ca.pem", "ca.key"):
        b.write(f"/handed/{name}", a.read(f"/handed/{name}"), 0o600)
    for node, own, other in ((a, *link.addresses), (b, *link.addresses[::-1])):
        node.run(["bash", "-c", CERTIFICATES, "certificates", own])
        show(node, f"coracle switch create net --subnet 10.88.0.0/16 --gateway --vxlan 88 --local {own} --remote {other}")


def move(source, target, address):
    """Returns the downtime that the source states, in ms."""
    receiver = target.start(f"coracle receive --listen tls://{address}:{PORT} --once")
    target.run(f"for i in $(seq 200); do ss -Hltn 'sport = :{PORT}' | grep -q . && exit; sleep 0.05; done; exit 1")
    # a machine that tracks no memory says what to expect, and goes on
    told = show(source, f"coracle migrate --force redis tls://{address}:{PORT}")
    receiver.wait(30)
    return float(re.search(r"stood still for ([0-9.]+) ms", told).group(1))


def demonstrate(coracle, criu, tree):
    binds = {coracle: "/usr/local/sbin/coracle", os.path.join(os.path.dirname(coracle), "coracle-node"): "/usr/local/sbin/coracle-node"}
    with HostNode("one", binds) as a, HostNode("two", binds) as b:
        for node in (a, b):
            node.run("mkdir -p /etc/coracle")
        os.environ.pop("CORACLE_CRIU", None)
        link = join(a, b)
        prepare(a, b, link)
        a.run(f"cp -a {tree} /srv/redis")
        show(a, f"coracle run --rootfs /srv/redis --mount type=tmpfs,dst=/data,tmpfs-mode=777 --switch net:ip={ADDRESS} "
                "--detach redis -- redis-server --dir /data --save '' --protected-mode no </dev/null >/dev/null 2>&1",
             f"coracle run --rootfs /srv/redis --switch net:ip={ADDRESS} --detach redis -- redis-server …")
        a.run(f"for i in $(seq 200); do coracle exec redis redis-cli ping 2>/dev/null | grep -q PONG && exit; sleep 0.05; done; exit 1")
        client = b.start(["python3", "-c", CLIENT, ADDRESS])
        client.expect("counting")
        there = move(a, b, link.addresses[1])
        show(b, "coracle list")
        back = move(b, a, link.addresses[0])
        show(a, "coracle list")
        b.run("touch /run/client-stop")
        result = client.wait(60)
        told = result.out.splitlines()[-1] if result.rc == 0 else result.err.strip()
        print(f"   the client on node two: {told}")
        print(f"   redis stood still for {there:.0f} ms on the way there and {back:.0f} ms on the way back")
        return result.rc


def main(coracle, criu, tree):
    for word in ("CORACLE_CRIU",):
        os.environ.pop(word, None)
    from . import node as words
    words.ENV["CORACLE_CRIU"] = criu
    return demonstrate(os.path.realpath(coracle), criu, os.path.realpath(tree))


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (BedError, CommandError) as e:
        sys.exit(f"move.py: {e}")
