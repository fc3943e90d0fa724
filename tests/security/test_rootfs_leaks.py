# SPDX-License-Identifier: GPL-2.0-or-later
"""test_rootfs_leaks.py - nothing of the host stays in the container, no mount of the container on the host.

Rows of the list of known holes: crun 1.31's hardening (a handle of the host's root alive after pivot_root),
CVE-2024-21626 (leaked directory handles).
"""
import os
import stat
import subprocess

import pytest

from lib import mounts

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

PROPAGATIONS = [None, "shared", "rshared", "slave", "rslave", "private", "rprivate", "unbindable", "runbindable"]


@pytest.fixture
def shared():
    """A mount that propagates: shared(path) makes one of a directory; below go mounts of the types given."""
    made = []

    def share(path, *types):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "--bind", path, path], check=True)
        made.append(path)
        subprocess.run(["mount", "--make-shared", path], check=True)
        for kind in types:
            os.makedirs(f"{path}/{kind}")
            subprocess.run(["mount", "-t", kind, kind, f"{path}/{kind}"], check=True)
            made.append(f"{path}/{kind}")
    yield share
    for path in reversed(made):
        subprocess.run(["umount", "-l", path], check=True)


def test_the_program_is_given_no_handles(coracle, bundle):
    out = coracle.run(bundle("fds")).out
    assert [line.split()[0] for line in out.splitlines()] == ["0", "1", "2"]


@pytest.mark.parametrize("user", [False, True], ids=["plain", "userns"])
def test_a_created_container_holds_no_directory_of_the_host(coracle, bundle, user):
    b = bundle("true")
    if user:
        b.namespace("user")
        b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        b.linux["resources"] = {}
    os.mkdir(f"{b.rootfs}/volume")
    b.file("config")
    b.mount("/volume", "bind", b.path, ["rbind"]).mount("/config", "bind", "config.json", ["bind", "ro"])
    pid = coracle.state(coracle.create(b))["pid"]
    own = os.stat(f"/proc/{pid}/root/")
    for fd in os.listdir(f"/proc/{pid}/fd"):
        s = os.stat(f"/proc/{pid}/fd/{fd}")
        assert not stat.S_ISDIR(s.st_mode), os.readlink(f"/proc/{pid}/fd/{fd}")
    cwd = os.stat(f"/proc/{pid}/cwd/")
    assert (cwd.st_dev, cwd.st_ino) == (own.st_dev, own.st_ino)


@pytest.mark.parametrize("option", [[], ["--no-pivot"]], ids=["pivot_root", "no-pivot"])
def test_only_the_containers_mounts_are_seen(coracle, bundle, option):
    b = bundle("mounts")
    found = mounts.parse(coracle.run(b, *option).out)
    expected = {m["destination"] for m in b.config["mounts"]} | {"/"}
    expected |= set(b.linux["maskedPaths"]) | set(b.linux["readonlyPaths"])
    assert {m.at for m in found} <= expected
    assert len([m for m in found if m.at == "/"]) == 1


def test_nothing_of_the_host_is_above_the_root(coracle, bundle):
    """Out of a chroot (--no-pivot) ".." leads from a directory kept open: to the container's root, no further."""
    b = bundle("ls", "/../../..")
    out = coracle.run(b, "--no-pivot").out.split()
    assert "init" in out and "usr" not in out


@pytest.mark.parametrize("propagation", PROPAGATIONS)
def test_no_mount_reaches_the_host(coracle, bundle, shared, tmp_path, propagation):
    """Neither a mount nor the end of one."""
    b = bundle("true").mount("/inside/new", "tmpfs", "new")
    if propagation:
        b.linux["rootfsPropagation"] = propagation
    shared(b.path)
    shared(f"{b.rootfs}/inside")
    shared(str(tmp_path / "other"), "tmpfs")
    before = mounts.host()
    c = coracle.create(b)
    assert mounts.host() == before
    coracle("start", c)
    coracle.wait_status(c, "stopped")
    coracle("delete", c)
    assert mounts.host() == before


def test_no_mount_reaches_the_host_without_pivot_root(coracle, bundle, shared, tmp_path):
    b = bundle("true")
    b.linux["rootfsPropagation"] = "shared"
    shared(b.path)
    shared(str(tmp_path / "other"), "tmpfs", "proc", "sysfs")
    before = mounts.host()
    coracle.run(b, "--no-pivot")
    assert mounts.host() == before


def test_a_failure_leaves_no_mount(coracle, bundle, shared):
    b = bundle("true").mount("/last", "no-such-type", "x")
    b.linux["rootfsPropagation"] = "shared"
    shared(b.path)
    before = mounts.host()
    assert coracle.run(b, check=False).rc
    assert mounts.host() == before


@pytest.mark.parametrize("masked", [True, False], ids=["masked", "open"])
@pytest.mark.parametrize("option", [[], ["--no-pivot"]], ids=["pivot_root", "no-pivot"])
def test_masks_hold_in_a_user_namespace_made_inside(coracle, bundle, option, masked):
    """A fresh sysfs would show what is masked: the kernel gives none to a namespace that has not one in full
    view. The host's, which without pivot_root stays below our root, must not count as one."""
    new_user_mount_net = 0x10000000 | 0x00020000 | 0x40000000
    ro_nosuid_nodev_noexec = 15
    b = bundle("unshare", new_user_mount_net, "--", "mount", "sysfs", "/tmp", "sysfs", ro_nosuid_nodev_noexec, "--",
               "ls", "/tmp")
    if not masked:
        b.linux["maskedPaths"] = []
    result = coracle.run(b, *option, check=False)
    assert ("mount sysfs: EPERM" in result.err) == masked, result
    assert ("firmware" in result.out) != masked
