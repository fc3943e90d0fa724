# SPDX-License-Identifier: GPL-2.0-or-later
"""test_copy.py - a tree that holds still arrives whole: every kind of object, every attribute."""
import os
import socket
import stat
import struct
import subprocess

import pytest

import treetool

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

CAP_NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)      # struct vfs_cap_data, effective
ACL_USER = struct.pack("<IHHIHHIHHIHHIHHI", 2, 1, 6, 0xffffffff, 2, 4, 1234, 4, 4, 0xffffffff, 0x10, 4, 0xffffffff,
                       0x20, 0, 0xffffffff)


def write(path, content=b"", mode=None):
    with open(path, "wb") as f:
        f.write(content)
    if mode is not None:
        os.chmod(path, mode)


def make_every_kind(top):
    os.makedirs(top + "/dir/sub/empty")
    write(top + "/plain", b"hello")
    write(top + "/nothing")
    write(top + "/dir/big", os.urandom(1_300_000))
    write(top + "/setuid", b"x")
    os.chown(top + "/setuid", 1000, 2000)
    os.chmod(top + "/setuid", 0o6755)
    write(top + "/capable", b"x")
    os.setxattr(top + "/capable", "security.capability", CAP_NET_RAW)
    write(top + "/listed", b"x")
    os.setxattr(top + "/listed", "system.posix_acl_access", ACL_USER)
    os.setxattr(top + "/dir", "system.posix_acl_default", ACL_USER)
    write(top + "/dir/in-default", b"x", 0o640)
    os.setxattr(top + "/listed", "trusted.mine", b"\0\1\2")
    os.setxattr(top + "/dir/sub", "trusted.overlay.opaque", b"y")
    os.setxattr(top + "/dir/sub", "trusted.overlay.origin", b"of this machine")
    os.link(top + "/plain", top + "/dir/other-name")
    os.link(top + "/plain", top + "/dir/sub/third-name")
    os.symlink("../nowhere", top + "/dir/link")
    os.symlink("x" * 4000, top + "/long-link")
    os.chown(top + "/dir/link", 5, 6, follow_symlinks=False)
    os.mknod(top + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(top + "/whiteout", 0o000 | stat.S_IFCHR, os.makedev(0, 0))
    os.mknod(top + "/disk", 0o660 | stat.S_IFBLK, os.makedev(259, 70000))
    os.mkfifo(top + "/fifo", 0o604)
    os.link(top + "/fifo", top + "/dir/fifo-too")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(top + "/socket")
    write(os.fsencode(top) + b"/\xff\xfe not utf-8 \n\x01", b"name")
    write(top + "/" + "n" * 255, b"long")
    os.makedirs(top + "/dir/" + "/".join("d" * 100 for _ in range(30)))
    with open(top + "/sparse", "wb") as f:
        f.truncate(50_000_000)
        f.seek(10_000_000)
        f.write(b"island")
        f.seek(49_999_999)
        f.write(b"!")
    write(top + "/all-hole")
    os.truncate(top + "/all-hole", 1 << 40)
    os.chmod(top + "/dir/sub/empty", 0o1777)
    os.chmod(top + "/dir", 0o2750)
    for i, (directory, dirs, files) in enumerate(os.walk(top, topdown=False)):
        for j, name in enumerate(files + dirs):
            stamp = 1_000_000_000_123_456_789 + i * 1_000_000_007 + j * 10_000_019
            os.utime(directory + "/" + name, ns=(stamp + 5, stamp), follow_symlinks=False)
    os.utime(top, ns=(7, 2_000_000_000_000_000_001))


def compare(source, destination):
    """As treetool.same, but reads no terabyte of holes."""
    holes = [os.lstat(top + "/all-hole") for top in (source, destination)]
    roots = [os.lstat(top) for top in (source, destination)]
    for st in holes:
        assert (st.st_size, st.st_blocks) == (1 << 40, 0)
        assert (st.st_mtime_ns, st.st_atime_ns) == (holes[0].st_mtime_ns, holes[0].st_atime_ns)
    for top, st in zip((source, destination), roots):
        os.unlink(top + "/all-hole")
        os.utime(top, ns=(st.st_atime_ns, st.st_mtime_ns))
    return treetool.same(source, destination)


def test_every_kind_of_object(disks, copy):
    source, destination = disks
    make_every_kind(source)
    before = os.lstat(source + "/plain").st_atime_ns
    with copy(source, destination) as c:
        c("measure")
        c("all")
        assert c("end")["ended"]
        c("keep")
    assert os.lstat(source + "/plain").st_atime_ns == before      # read without a trace
    assert "trusted.overlay.origin" not in os.listxattr(destination + "/dir/sub")
    os.removexattr(source + "/dir/sub", "trusted.overlay.origin")
    facts = compare(source, destination)
    assert facts[b"plain"]["names"] == [b"dir/other-name", b"dir/sub/third-name", b"plain"]
    assert os.stat(destination + "/sparse").st_blocks * 512 < 100_000


def test_what_is_mounted_below_stays_unless_told(disks, copy):
    source, destination = disks
    os.makedirs(source + "/mnt")
    write(source + "/mnt/under", b"under")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source + "/mnt"], check=True)
    write(source + "/mnt/over", b"over")
    try:
        with copy(source, destination) as c:
            c("all")
            c("end")
            c("keep")
        assert os.listdir(destination + "/mnt") == ["under"]
        os.makedirs(destination + "2")
        with copy(source, destination + "2", "--cross") as c:
            c("all")
            c("end")
            c("keep")
        assert os.listdir(destination + "2/mnt") == ["over"]
    finally:
        subprocess.run(["umount", source + "/mnt"], check=True)


def test_excluded_paths_stay(disks, copy):
    source, destination = disks
    os.makedirs(source + "/a/b")
    write(source + "/a/b/c")
    write(source + "/a/bc")
    write(source + "/d")
    with copy(source, destination, "--exclude", "/a/b", "--exclude", "d") as c:
        c("all")
        c("end")
        c("keep")
    assert sorted(os.listdir(destination)) == ["a"]
    assert os.listdir(destination + "/a") == ["bc"]


def test_nothing_is_left_unless_kept(disks, copy):
    source, destination = disks
    make_every_kind(source)
    with copy(source, destination) as c:
        c("all")
        c("end")
        assert os.listdir(destination)
    assert os.listdir(destination) == []
    assert os.path.isdir(destination)


def test_a_directory_with_something_in_it_is_refused(disks, copy):
    source, destination = disks
    write(destination + "/mine", b"precious")
    with copy(source, destination) as c, pytest.raises(treetool.Failed, match="is not empty"):
        c.reply()
    assert os.listdir(destination) == ["mine"]


def test_a_full_disk_is_told_before_anything_is_written(disks, copy):
    source, destination = disks
    write(source + "/big", bytes(range(256)) * 4096 * 8)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", destination], check=True)
    try:
        with copy(source, destination) as c:
            c("measure")
            with pytest.raises(treetool.Failed, match=r"8388608 bytes are needed .* the disk has 4194304"):
                c("all")
        assert os.listdir(destination) == []
        with copy(source, destination) as c:      # not measured: found when it is full, and named
            with pytest.raises(treetool.Failed, match=r"write big after \d+ bytes.*No space left"):
                c("all")
        assert os.listdir(destination) == []
    finally:
        subprocess.run(["umount", destination], check=True)


@pytest.mark.parametrize("option, words", [("--limit-bytes", "more than the 1000 bytes that are allowed"),
                                           ("--limit-entries", "more than the 1000 objects that are allowed")])
def test_limits_of_the_destination_hold(disks, copy, option, words):
    source, destination = disks
    for i in range(1100):
        write(f"{source}/{i}", b"1")
    with copy(source, destination, option, "1000") as c, pytest.raises(treetool.Failed, match=words):
        c("all")
    assert os.listdir(destination) == []


def test_a_file_that_cannot_be_opened_is_named_beforehand(disks, copy, tmp_path):
    """A FUSE or network file system may refuse even root; here a path that is too long stands for it."""
    source, destination = disks
    here = os.open(source, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=here)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with copy(source, destination) as c, pytest.raises(treetool.Failed, match="a path below it is longer than 4095"):
        c("measure")
    assert os.listdir(destination) == []
