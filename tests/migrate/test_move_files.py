# SPDX-License-Identifier: GPL-2.0-or-later
"""Files and memory arrive as of one instant: a program that changes files all the time finds what it knows of them.  needs: tree"""
import time

import pytest

from lib.pair import Counter, build

pytestmark = pytest.mark.needs("tree")


def writer(pair, files, config=None):
    """A container that runs writer.c; it judges by itself (.errors), on whatever node it is."""
    pair.bundle("c", files, program=build("writer.c"), config=config)
    pair.a.run("coracle run --detach --bundle /ct/c c </dev/null >/dev/null 2>&1")
    c = Counter(pair, "c", pair.a)
    end = time.monotonic() + 10
    while pair.a.run("test -s /ct/c/rootfs/state", check=False).rc:
        assert time.monotonic() < end
    c.wait_count()
    return c


def arrived(pair, c, node, files):
    """It counts on there, and has looked at each of its files twice since."""
    c.root.clear()
    c.node = node
    assert pair.ids(node) == {"c": "running"}
    assert c.wait_count(more=2 * files + 50).errors == 0


def test_files_in_use_there_and_back(pair):
    c = writer(pair, 60)
    for turn in range(4):
        pair.move("c", "--force", back=bool(turn % 2))
        arrived(pair, c, pair.a if turn % 2 else pair.b, 60)


def test_files_in_use_on_a_volume(pair):
    pair.a.run("mkdir -p /srv/work")

    def volume(config):
        config["mounts"].append({"destination": "/work", "type": "bind", "source": "/srv/work", "options": ["bind"]})
    c = writer(pair, 60, volume)
    pair.move("c", "--force", "--volume", "/work=copy")
    arrived(pair, c, pair.b, 60)
    assert pair.b.run("ls /var/lib/coracle/containers/c/rootfs/work").out == ""
    assert "mapped" in pair.b.run("ls /var/lib/coracle/containers/c/volumes/0").out
    pair.a.run("rm -rf /srv/work")


def test_a_full_disk_there_is_told_and_it_runs_on_here(pair):
    c = writer(pair, 60)
    pair.b.run("mkdir -p /var/lib/coracle/containers && mount -t tmpfs -o size=3M tmpfs /var/lib/coracle/containers")
    try:
        result = pair.move("c", "--force", check=False)
        assert result.rc == 1 and "of files, the destination gives" in result.err
        pair.only_on("a", c)
    finally:
        pair.b.run("umount /var/lib/coracle/containers")
