# SPDX-License-Identifier: GPL-2.0-or-later
"""test_rootfs.py - the root directory: where it is, how it propagates, with and without pivot_root."""
import os
import subprocess

import pytest

from lib import mounts, nosys

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


@pytest.mark.parametrize("propagation, tags", [
    (None, set()), ("private", set()), ("shared", {"shared"}), ("slave", {"master"}), ("unbindable", {"unbindable"})])
def test_rootfs_propagation(coracle, bundle, propagation, tags):
    """The host's mount of the root is shared: a slave gets what is mounted in it later, nobody else does."""
    b = bundle("mounts", "/", "--", "wait_for", "/go", "--", "mounts", "/late")
    os.mkdir(f"{b.rootfs}/late")
    if propagation:
        b.linux["rootfsPropagation"] = propagation
    subprocess.run(["mount", "--bind", b.rootfs, b.rootfs], check=True)
    subprocess.run(["mount", "--make-shared", b.rootfs], check=True)
    try:
        c = coracle.started(b)
        coracle.wait_output(c, "\n")
        subprocess.run(["mount", "-t", "tmpfs", "late", f"{b.rootfs}/late"], check=True)
        b.file("go")
        coracle.wait_status(c, "stopped")
        found = mounts.of(coracle.output(c))
    finally:
        subprocess.run(["umount", "-R", b.rootfs], check=True)
    assert {t.partition(":")[0] for t in found["/"].propagation} == tags
    assert ("/late" in found) == (propagation == "slave")


def test_an_unbindable_root_cannot_be_bound(coracle, bundle):
    b = bundle("mount", "/", "/tmp", "none", "bind")
    b.linux["rootfsPropagation"] = "unbindable"
    b.process["capabilities"] = {k: v + ["CAP_SYS_ADMIN"] for k, v in b.process["capabilities"].items()}
    assert "mount /: EINVAL" in coracle.run(b, check=False).err


def test_a_root_behind_a_link_of_the_host(coracle, bundle):
    b = bundle("ls", "/")
    os.rename(b.rootfs, f"{b.path}/real")
    os.symlink("real", b.rootfs)
    for option in ([], ["--no-pivot"]):
        assert "init" in coracle.run(b, *option).out.split()


def test_a_missing_root_is_named(coracle, bundle):
    b = bundle("true")
    b.config["root"]["path"] = "no/such/root"
    result = coracle.run(b, check=False)
    assert result.rc and f"{b.path}/no/such/root: No such file or directory" in result.err


def test_the_hosts_mounts_below_the_root_come_along(coracle, bundle):
    """An engine may have mounted things in the root before."""
    b = bundle("mounts")
    os.mkdir(f"{b.rootfs}/below")
    subprocess.run(["mount", "-t", "tmpfs", "below", f"{b.rootfs}/below"], check=True)
    try:
        assert mounts.of(coracle.run(b).out)["/below"].source == "below"
    finally:
        subprocess.run(["umount", f"{b.rootfs}/below"], check=True)


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_without_pivot_root(coracle, bundle, tmp_path, old):
    """The host's procfs and sysfs are gone from the namespace; the container's are there."""
    if old:
        coracle.binary = nosys.wrap(tmp_path, coracle.binary, *nosys.MOUNT_API)
    b = bundle("mounts", "--", "ls", "/", "--", "cat", "/proc/self/comm", "--", "write", "/x")
    b.config["root"]["readonly"] = True
    result = coracle.run(b, "--no-pivot", check=False)
    assert "write /x: EROFS" in result.err
    assert result.out.endswith("init\n")
    lines = [line for line in result.out.splitlines() if " - " in line]
    assert mounts.of("\n".join(lines))["/proc"].type == "proc"
    assert len(lines) == len(mounts.of("\n".join(lines)))
