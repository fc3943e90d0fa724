# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - nodes of the bed in which containers are wired, and what is looked at there."""
import json

import pytest


class Net:
    """A node with coracle: containers have the node's own tree as their root (its programs: nginx, curl, ping, …).

        net = nets("a"); net.switch("create", "web", "--gateway"); net.up("one", "--switch", "web")
        net.inside("one", "ping -c 1 two").out
    """

    CAPS = ("--cap-add", "NET_RAW")

    def __init__(self, node):
        self.node = node
        node.run("mkdir -p /r && mount --bind / /r && mkdir -p /root")

    def __call__(self, *args, **how):
        """A command line of coracle."""
        return self.node.run(["coracle", *map(str, args)], **how)

    def switch(self, *args, **how):
        return self("switch", *args, **how)

    def json(self, *args):
        return json.loads(self("switch", *args, "--format", "json").out)

    def run(self, name, *options, command="true", **how):
        """A container in the foreground, to its end."""
        return self("run", "--rootfs", "/r", *self.CAPS, *options, name, "--", "/bin/sh", "-c", command, **how)

    def up(self, name, *options, command="exec sleep 31557600", **how):
        """A container that stays."""
        return self("run", "--detach", "--keep", "--rootfs", "/r", *self.CAPS, *options, name, "--", "/bin/sh", "-c",
                    command + " </dev/null >/dev/null 2>&1", **how)

    def inside(self, name, command, **how):
        return self("exec", name, "/bin/sh", "-c", command, **how)

    def down(self, *names):
        for name in names:
            self("delete", "--force", name)

    # --- what is there ---

    def addresses(self, name, family=4):
        """Of a container, by the leases: {switch: address}."""
        return {x["switch"]: x["address"] for x in self.json("leases")
                if x["name"] == name and (":" in x["address"]) == (family == 6)}

    def address(self, name, family=4):
        return next(iter(self.addresses(name, family).values()))

    def links(self):
        """Links of the node that are not its own (lo, and the bed's cables)."""
        names = {line.split(":")[1].split("@")[0].strip() for line in self.node.run("ip -o link").out.splitlines()}
        return {n for n in names if n != "lo" and not n.startswith("eth")}

    def rules(self):
        """All elements of our sets and maps."""
        text = self.node.run("nft -j list ruleset").out
        found = []
        for entry in json.loads(text)["nftables"]:
            for kind in ("set", "map"):
                if kind in entry:
                    found += [(entry[kind]["name"], json.dumps(x)) for x in entry[kind].get("elem", [])]
        return sorted(found)

    def settled(self, look, wanted, seconds=10):
        """Poll until look() is what is wanted: for what the kernel does later (a namespace ends)."""
        import time
        end = time.monotonic() + seconds
        while look() != wanted:
            assert time.monotonic() < end, f"not within {seconds} s: {look()} is not {wanted}"
            time.sleep(0.02)

    def listening(self, name, port, seconds=20):
        """Wait until somebody listens on a TCP port of the container."""
        self.inside(name, f"for i in $(seq {seconds * 50}); do ss -Hltn 'sport = :{port}' | grep -q . && exit 0; "
                          "sleep 0.02; done; exit 1")


@pytest.fixture
def nets(nodes):
    """nets("a", "b"): nodes for containers with networks."""
    def start(*names):
        new = nodes(*names)
        return [Net(n) for n in new] if len(names) > 1 else Net(new)
    return start


@pytest.fixture
def net(nets):
    return nets("node")
