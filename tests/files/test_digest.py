# SPDX-License-Identifier: GPL-2.0-or-later
"""test_digest.py - equal trees have one digest, different ones have not, and the cache is believed where it may be."""
import hashlib
import json
import os
import stat
import struct
import subprocess

import pytest

import treetool
from test_copy import make_every_kind

pytestmark = [pytest.mark.needs("root", "node")]


@pytest.fixture
def digest(treecopy):
    def run(*words):
        return json.loads(subprocess.run([treecopy, "digest", *words], capture_output=True, text=True).stdout)
    return run


def test_a_copy_has_the_digest_of_its_source(disks, copy, digest):
    source, destination = disks
    make_every_kind(source)
    os.truncate(source + "/all-hole", 1 << 34)      # a terabyte of holes is a million digests of zeros
    with copy(source, destination) as c:
        c("all")
        c("end")
        c("keep")
    assert digest(source)["digest"] == digest(destination)["digest"]


@pytest.mark.parametrize("change", [
    lambda s: open(s + "/dir/f", "ab").write(b"\0"),
    lambda s: open(s + "/dir/f", "r+b").write(b"G"),
    lambda s: os.chmod(s + "/dir/f", 0o600),
    lambda s: os.chown(s + "/dir", 1, 0),
    lambda s: os.setxattr(s + "/dir/f", "user.a", b""),
    lambda s: os.rename(s + "/dir/f", s + "/dir/g"),
    lambda s: os.rename(s + "/dir/f", s + "/f"),
    lambda s: os.mkdir(s + "/dir/empty"),
    lambda s: (os.unlink(s + "/link"), os.symlink("dir2", s + "/link")),
    lambda s: (os.unlink(s + "/node"), os.mknod(s + "/node", 0o20600, os.makedev(1, 5))),
], ids=range(10))
def test_each_change_changes_it(disks, digest, change):
    top = disks[0]
    os.mkdir(top + "/dir")
    with open(top + "/dir/f", "wb") as f:
        f.write(b"g" * 3_000_000)
    os.symlink("dir", top + "/link")
    os.mknod(top + "/node", 0o20600, os.makedev(1, 3))
    before = digest(top)["digest"]
    os.utime(top + "/dir/f", (1, 2))
    assert digest(top)["digest"] == before      # times do not count
    change(top)
    assert digest(top)["digest"] != before


def test_it_is_what_the_header_says(disks, digest):
    """Computed again from the description in treedigest.h."""
    top = disks[0]
    os.chmod(top, 0o755)
    content = os.urandom(1_500_000)
    with open(top + "/b", "wb") as f:
        f.write(content)
    os.chmod(top + "/b", 0o644)
    os.symlink("b", top + "/a")
    os.setxattr(top + "/b", "user.x", b"yz")

    def h(*parts):
        return hashlib.blake2b(b"".join(parts), digest_size=32).digest()

    def object_(mode, attributes, *rest):
        return h(b"coracle-object-1", struct.pack("<5I", mode, 0, 0, 0, 0), attributes, *rest)
    none = struct.pack("<H", 0)
    attributes = struct.pack("<HB", 1, 6) + b"user.x" + struct.pack("<I", 2) + b"yz"
    blocks = [h(content[:1 << 20]), h(content[1 << 20:])]
    b = object_(stat.S_IFREG | 0o644, attributes, h(b"coracle-content-1", struct.pack("<Q", len(content)), *blocks))
    a = object_(stat.S_IFLNK | 0o777, none, struct.pack("<H", 1), b"b")
    root = object_(stat.S_IFDIR | 0o755, none, struct.pack("<Q", 2), struct.pack("<H", 1), b"a", a,
                   struct.pack("<H", 1), b"b", b)
    assert digest(top)["digest"] == root.hex()


def test_the_cache(disks, digest, tmp_path):
    top, cache = disks[0], str(tmp_path / "cache")
    os.mkdir(cache)
    with open(top + "/f", "wb") as f:
        f.write(os.urandom(100))
    late = digest(top, cache)["digest"]
    file = f"{cache}/{os.listdir(cache)[0]}"
    assert os.stat(file).st_size == 18 + 32      # too young to be believed: not kept
    wait_until_older(top + "/f", 1.2)
    assert digest(top, cache)["digest"] == late
    row = os.stat(file).st_size - 18 - 32
    assert row == 72
    # It is used: a digest that is made wrong there, and sealed again, comes back wrong ...
    with open(file, "r+b") as f:
        text = bytearray(f.read()[:-32])
        text[-1] ^= 1
        f.seek(0)
        f.write(text + hashlib.blake2b(text, digest_size=32).digest())
    assert digest(top, cache)["digest"] != late
    # ... but not one that is only damaged, or open to others.
    with open(file, "r+b") as f:
        f.seek(60)
        f.write(b"damage")
    assert digest(top, cache)["digest"] == late
    os.chmod(file, 0o666)
    assert digest(top, cache)["digest"] == late
    os.unlink(file)
    os.symlink("/etc/passwd", file)
    assert digest(top, cache)["digest"] == late
    assert not os.path.islink(file)
    with open(top + "/f", "ab") as f:
        f.write(b"x")
    assert digest(top, cache)["digest"] != late


def wait_until_older(path, seconds):
    """Give a file an older change time: times of change follow the clock, so a new file in the past cannot be had."""
    import time
    until = os.stat(path).st_ctime + seconds
    while time.time() < until:
        time.sleep(until - time.time())


def test_layers_of_an_overlay(disks, treecopy):
    top = os.path.dirname(disks[0])
    for name in ("l1", "l 2", "l:3", "u,\\x", "w", "m"):
        os.makedirs(f"{top}/{name}")

    def layers(path):
        return json.loads(subprocess.run([treecopy, "layers", path], capture_output=True, text=True).stdout)
    assert layers(top)["overlay"] == 0
    options = f"lowerdir={top}/l1:{top}/l 2:{top}/l\\:3,upperdir={top}/u\\,\\\\x,workdir={top}/w"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", top + "/m"], check=True)
    try:
        got = layers(top + "/m")
        assert (got["upper"], got["work"]) == (f"{top}/u,\\x", f"{top}/w")
        assert [got[f"lower{i}"] for i in range(3)] == [f"{top}/l1", f"{top}/l 2", f"{top}/l:3"]
        assert "lower3" not in got
    finally:
        subprocess.run(["umount", top + "/m"], check=True)
    subprocess.run(["mount", "-t", "overlay", "-o", "lowerdir=l1:l 2", "overlay", "m"], cwd=top, check=True)
    try:
        assert "relative path" in layers(top + "/m")["error"]
    finally:
        subprocess.run(["umount", top + "/m"], check=True)
