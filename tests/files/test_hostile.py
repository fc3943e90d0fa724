# SPDX-License-Identifier: GPL-2.0-or-later
"""test_hostile.py - what a hostile source sends is refused, and leads nowhere (rows 4, 10, 53, 59, 64, 68 of SECURITY)."""
import json
import os
import stat
import struct
import subprocess

import pytest

import treetool

pytestmark = [pytest.mark.needs("root", "node")]

BEGIN, DIR, FILE, DATA, HOLE, CLOSE, SYMLINK, NODE, LINK, REMOVE, ATTR, END = range(1, 13)


def record(kind, *parts):
    payload = b"".join(parts)
    return struct.pack("<BI", kind, len(payload)) + payload


def path(name):
    name = os.fsencode(name)
    return struct.pack("<H", len(name)) + name


def meta(mode, uid=0, gid=0, device=(0, 0), nsec=0):
    return struct.pack("<5IqIqI", mode, uid, gid, *device, 0, nsec, 0, 0)


def attributes(*pairs, count=None):
    return struct.pack("<H", len(pairs) if count is None else count) + b"".join(
        struct.pack("<B", len(n)) + n + struct.pack("<I", len(v)) + v for n, v in pairs)


def begin(size=0, entries=0, magic=0x65727443, version=1):
    return record(BEGIN, struct.pack("<IHQQ", magic, version, size, entries))


def file(name, content=b"x", mode=0o644, how=0):
    return (record(FILE, path(name), meta(stat.S_IFREG | mode), struct.pack("<B", how), attributes())
            + (record(DATA, struct.pack("<Q", 0), content) if content else b"")
            + record(CLOSE, struct.pack("<Q", len(content))))


def directory(name, fresh=0):
    return record(DIR, path(name), struct.pack("<B", fresh))


def link(name, target):
    return record(SYMLINK, path(name), meta(stat.S_IFLNK | 0o777), attributes(), path(target))


@pytest.fixture
def receive(treecopy, disks):
    destination = disks[1]

    def run(*frames, raw=b""):
        stream = b"".join(struct.pack("<I", len(f)) + f for f in frames) + raw
        done = subprocess.run([treecopy, "receive", destination], input=stream, capture_output=True, timeout=30)
        assert done.returncode in (0, 1), done
        reply = json.loads(done.stdout)
        assert "error" in reply or reply["ended"]
        if "error" in reply:
            assert os.listdir(destination) == [], "what it made is gone"
        return reply.get("error", "")
    run.destination = destination
    return run


@pytest.fixture
def decoy(disks):
    """A directory beside the destination, in which nothing may change."""
    at = os.path.dirname(disks[1]) + "/decoy"
    os.makedirs(at)
    with open(at + "/file", "wb") as f:
        f.write(b"precious")
    before = treetool.listing(at, atime=False)
    yield at
    assert treetool.listing(at, atime=False) == before


def counts(entries=0, removed=0, data=0):
    return record(END, struct.pack("<3Q", entries, removed, data))


def test_what_is_right_is_taken(receive):
    assert receive(begin() + directory("d") + file("d/f", b"abc") + counts(2, 0, 3)) == ""
    assert open(receive.destination + "/d/f").read() == "abc"


NAMES = ["..", ".", "", "/", "/f", "a/../f", "a/..", "../f", "a//b", "a/", "a/./b", "f\0g", "a/\0", "n" * 256,
         "d/" * 2048 + "f"]


@pytest.mark.parametrize("kind", [FILE, DIR, SYMLINK, NODE, LINK, REMOVE, ATTR])
def test_names_that_lead_out_are_refused(receive, decoy, kind):
    rest = {FILE: meta(stat.S_IFREG) + b"\0" + attributes(), DIR: b"\0", REMOVE: b"",
            SYMLINK: meta(stat.S_IFLNK) + attributes() + path("x"), NODE: meta(stat.S_IFIFO) + attributes(),
            LINK: path("f"), ATTR: meta(stat.S_IFREG) + attributes()}[kind]
    for name in NAMES:
        if name or kind not in (DIR, ATTR):      # "" is the root itself
            assert "malformed" in receive(begin() + file("f") + record(kind, path(name), rest)), name
        if kind == LINK:
            assert "malformed" in receive(begin() + file("f") + record(LINK, path("g"), path(name))), name


@pytest.mark.parametrize("target", ["../decoy", "/", "."])
def test_links_on_the_way_are_never_followed(receive, decoy, target):
    """A link that the source made stands in the way of a path, and goes."""
    for through in (file("l/file", b"overwritten"), directory("l/new", 1), link("l/file", "x"),
                    record(NODE, path("l/file"), meta(stat.S_IFIFO), attributes()),
                    record(ATTR, path("l/file"), meta(stat.S_IFREG | 0o777, 5), attributes()),
                    record(ATTR, path("l"), meta(stat.S_IFDIR | 0o777, 5), attributes()),
                    record(REMOVE, path("l/file")), record(REMOVE, path("l"))):
        receive(begin() + link("l", target) + through)      # cut short: an error, and cleaned up
    assert receive(begin() + link("l", target) + file("l/file", b"mine") + counts(2, 0, 4)) == ""
    assert not os.path.islink(receive.destination + "/l")


def test_a_hard_link_to_what_a_link_names_is_refused(receive, decoy):
    error = receive(begin() + link("l", "../decoy") + record(LINK, path("h"), path("l/file")))
    assert "find l/file" in error


def test_writing_into_what_is_no_file_is_refused(receive, decoy):
    """A fifo or a link in the place of the file is replaced, never opened."""
    for there in (record(NODE, path("f"), meta(stat.S_IFIFO | 0o666), attributes()), link("f", "../decoy/file"),
                  record(NODE, path("f"), meta(stat.S_IFCHR | 0o666, device=(1, 3)), attributes())):
        for how in (1, 2):
            subprocess.run(["find", receive.destination, "-mindepth", "1", "-delete"], check=True)
            assert receive(begin() + there + file("f", b"mine", how=how) + counts(2, 0, 4)) == ""
            assert stat.S_ISREG(os.lstat(receive.destination + "/f").st_mode)


@pytest.mark.parametrize("frames, words", [
    ([file("f")], "out of order"),
    ([begin() + begin()], "out of order"),
    ([begin(magic=1)], "begin"),
    ([begin(version=2)], "version 2"),
    ([begin(size=1 << 60)], "bytes are needed"),
    ([begin(entries=1 << 60)], "inodes are needed"),
    ([begin() + record(DATA, struct.pack("<Q", 0), b"x")], "out of order"),
    ([begin() + record(CLOSE, struct.pack("<Q", 0))], "out of order"),
    ([begin() + file("f")[:-13] + directory("d")], "out of order"),
    ([begin() + file("f")[:-13] + file("g")], "out of order"),
    ([begin() + file("f")[:-13] + record(DATA, struct.pack("<Q", (1 << 63) - 1), b"xy")], "data"),
    ([begin() + file("f")[:-13] + record(DATA, struct.pack("<Q", 1 << 63), b"xy")], "data"),
    ([begin() + file("f")[:-13] + record(CLOSE, struct.pack("<Q", 1 << 63))], "close"),
    ([begin() + file("f")[:-13] + record(CLOSE, struct.pack("<Q", (1 << 63) - 1))], ""),      # costs nothing
    ([begin() + file("f")[:-13] + record(HOLE, struct.pack("<QQ", 1 << 62, 1 << 62))], "hole"),
    ([begin() + record(DIR, path("d"), b"\2")], "directory"),
    ([begin() + record(DIR, path("d"), b"\0\0")], "directory"),
    ([begin() + record(13, b"")], "record"),
    ([begin() + record(0, b"")], "record"),
    ([begin() + b"\2\xff\xff\xff\xff"], "record"),
    ([begin() + b"\2\5"], "record"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFDIR), b"\0", attributes())], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG | 1 << 20), b"\0", attributes())], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG, uid=0xffffffff), b"\0", attributes())], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG, nsec=0x3fffffff), b"\0", attributes())], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG), b"\3", attributes())], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG), b"\0", attributes(count=1))], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG), b"\0", attributes((b"security.selinux", b"x")))], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG), b"\0", attributes((b"trusted.overlay.origin", b"x")))],
     "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG), b"\0", attributes((b"user.", b"x")))], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG), b"\0", attributes((b"user.a\0b", b"x")))], "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG), b"\0", attributes((b"user.a", b"x"), (b"user.a", b"y")))],
     "file"),
    ([begin() + record(FILE, path("f"), meta(stat.S_IFREG), b"\0", attributes((b"user.a", b"x" * 70000)))], "file"),
    ([begin() + record(NODE, path("f"), meta(stat.S_IFREG), attributes())], "node"),
    ([begin() + record(NODE, path("f"), meta(stat.S_IFIFO, device=(1, 1)), attributes())], "node"),
    ([begin() + record(NODE, path("f"), meta(stat.S_IFCHR, device=(1 << 12, 1)), attributes())], "node"),
    ([begin() + link("f", "")], "link"),
    ([begin() + link("f", "a\0b")], "link"),
    ([begin() + link("f", "t" * 4096)], "link"),
    ([begin() + record(LINK, path("f"), path("f"))], "hard link"),
    ([begin() + directory("d") + record(LINK, path("f"), path("d"))], "hard link to a directory"),
    ([begin() + file("d/f") + record(LINK, path("d"), path("d/f"))], "hard link"),
    ([begin() + record(LINK, path("f"), path("nothing"))], "find nothing"),
    ([begin() + record(ATTR, path(""), meta(stat.S_IFREG), attributes())], "attributes"),
    ([begin() + counts(1)], "the source sent 1 objects"),
    ([begin() + counts(), directory("d")], ""),
    ([begin() + counts() + directory("d")], "more after the end"),
    ([b""], "a frame of 0 bytes"),
], ids=range(48))
def test_malformed_frames_are_refused(receive, decoy, frames, words):
    assert words in receive(*frames)


def test_lengths_of_frames_are_bounded(receive, decoy):
    assert "a frame of 4294967295 bytes" in receive(raw=b"\xff" * 4 + b"x" * 100000)
    assert "a frame of 262145 bytes" in receive(raw=struct.pack("<I", 262145))
    assert "ended before" in receive(begin(), raw=struct.pack("<I", 100) + b"x")
    assert "ended before" in receive(begin())


def test_a_thousand_directories_deep_are_removed_again(receive, decoy):
    assert "ended before" in receive(begin() + directory("/".join("d" for _ in range(2000))) + file("x" * 255))
