# SPDX-License-Identifier: GPL-2.0-or-later
"""test_overlay.py - of an overlay only the writable layer goes, while it is in use; over an equal base it looks the same."""
import mmap
import os
import subprocess

import pytest

import treetool

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


@pytest.fixture
def overlays(disks):
    """make(side) mounts an overlay with layers of its own on each of two disks."""
    tops, mounts = [os.path.dirname(d) for d in disks], []
    for top in tops:
        for name in ("lower/dir/sub", "lower/gone-dir", "lower/opaque", "upper", "work", "merged"):
            os.makedirs(f"{top}/{name}")
        write(top + "/lower/dir/f", b"lower")
        write(top + "/lower/dir/big", b"L" * 500_000)
        write(top + "/lower/gone", b"x")
        write(top + "/lower/gone-dir/x", b"x")
        write(top + "/lower/opaque/x", b"x")
        for directory, dirs, files in os.walk(top + "/lower"):
            for name in [".", *dirs, *files]:
                os.utime(f"{directory}/{name}", (10**9, 10**9))

    def make(side):
        top = tops[side]
        subprocess.run(["mount", "-t", "overlay", "-o",
                        f"lowerdir={top}/lower,upperdir={top}/upper,workdir={top}/work", "overlay", top + "/merged"],
                       check=True)
        mounts.append(top + "/merged")
        return top
    yield make, tops
    for at in reversed(mounts):
        subprocess.run(["umount", "-l", at], check=True)


def change(m):
    """Everything that an overlay does its own way."""
    with open(m + "/dir/f", "ab") as f:         # copied up
        f.write(b" and more")
    os.unlink(m + "/gone")                       # a whiteout
    subprocess.run(["rm", "-r", m + "/gone-dir", m + "/opaque"], check=True)
    os.mkdir(m + "/opaque")                      # an opaque directory
    write(m + "/opaque/new", b"new")
    os.makedirs(m + "/made/here")
    write(m + "/made/here/f", b"1")
    os.rename(m + "/made", m + "/moved")
    os.chmod(m + "/dir/sub", 0o700)


@pytest.mark.parametrize("when", ["while", "last"])
def test_a_mounted_overlay_as_it_is_seen(overlays, copy, disks, when):
    """All of it goes, but changes are found by events of the upper layer; copying up a directory sends no more than it must."""
    make, tops = overlays
    m = make(0) + "/merged"
    big = os.stat(m + "/dir/big").st_size
    with copy(m, disks[1]) as c:
        assert c("track")["events"]
        c("all")
        if when == "while":
            change(m)
            c("changes")
        before = c("drain")["data"]
        if when == "last":
            change(m)
        write(m + "/dir/sub/new", b"in a lower directory")
        after = c("changes")["data"]
        assert 0 < after - before < big
        c("end")
        c("keep")
    treetool.same(m, disks[1], atime=False)


def finish(make, copy_, destination_top):
    copy_("changes")
    copy_("end")
    copy_("keep")
    make(1)
    return destination_top + "/merged"


@pytest.mark.parametrize("when", ["before", "while", "last"])
def test_the_writable_layer_is_enough(overlays, copy, when):
    make, tops = overlays
    top = make(0)
    if when == "before":
        change(top + "/merged")
    with copy(top + "/upper", tops[1] + "/upper") as c:
        c("track")
        c("all")
        if when == "while":
            change(top + "/merged")
        c("changes")
        if when == "last":
            change(top + "/merged")
        merged = finish(make, c, tops[1])
        treetool.same(top + "/merged", merged, atime=False)
    assert os.path.lexists(tops[1] + "/upper/gone")


def test_every_way_to_write_into_an_overlay_is_seen(overlays, copy):
    """Through handles and mappings opened before the copy began, by each system call that changes a content."""
    make, tops = overlays
    top = make(0)
    m = top + "/merged"
    for i in range(7):
        write(f"{m}/file{i}", b"." * 300_000)
    files = [os.open(f"{m}/file{i}", os.O_RDWR) for i in range(7)]
    big = open(m + "/dir/big", "r+b")            # copied up by being opened
    mapping = mmap.mmap(big.fileno(), 0)
    read, wr = os.pipe()
    with copy(top + "/upper", tops[1] + "/upper") as c:
        c("track")
        c("all")
        os.pwrite(files[0], b"pwrite", 100)
        os.pwritev(files[1], [b"pwritev"], 200)
        os.ftruncate(files[2], 1000)
        os.copy_file_range(files[0], files[3], 50, 90, 7)
        os.write(wr, b"spliced")
        os.splice(read, files[4], 7, offset_dst=3)
        os.posix_fallocate(files[5], 0, 400_000)
        os.sendfile(files[6], files[0], 90, 20)
        mapping[1000:1006] = b"mapped"
        c("procs", m, os.getpid())
        merged = finish(make, c, tops[1])
        treetool.same(m, merged, atime=False, holes=False)
    mapping.close()
    big.close()
    for fd in files:
        os.close(fd)
