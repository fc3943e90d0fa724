# SPDX-License-Identifier: GPL-2.0-or-later
"""test_stay.py - the helper of a `run` in the foreground stays, and takes the wires away at the container's end: leases,
names and rules before `run` returns, the link soon after."""
import json

import pytest

pytestmark = pytest.mark.needs("root", "tree")


@pytest.fixture
def web(net):
    net.switch("create", "web", "--subnet", "10.5.0.0/24", "--gateway")
    net.empty = net.rules()
    return net


def nothing_is_left(net):
    assert net.json("leases") == [] and net.rules() == net.empty
    net.settled(net.links, {"sw-web"})


def begin(net):
    """A container in the foreground: (its command, its first process, its helper)."""
    one = net.node.start("exec coracle run --rootfs /r --switch web one -- /bin/sh -c 'echo up; exec sleep 31557600'")
    one.expect("up")
    helpers = net.node.run("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | "
                           "grep -q '^coracle-network attach ' && basename $p; done; true").out.split()
    assert len(helpers) == 1
    return one, json.loads(net("state", "one").out)["pid"], helpers[0]


def end(net):
    net("kill", "one", "KILL")


def test_the_same_name_again_at_once(web):
    said = web.node.run("for i in $(seq 12); do coracle run --rootfs /r --switch web one -- /bin/sh -c "
                        "'ip -br -4 addr show eth0' || echo failed; done").out.splitlines()
    assert len(said) == 12 and all("10.5.0." in x for x in said), said
    nothing_is_left(web)


def test_the_link_goes_though_somebody_keeps_the_namespace(web):
    one, pid, _ = begin(web)
    other = web.node.start(f"exec nsenter --net=/proc/{pid}/ns/net sh -c 'echo in; exec sleep 31557600'")
    other.expect("in")
    end(web)
    one.wait()
    nothing_is_left(web)
    other.kill()


def test_the_helper_was_killed_meanwhile(web):
    one, _, helper = begin(web)
    web.node.run(f"kill -KILL {helper}")
    end(web)
    one.wait()
    nothing_is_left(web)


def test_run_was_killed_and_the_helper_ends_without_undoing(web):
    one, _, helper = begin(web)
    one.kill()
    web.settled(lambda: web.node.run(f"test -e /proc/{helper}", check=False).rc, 1)
    assert web.addresses("one") != {}
    web.down("one")
    nothing_is_left(web)
