# SPDX-License-Identifier: GPL-2.0-or-later
"""test_rootfs_links.py - images whose paths are links out of them, by the decoy method.

Rows of the list of known holes: CVE-2019-19921, CVE-2023-27561, CVE-2025-54867 (/proc and /sys as links);
CVE-2021-30465 (a mount's destination swapped for a link); CVE-2024-45310 (directories made on the host);
CVE-2026-41579, CVE-2026-47766 (/dev as a link); CVE-2025-52565, CVE-2026-88264 (/dev/console); CVE-2025-31133,
CVE-2025-62161, CVE-2026-88265 (/dev/null); CVE-2019-18837, CVE-2025-24965, CVE-2024-5154 (whatever else is written).
"""
import ctypes
import os
import socket
import threading
import time

import pytest

from lib import mounts

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

RELATIVE = pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])


def without(bundle, *destinations):
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] not in destinations]


def refused(coracle, bundle, *words):
    result = coracle.run(bundle, check=False)
    assert result.rc != 0, result.out
    for word in words:
        assert word in result.err
    return result


@RELATIVE
@pytest.mark.parametrize("path", ["proc", "sys", "dev"])
def test_kernel_directories_that_are_links_are_refused(coracle, bundle, decoy, path, relative):
    b = bundle("true")
    decoy.link(f"{b.rootfs}/{path}", relative=relative)
    refused(coracle, b, f"at /{path}: must be a directory, not a symbolic link")


@pytest.mark.parametrize("path", ["proc", "sys", "dev"])
def test_links_to_kernel_directories_inside_are_refused_too(coracle, bundle, path):
    """The masks would cover /proc/…, and the procfs be elsewhere."""
    b = bundle("true")
    os.rmdir(f"{b.rootfs}/{path}")
    os.makedirs(f"{b.rootfs}/elsewhere")
    os.symlink("elsewhere", f"{b.rootfs}/{path}")
    refused(coracle, b, f"at /{path}: must be a directory, not a symbolic link")
    assert os.listdir(f"{b.rootfs}/elsewhere") == []


def test_a_procfs_behind_a_link_is_refused_wherever_it_goes(coracle, bundle, decoy):
    b = bundle("true").mount("/data/proc", "proc", "proc")
    decoy.link(f"{b.rootfs}/data")
    refused(coracle, b, "/data/proc", "symbolic link")


@RELATIVE
def test_a_linked_dev_without_a_mount_is_refused(coracle, bundle, decoy, relative):
    """Nodes and links are made in /dev itself then."""
    b = bundle("true")
    without(b, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    decoy.link(f"{b.rootfs}/dev", relative=relative)
    refused(coracle, b, "/dev must be a directory of the root")


def test_dev_is_not_filled_when_a_link_put_a_volume_there(coracle, bundle, decoy):
    """/data of the image leads to /dev: what is bound at /data is no /dev of ours to make nodes in."""
    b = bundle("true")
    without(b, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    b.mount("/data", "bind", decoy.path, ["rbind"])
    os.symlink("dev", f"{b.rootfs}/data")
    refused(coracle, b, "/dev must be a directory of the root")


@RELATIVE
def test_mounts_stay_inside_when_the_destination_is_a_link(coracle, bundle, decoy, relative):
    b = bundle("mounts").mount("/data", "tmpfs", "marker", ["size=4k"])
    decoy.link(f"{b.rootfs}/data", relative=relative)
    found = [m for m in mounts.parse(coracle.run(b).out) if m.source == "marker"]
    assert [m.at for m in found] == [decoy.path]  # the same path, but inside of the root


@RELATIVE
def test_parents_of_a_destination_are_made_inside(coracle, bundle, decoy, relative):
    b = bundle("mounts").mount("/data/a/b/c", "tmpfs", "marker")
    decoy.link(f"{b.rootfs}/data", relative=relative)
    assert decoy.path + "/a/b/c" in mounts.of(coracle.run(b).out)
    assert os.path.isdir(b.rootfs + decoy.path + "/a/b/c")


@RELATIVE
def test_files_to_mount_on_are_made_inside(coracle, bundle, decoy, tmp_path, relative):
    source = tmp_path / "hosts"
    source.write_text("127.0.0.1 localhost\n")
    b = bundle("cat", "/etc/hosts").mount("/etc/hosts", "bind", source, ["bind", "ro"])
    decoy.link(f"{b.rootfs}/etc/hosts", "new-file", relative)
    assert coracle.run(b).out == source.read_text()


def test_links_at_the_usual_files_are_left_alone(coracle, bundle, decoy):
    """Nothing is written to the image: no mtab, passwd, hostname or resolv.conf."""
    b = bundle("true")
    for name in ("mtab", "passwd", "group", "hostname", "hosts", "resolv.conf", "localtime"):
        decoy.link(f"{b.rootfs}/etc/{name}", "secret")
    coracle.run(b)


@pytest.mark.parametrize("name", ["null", "zero", "tty", "ptmx", "fd"])
def test_links_at_devices_are_not_followed(coracle, bundle, decoy, name):
    b = bundle("true")
    without(b, "/dev")
    decoy.link(f"{b.rootfs}/dev/{name}", "new-file")
    result = coracle.run(b, check=False)
    if name in ("null", "zero", "tty"):  # a device is wanted there; what is no device may be an image's own
        assert result.rc != 0 and f"device /dev/{name}: something else is there" in result.err
    assert os.path.islink(f"{b.rootfs}/dev/{name}")


def test_a_configured_device_is_made_inside(coracle, bundle, decoy):
    b = bundle("stat", decoy.path + "/node")
    b.linux["devices"] = [{"path": "/data/node", "type": "c", "major": 1, "minor": 5}]
    b.process["capabilities"]["bounding"].append("CAP_MKNOD")
    decoy.link(f"{b.rootfs}/data")
    assert "rdev 1:5" in coracle.run(b).out


def create_with_terminal(coracle, bundle, tmp_path):
    """`create` with a console socket; returns the result. The terminal is taken and closed."""
    path = str(tmp_path / "console")
    bundle.process["terminal"] = True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(1)
        return coracle.try_create(bundle, "--console-socket", path)


@RELATIVE
def test_a_linked_console_is_not_mounted_on(coracle, bundle, decoy, tmp_path, relative):
    b = bundle("true")
    without(b, "/dev")
    decoy.link(f"{b.rootfs}/dev/console", "new-file", relative)
    result = create_with_terminal(coracle, b, tmp_path)
    assert result.rc != 0 and "/dev/console" in result.err


def test_a_linked_devpts_is_not_mounted_on(coracle, bundle, decoy, tmp_path):
    b = bundle("true")
    without(b, "/dev")
    decoy.link(f"{b.rootfs}/dev/pts")
    create_with_terminal(coracle, b, tmp_path)


def exchange(a, b):
    """renameat2(RENAME_EXCHANGE)"""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.renameat2(-100, a.encode(), -100, b.encode(), 2)


def test_destinations_swapped_all_the_time_stay_inside(coracle, bundle, decoy):
    """A neighbour who shares the image swaps a directory and a link while we mount (bounded: 100 runs, 5 s)."""
    b = bundle("mounts")
    b.mount("/data/volume", "tmpfs", "marker", ["size=4k"]).mount("/data/volume/below", "tmpfs", "marker")
    os.makedirs(f"{b.rootfs}/data/volume/below")
    decoy.link(f"{b.rootfs}/link")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            exchange(f"{b.rootfs}/data", f"{b.rootfs}/link")
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        end = time.monotonic() + 5
        for _ in range(100):
            result = coracle.run(b, check=False)
            if result.rc == 0:
                inside = [m.at for m in mounts.parse(result.out) if m.source == "marker"]
                assert len(inside) == 2, result.out
            if time.monotonic() > end:
                break
    finally:
        stop.set()
        thread.join()
    decoy.check()
