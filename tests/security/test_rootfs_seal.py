# SPDX-License-Identifier: GPL-2.0-or-later
"""test_rootfs_seal.py - masked and read-only paths, the read-only root, sysctl, cgroups: what hostile images and
volumes cannot lead elsewhere.

Rows of the list of known holes: CVE-2025-31133, CVE-2025-62161 (masks made of the image's /dev/null);
CVE-2025-52881, CVE-2025-62596, CVE-2019-16884 (writes to procfs caught or redirected); CVE-2026-115521 (the
read-only root by way of the image's /proc); CVE-2023-25809 (writable cgroups below a borrowed /sys).
"""
import os

import pytest

from lib import mounts

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

NULL = "rdev 1:3"


def replace_mount(bundle, destination, kind, source, options=()):
    for m in bundle.config["mounts"]:
        if m["destination"] == destination:
            m.update(type=kind, source=str(source), options=list(options))


def test_masked_files_are_the_null_device_whatever_dev_holds(coracle, bundle, decoy, tmp_path):
    """/dev is a volume in which "null" is a link to a file: the mask is the host's null device all the same."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "null").symlink_to("/secret")
    b = bundle("stat", "/proc/keys", "/proc/timer_list", "--", "cat", "/proc/keys")
    b.config["mounts"] = [m for m in b.config["mounts"] if not m["destination"].startswith("/dev/")]
    replace_mount(b, "/dev", "bind", volume, ["rbind"])
    b.file("secret", "caught\n")
    out = coracle.run(b).out
    for line in out.splitlines():
        assert "type char" in line and NULL in line
    assert sorted(os.listdir(volume)) == ["null"]  # and nothing was made in somebody else's /dev


def test_masked_directories_are_empty_and_read_only(coracle, bundle):
    b = bundle("ls", "/proc/fs", "--", "ls", "/secret", "--", "mounts", "--", "write", "/secret/file")
    b.linux["maskedPaths"] += ["/proc/fs", "/secret", "/not/there", "/init/below"]
    b.file("secret/key", "visible\n")
    result = coracle.run(b, check=False)
    assert "write /secret/file: EROFS" in result.err
    assert "visible" not in result.out and "key" not in result.out.split()
    found = mounts.of(result.out)
    for path in ("/proc/fs", "/secret"):
        assert {"ro", "nosuid", "nodev", "noexec"} <= found[path].options
    assert found["/proc/fs"].device == found["/secret"].device  # one superblock for all


def test_a_mask_over_a_link_covers_where_it_leads(coracle, bundle, decoy):
    b = bundle("cat", "/file", "--", "stat", "/target")
    b.linux["maskedPaths"] += ["/file", "/out"]
    b.file("target", "visible\n")
    os.symlink("target", f"{b.rootfs}/file")
    decoy.link(f"{b.rootfs}/out", "secret")
    out = coracle.run(b).out
    assert "visible" not in out and NULL in out


def test_a_volume_put_over_proc_by_a_link_is_masked_too(coracle, bundle, tmp_path):
    """/data of the image leads to /proc: what is bound there is what the masks must cover."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "keys").write_text("visible")
    b = bundle("stat", "/proc/keys").mount("/data", "bind", volume, ["bind"])
    os.symlink("proc", f"{b.rootfs}/data")
    assert NULL in coracle.run(b).out


def test_readonly_paths_keep_other_flags_and_all_below(coracle, bundle):
    b = bundle("mounts", "--", "write", "/data/below/file")
    b.mount("/data", "tmpfs", "data", ["nosuid", "noexec"]).mount("/data/below", "tmpfs", "below", ["nodev"])
    b.linux["readonlyPaths"] += ["/data", "/not/there"]
    result = coracle.run(b, check=False)
    assert "write /data/below/file: EROFS" in result.err
    found = mounts.of(result.out)
    assert {"ro", "nosuid", "noexec"} <= found["/data"].options
    assert {"ro", "nodev"} <= found["/data/below"].options
    assert {"ro"} <= found["/proc/sys"].options


def test_readonly_links_are_followed_inside(coracle, bundle, decoy):
    b = bundle("write", "/data/file", "--", "write", "/link/file")
    b.linux["readonlyPaths"] += ["/link", "/out"]
    os.makedirs(f"{b.rootfs}/data")
    os.symlink("data", f"{b.rootfs}/link")
    decoy.link(f"{b.rootfs}/out")
    assert "write /data/file: EROFS" in coracle.run(b, check=False).err


@pytest.mark.parametrize("fake_proc", [False, True], ids=["plain", "fake-proc"])
def test_a_readonly_root_is_read_only(coracle, bundle, decoy, fake_proc):
    b = bundle("write", "/new")
    b.config["root"]["readonly"] = True
    if fake_proc:  # no procfs: what we remount must not be named by the image's /proc
        b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/proc"]
        for fd in range(3, 40):
            decoy.link(f"{b.rootfs}/proc/self/fd/{fd}")
            decoy.link(f"{b.rootfs}/proc/thread-self/fd/{fd}")
    assert "write /new: EROFS" in coracle.run(b, check=False).err
    assert not os.path.exists(f"{b.rootfs}/new")


def test_a_readonly_root_leaves_its_mounts_writable(coracle, bundle):
    b = bundle("write", "/dev/shm/file", "text", "--", "cat", "/dev/shm/file")
    b.config["root"]["readonly"] = True
    assert coracle.run(b).out == "text"


@pytest.mark.parametrize("where", ["/proc", "/proc/sys", "/proc/sys/kernel"])
def test_sysctls_are_not_caught_by_what_covers_proc(coracle, bundle, decoy, where):
    """A volume over procfs holds a file of the same name: it stays, and the kernel gets the value."""
    below = os.path.relpath("/proc/sys/kernel", where)
    decoy.file(os.path.join(below, "msgmax") if below != "." else "msgmax", "decoy\n")
    b = bundle("cat", "/real/sys/kernel/msgmax")
    if where == "/proc":
        replace_mount(b, "/proc", "bind", decoy.path, ["bind"])
        b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
    else:
        b.mount(where, "bind", decoy.path, ["bind"])
    b.mount("/real", "proc", "proc")
    b.linux["sysctl"] = {"kernel.msgmax": "12345"}
    assert coracle.run(b).out == "12345\n"


def test_sysctls_are_set(coracle, bundle):
    b = bundle("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "--", "cat", "/proc/sys/kernel/msgmnb")
    b.linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0", "kernel.msgmnb": "20000"}
    assert coracle.run(b).out == "0\n20000\n"


def test_a_sysctl_that_is_not_there_is_an_error_that_names_it(coracle, bundle):
    b = bundle("true")
    b.linux["sysctl"] = {"net.ipv4.no_such_thing": "1"}
    result = coracle.run(b, check=False)
    assert result.rc and "linux.sysctl.net.ipv4.no_such_thing" in result.err


# --- cgroups ---

def user_namespace(bundle):
    bundle.namespace("user")
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.linux["resources"] = {}


def test_cgroups_below_a_borrowed_sys_are_read_only(coracle, bundle):
    """A user namespace with the host's network gets no sysfs of its own but the host's: none of it writable."""
    b = bundle("mounts", "--", "open", "/sys/fs/cgroup/cgroup.procs", "w")
    user_namespace(b)
    b.drop_namespace("network")
    b.drop_namespace("cgroup")
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/sys/fs/cgroup"]
    replace_mount(b, "/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev"])
    result = coracle.run(b, check=False)
    below = [m for m in mounts.parse(result.out) if m.at == "/sys" or m.at.startswith("/sys/")]
    assert len(below) > 1 and any(m.type == "cgroup2" for m in below)
    for m in below:
        assert {"ro", "nosuid", "nodev", "noexec"} <= m.options, m
    assert "open /sys/fs/cgroup/cgroup.procs: E" in result.err


@pytest.mark.parametrize("kind", ["cgroup", "cgroup2"])
@pytest.mark.parametrize("own_namespace", [True, False], ids=["own", "host"])
@pytest.mark.parametrize("how", ["ro", "rw"])
def test_a_container_sees_its_own_cgroup_only(coracle, bundle, kind, own_namespace, how):
    b = bundle("ls", "/sys/fs/cgroup", "--", "cat", "/sys/fs/cgroup/cgroup.procs", "--", "mounts",
               "/sys/fs/cgroup", "--", "mkdir", "/sys/fs/cgroup/sub")
    replace_mount(b, "/sys/fs/cgroup", kind, "cgroup", ["nosuid", "noexec", "nodev", how])
    if not own_namespace:
        b.drop_namespace("cgroup")
    result = coracle.run(b, check=False)
    lines = result.out.splitlines()
    assert "cgroup.freeze" in lines  # no root of a hierarchy has it
    assert "1" in lines  # and this process is in it
    assert ("mkdir /sys/fs/cgroup/sub: EROFS" in result.err) == (how == "ro")
    m = mounts.of(lines[-1])["/sys/fs/cgroup"]
    assert m.type == "cgroup2" and {how, "nosuid", "noexec", "nodev"} <= m.options
