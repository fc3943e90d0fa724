# SPDX-License-Identifier: GPL-2.0-or-later
"""test_devices.py - default devices and links, the config's devices, and the host's nodes in a user namespace."""
import os
import stat

import pytest

from lib import mounts, nosys

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

DEFAULT = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
         "ptmx": "pts/ptmx"}


def fields(line):
    """The words of the payload's `stat` as a dict."""
    words = line.split()
    return dict(zip(words[::2], words[1::2]))


def nodes(out):
    return {f["path"]: f for f in map(fields, out.splitlines()) if "rdev" in f}


def user_namespace(b):
    b.namespace("user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    b.linux["resources"] = {}
    return b


def without_dev(b):
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/dev"]
    return b


def test_default_devices_and_links(coracle, bundle):
    b = bundle("stat", *(f"/dev/{n}" for n in DEFAULT), "--", "readlink", *(f"/dev/{n}" for n in LINKS), "--",
               "write", "/dev/null", "x", "--", "open", "/dev/urandom")
    out = coracle.run(b).out
    found = nodes(out)
    for name, number in DEFAULT.items():
        f = found[f"/dev/{name}"]
        assert (f["type"], f["rdev"], f["mode"], f["uid"], f["gid"]) == ("char", number, "0666", "0", "0")
    assert out.splitlines()[-len(LINKS):] == list(LINKS.values())


def test_nothing_else_is_in_dev(coracle, bundle):
    out = coracle.run(bundle("ls", "/dev")).out
    assert set(out.split()) == {*DEFAULT, *LINKS, "pts", "shm", "mqueue"}


def test_configured_devices_are_exact(coracle, bundle):
    """Mode and owner as given, whatever the umask; parents are made; a default device may be given another mode."""
    b = bundle("stat", "/dev/mine", "/dev/below/fifo", "/dev/null", "/elsewhere/block")
    b.linux["devices"] = [
        {"path": "/dev/mine", "type": "c", "major": 10, "minor": 229, "fileMode": 0o1637, "uid": 12, "gid": 34},
        {"path": "/dev/below/fifo", "type": "p", "fileMode": 0o622, "uid": 1, "gid": 2},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600},
        {"path": "/elsewhere/block", "type": "b", "major": 7, "minor": 0, "fileMode": 0o640, "gid": 6},
    ]
    before = os.umask(0o077)
    try:
        found = nodes(coracle.run(b).out)
    finally:
        os.umask(before)
    assert [(f["type"], f["mode"], f["uid"], f["gid"]) for f in found.values()] == [
        ("char", "1637", "12", "34"), ("fifo", "0622", "1", "2"), ("char", "0600", "0", "0"), ("block", "0640", "0", "6")]
    assert found["/dev/mine"]["rdev"] == "10:229" and found["/elsewhere/block"]["rdev"] == "7:0"


def test_a_device_that_is_there_will_do(coracle, bundle):
    b = without_dev(bundle("stat", "/dev/null"))
    os.mknod(f"{b.rootfs}/dev/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    assert nodes(coracle.run(b).out)["/dev/null"]["ino"] == str(os.stat(f"{b.rootfs}/dev/null").st_ino)


@pytest.mark.parametrize("what", ["file", "dir", "other", "block"])
def test_something_else_that_is_there_is_an_error(coracle, bundle, what):
    b = without_dev(bundle("true"))
    path = f"{b.rootfs}/dev/null"
    if what == "file":
        b.file("dev/null", "text")
    elif what == "dir":
        os.mkdir(path)
    else:
        os.mknod(path, (stat.S_IFBLK if what == "block" else stat.S_IFCHR) | 0o666,
                 os.makedev(1, 3 if what == "block" else 5))
    before = os.lstat(path)
    result = coracle.run(b, check=False)
    assert result.rc and "device /dev/null: something else is there already" in result.err
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode, after.st_uid) == (before.st_ino, before.st_mode, before.st_uid)


def test_an_images_own_links_stay(coracle, bundle):
    b = without_dev(bundle("readlink", "/dev/fd", "/dev/ptmx"))
    os.symlink("/proc/self/../self/fd", f"{b.rootfs}/dev/fd")
    assert coracle.run(b).out.splitlines() == ["/proc/self/../self/fd", "pts/ptmx"]


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_in_a_user_namespace_the_hosts_nodes_are_bound(coracle, bundle, tmp_path, old):
    if old:
        coracle.binary = nosys.wrap(tmp_path, coracle.binary, *nosys.MOUNT_API)
    b = user_namespace(bundle("stat", *(f"/dev/{n}" for n in DEFAULT), "/dev/fifo", "--", "write", "/dev/null", "x",
                              "--", "open", "/dev/urandom", "--", "mounts"))
    b.linux["devices"] = [{"path": "/dev/fifo", "type": "p", "uid": 5}]
    host = {n: os.stat(f"/dev/{n}") for n in DEFAULT}
    out = coracle.run(b).out
    found = nodes("\n".join(line for line in out.splitlines() if line.startswith("path")))
    for name, number in DEFAULT.items():
        assert (found[f"/dev/{name}"]["type"], found[f"/dev/{name}"]["rdev"]) == ("char", number)
        assert found[f"/dev/{name}"]["ino"] == str(host[name].st_ino)
    assert found["/dev/fifo"]["uid"] == "5"
    at = mounts.of("\n".join(line for line in out.splitlines() if not line.startswith("path")))
    assert set(at) >= {f"/dev/{n}" for n in DEFAULT}
    for name, s in host.items():  # mode and owner of the host's are the host's
        now = os.stat(f"/dev/{name}")
        assert (now.st_mode, now.st_uid, now.st_gid) == (s.st_mode, s.st_uid, s.st_gid)


def test_a_host_node_with_other_numbers_is_not_bound(coracle, bundle):
    b = user_namespace(bundle("true"))
    b.linux["devices"] = [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 3}]
    result = coracle.run(b, check=False)
    assert result.rc and "device /dev/zero: the host's is another device than c 1:3" in result.err


def test_a_rule_against_making_a_default_device_comes_after_it_is_made(coracle, bundle):
    """The rules are applied beside INIT's work, but not when they would get in its way."""
    b = bundle("stat", "/dev/null", "--", "write", "/dev/null", "x")
    b.resources["devices"].append({"allow": False, "type": "c", "major": 1, "minor": 3, "access": "m"})
    for _ in range(5):
        assert nodes(coracle.run(b).out)["/dev/null"]["rdev"] == "1:3"
