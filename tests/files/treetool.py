# SPDX-License-Identifier: GPL-2.0-or-later
"""treetool.py - drives tests/files/treecopy, and lists trees so that two can be compared whole.

    with Copy(source, destination) as c: c("track"); c("all"); ...; c("changes"); c("end"); c("keep")
    assert listing(destination) == listing(source)
"""
import hashlib
import json
import os
import stat
import subprocess


class Failed(Exception):
    """A command of treecopy failed; str() is its message."""

    def __init__(self, reply):
        super().__init__(reply["error"])
        self.errno = reply["errno"]


class Copy:
    def __init__(self, program, source, destination, *options):
        self.process = subprocess.Popen([program, "copy", *options, source, destination], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.reply()

    def reply(self):
        line = self.process.stdout.readline()
        assert line, f"treecopy ended: {self.process.wait()}"
        reply = json.loads(line)
        if "error" in reply:
            raise Failed(reply)
        return reply

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait()
        self.process.stdout.close()


def extents(path, size):
    """The ranges of a file that hold data, as its file system says."""
    found, at = [], 0
    fd = os.open(path, os.O_RDONLY)
    try:
        while at < size:
            start = os.lseek(fd, at, os.SEEK_DATA)
            at = os.lseek(fd, start, os.SEEK_HOLE)
            found.append((start, at))
    except OSError:      # no more data
        pass
    finally:
        os.close(fd)
    return found


CARRIED = (b"user.", b"trusted.", b"security.capability", b"system.posix_acl_")


def attributes(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names
            if os.fsencode(name).startswith(CARRIED)}


def entry(path, inodes, relative, atime, holes):
    st = os.lstat(path)
    is_dir, is_file = stat.S_ISDIR(st.st_mode), stat.S_ISREG(st.st_mode)
    found = {"mode": oct(st.st_mode), "owner": (st.st_uid, st.st_gid), "mtime": st.st_mtime_ns,
             "attributes": attributes(path)}
    if atime:
        found["atime"] = st.st_atime_ns
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        found["device"] = st.st_rdev
    if stat.S_ISLNK(st.st_mode):
        found["target"] = os.readlink(path)
    if is_file:
        found["size"] = st.st_size
        if holes and st.st_blocks * 512 < st.st_size:
            found["extents"] = extents(path, st.st_size)
    if not is_dir and st.st_nlink > 1:
        inodes.setdefault((st.st_dev, st.st_ino), []).append(relative)
    return found


def listing(root, atime=True, holes=True):
    """All of a tree but what no copy can keep: path → facts; names of one file are listed with each of them."""
    root = os.fsencode(root)
    found, inodes = {}, {}
    for directory, dirs, files in os.walk(root):
        for name in [b""] * (directory == root) + dirs + files:      # b"": the root itself
            path = os.path.join(directory, name) if name else directory
            relative = os.path.relpath(path, root)
            found[relative] = entry(path, inodes, relative, atime, holes)
    for names in inodes.values():
        for name in names:
            found[name]["names"] = sorted(names)
    for relative, facts in found.items():      # last: reading may change times of access
        if "size" in facts:
            facts["content"] = digest(os.path.join(root, relative))
    return found


def digest(path):
    h = hashlib.blake2b()
    fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
    with open(fd, "rb") as f:
        while chunk := f.read(1 << 20):
            h.update(chunk)
    return h.hexdigest()


def same(source, destination, **how):
    """Compare whole; the message names what differs.  From now on looking leaves no trace in the times of access."""
    for top in (source, destination):
        mount = top
        while not os.path.ismount(mount):
            mount = os.path.dirname(mount)
        subprocess.run(["mount", "-o", "remount,bind,noatime", mount], check=True)
    a, b = listing(source, **how), listing(destination, **how)
    assert a.keys() == b.keys(), f"only here: {sorted(a.keys() - b.keys())[:9]}; only there: {sorted(b.keys() - a.keys())[:9]}"
    different = {p: {k: (a[p].get(k), b[p].get(k)) for k in a[p].keys() | b[p].keys() if a[p].get(k) != b[p].get(k)}
                 for p in a if a[p] != b[p]}
    assert not different, dict(list(different.items())[:9])
    return a
