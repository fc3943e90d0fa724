# SPDX-License-Identifier: GPL-2.0-or-later
"""test_changes.py - a tree that is used while it is copied is the same at the end, by events and by walking."""
import ctypes
import mmap
import os
import random
import subprocess
import sys
import threading

import pytest

import treetool

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

BOTH = pytest.mark.parametrize("how", [(), ("--cross",)], ids=["events", "walking"])


def write(path, content=b""):
    with open(path, "wb") as f:
        f.write(content)


def copied(copy, source, destination, *options, rounds=(), last=lambda: None):
    """The whole dance: initial copy, then after each of `rounds` a look, then `last` and the last look."""
    with copy(source, destination, *options) as c:
        assert c("track")["events"] == ("--cross" not in options)
        c("all")
        for change in rounds:
            change()
            c("changes")
        last()
        result = c("changes")
        assert c("end")["ended"]
        c("keep")
    return result


def same(source, destination):
    return treetool.same(source, destination, atime=False)


@BOTH
@pytest.mark.parametrize("change", [
    lambda s: write(s + "/new", b"new"),
    lambda s: os.unlink(s + "/a/f"),
    lambda s: os.rename(s + "/a/f", s + "/b/g"),
    lambda s: os.rename(s + "/a/f", s + "/h"),                       # over another
    lambda s: os.rename(s + "/a", s + "/b/a"),
    lambda s: os.makedirs(s + "/x/y/z"),
    lambda s: (os.makedirs(s + "/x/y"), write(s + "/x/y/f", b"1"), os.rename(s + "/x", s + "/a/x")),
    lambda s: (os.unlink(s + "/h"), os.mkdir(s + "/h"), write(s + "/h/f", b"in")),    # a file becomes a directory
    lambda s: subprocess.run(f"rm -r {s}/a; echo file > {s}/a", shell=True, check=True),     # and the reverse
    lambda s: (os.unlink(s + "/h"), os.symlink("a", s + "/h")),
    lambda s: (os.rename(s + "/a", s + "/t"), os.rename(s + "/b", s + "/a"), os.rename(s + "/t", s + "/b")),
    lambda s: os.chmod(s + "/a/f", 0o4711),
    lambda s: os.chown(s + "/a", 3, 4),
    lambda s: os.setxattr(s + "/a/f", "user.x", b"y"),
    lambda s: os.removexattr(s + "/h", "user.gone"),
    lambda s: os.utime(s + "/h", ns=(5, 6)),
    lambda s: os.truncate(s + "/h", 3),
    lambda s: os.truncate(s + "/h", 1 << 20),
    lambda s: os.link(s + "/h", s + "/a/h"),                        # of a file that was alone
    lambda s: (os.link(s + "/l1", s + "/l3"), os.unlink(s + "/l1")),
    lambda s: (write(s + "/t", b"other"), os.rename(s + "/t", s + "/l1")),      # leaves its links
    lambda s: (open(s + "/l1", "ab").write(b"more"), os.unlink(s + "/l1")),     # told by a name that is gone
    lambda s: (os.link(s + "/h", s + "/t"), write(s + "/t", b"by the other"), os.unlink(s + "/t")),
    lambda s: (os.unlink(s + "/l1"), os.unlink(s + "/l2"), write(s + "/l1", b""), write(s + "/l2", b"again")),
    lambda s: os.chmod(s + "/dev", 0o600),
    lambda s: os.chmod(s, 0o700),
], ids=range(26))
def test_each_change_arrives(disks, copy, how, change):
    source, destination = disks
    for d in ("a/deep/er", "b"):
        os.makedirs(f"{source}/{d}")
    write(source + "/a/f", b"f")
    write(source + "/a/deep/er/x", b"x")
    write(source + "/h", b"hhhhhhh")
    os.setxattr(source + "/h", "user.gone", b"1")
    write(source + "/l1", b"linked")
    os.link(source + "/l1", source + "/l2")
    os.mknod(source + "/dev", 0o20644, os.makedev(1, 3))
    copied(copy, source, destination, *how, last=lambda: change(source))
    same(source, destination)


WRITERS = """
import mmap, os, random, sys, threading
top, seed = sys.argv[1], int(sys.argv[2])
os.chdir(top)
stop = threading.Event()

def append(r):
    with open("log", "ab", buffering=0) as f:
        while not stop.is_set():
            f.write(r.randbytes(r.randrange(1, 5000)))
            if os.fstat(f.fileno()).st_size > 3_000_000:
                f.truncate(r.randrange(1_000_000))

def patch(r):
    with open("table", "r+b", buffering=0) as f:
        while not stop.is_set():
            f.seek(r.randrange(2_000_000))
            f.write(r.randbytes(100))

def mapped(r):
    with open("mapped", "r+b") as f:
        m = mmap.mmap(f.fileno(), 0)
        while not stop.is_set():
            at = r.randrange(len(m) - 8)
            m[at:at + 8] = r.randbytes(8)

def renames(r):
    names = [f"{d}/{i}" for d in ("p", "q", "q/r") for i in range(12)]
    while not stop.is_set():
        a, b = r.choice(names), r.choice(names)
        try:
            what = r.randrange(6)
            if what == 0:
                os.rename(a, b)
            elif what == 1:
                with open(a, "wb") as f:
                    f.write(r.randbytes(r.randrange(300_000)))
            elif what == 2:
                os.unlink(a)
            elif what == 3:
                os.link(a, b)
            elif what == 4:
                os.mkdir(a)
                open(a + "/in", "wb").write(b"in")
            else:
                os.chmod(a, r.randrange(0o1000))
        except OSError:
            try:
                if what == 2:
                    os.unlink(a + "/in")
                    os.rmdir(a)
            except OSError:
                pass

def dirs(r):
    while not stop.is_set():
        try:
            a, b = r.choice("pq"), r.choice(["moved", "q/r/moved", "p2"])
            os.rename(a, b)
            os.rename(b, a)
        except OSError:
            pass

work = [append, patch, mapped, renames, renames, dirs]
threads = [threading.Thread(target=w, args=(random.Random(seed + i),)) for i, w in enumerate(work)]
for t in threads: t.start()
print("going", flush=True)
sys.stdin.readline()
stop.set()
for t in threads: t.join()
print("stopped", flush=True)      # all is as it will be; the mapping and the files stay open
sys.stdin.readline()
"""


class Writers:
    def __init__(self, top, seed):
        os.makedirs(top + "/q/r")
        os.makedirs(top + "/p")
        write(top + "/table", os.urandom(2_000_100))
        write(top + "/mapped", os.urandom(1_000_000))
        self.process = subprocess.Popen([sys.executable, "-c", WRITERS, top, str(seed)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "going\n"

    def say(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def stop(self):
        self.say()
        assert self.process.stdout.readline() == "stopped\n"

    def end(self):
        self.say()
        assert self.process.wait() == 0


@BOTH
@pytest.mark.parametrize("seed", range(int(os.environ.get("CORACLE_TEST_SEEDS", "2"))))
def test_a_tree_in_heavy_use(disks, copy, how, seed):
    source, destination = disks
    w = Writers(source, seed)
    try:
        with copy(source, destination, *how) as c:
            c("track")
            c("all")
            for _ in range(4):
                c("procs", source, w.process.pid)
                c("changes")
            w.stop()
            c("procs", source, w.process.pid)
            c("changes")
            c("end")
            c("keep")
        same(source, destination)
    finally:
        w.process.kill()
        w.process.wait()


def test_writes_through_a_mapping_are_found(disks, copy):
    """No event tells of them, and tmpfs does not even change the times."""
    source, destination = disks
    write(source + "/mapped", bytes(1_000_000))
    os.link(source + "/mapped", source + "/its-other-name")
    with open(source + "/mapped", "r+b") as f, mmap.mmap(f.fileno(), 0) as m, copy(source, destination) as c:
        f.close()
        c("track")
        c("all")
        m[500_000] = 1
        c("procs", source, os.getpid())
        assert c("changes")["sent"]
        m[500_001] = 2
        c("procs", source, os.getpid())
        before = c("drain")["data"]
        assert 0 < c("changes")["data"] - before <= 16384      # by block
        m[500_002] = 3
        c("procs", source, os.getpid())
        c("changes")
        c("end")
        c("keep")
        assert os.stat(destination + "/mapped").st_nlink == 2
        same(source, destination)


def test_a_mapping_that_is_gone_was_reported(disks, copy):
    source, destination = disks
    write(source + "/mapped", bytes(100_000))

    def scribble():
        with open(source + "/mapped", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
            m[5] = 5
    copied(copy, source, destination, last=scribble)
    same(source, destination)


def test_what_was_not_there_is_not_sent_again(disks, copy):
    source, destination = disks
    for i in range(2000):
        write(f"{source}/{i}", b"%d" % i)
    with copy(source, destination) as c:
        c("track")
        whole = c("all")["sent"]
        assert c("changes")["sent"] == whole
        write(source + "/7", b"seven")
        os.unlink(source + "/8")
        assert c("pending")["entries"] == 3      # and the directory
        result = c("changes")
        assert result["sent"] - whole == 2 and result["removed"] == 1
        c("end")
        c("keep")
    same(source, destination)


def test_changes_elsewhere_on_the_file_system_are_none(disks, copy):
    source, destination = disks
    elsewhere = os.path.dirname(source) + "/elsewhere"
    os.makedirs(elsewhere + "/dir/below")
    os.makedirs(source + "/dir")
    with copy(source, destination) as c:
        c("track")
        c("all")
        for i in range(100):
            write(f"{elsewhere}/{i}", b"x")
            os.link(f"{elsewhere}/{i}", f"{elsewhere}/dir/{i}")
        assert c("pending")["entries"] == 0
        write(elsewhere + "/dir/below/f", b"f")
        os.rename(elsewhere + "/dir/below", source + "/came-in")
        write(source + "/came-in/g", b"g")
        os.rename(source + "/dir", elsewhere + "/went-out")
        write(elsewhere + "/went-out/h", b"h")
        c("changes")
        c("end")
        c("keep")
    assert sorted(os.listdir(destination)) == ["came-in"]
    same(source, destination)


def test_a_hot_file_goes_by_its_blocks(disks, copy):
    source, destination = disks
    write(source + "/table", os.urandom(4_000_000))

    def touch():
        with open(source + "/table", "r+b") as f:
            f.seek(1_000_000)
            f.write(os.urandom(10))
    with copy(source, destination) as c:
        c("track")
        c("all")
        touch()
        first = c("changes")["data"]
        assert first == 8_000_000      # once more, whole
        touch()
        assert c("changes")["data"] - first == 16384
        os.truncate(source + "/table", 2_000_000)
        c("changes")
        os.truncate(source + "/table", 4_000_000)      # what was cut off is not what was there
        c("changes")
        with open(source + "/table", "r+b") as f:
            f.seek(500_000)
            f.write(bytes(700_000))
        c("changes")
        c("end")
        c("keep")
    treetool.same(source, destination, atime=False, holes=False)
