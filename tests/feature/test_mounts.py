# SPDX-License-Identifier: GPL-2.0-or-later
"""test_mounts.py - the config's mounts: options, sources, destinations, propagation; with the mount API of the
kernel and, as far as they behave the same, with mount(2) alone."""
import os
import socket
import stat
import subprocess

import pytest

from lib import mounts, nosys

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


@pytest.fixture(params=["new", "old", "no-setattr"])
def any_coracle(request, coracle, tmp_path):
    """coracle on this kernel; on one without the mount API; on one without mount_setattr(2) alone (5.2 to 5.11)."""
    if request.param == "old":
        coracle.binary = nosys.wrap(tmp_path, coracle.binary, *nosys.MOUNT_API, "openat2")
    elif request.param == "no-setattr":
        coracle.binary = nosys.wrap(tmp_path, coracle.binary, "mount_setattr")
    return coracle


def seen(coracle, bundle, at):
    return mounts.of(coracle.run(bundle).out)[at]


def test_default_mounts_are_as_configured(any_coracle, bundle):
    found = mounts.of(any_coracle.run(bundle("mounts")).out)
    assert found["/proc"].type == "proc" and "rw" in found["/proc"].options
    assert {"nosuid", "rw"} <= found["/dev"].options
    assert not {"relatime", "noatime", "noexec", "nodev"} & found["/dev"].options  # strictatime
    assert {"mode=755", "size=65536k"} <= found["/dev"].super
    assert {"gid=5", "mode=620", "ptmxmode=666"} <= found["/dev/pts"].super
    assert {"nosuid", "noexec", "nodev"} <= found["/dev/shm"].options and found["/dev/shm"].source == "shm"
    assert {"nosuid", "noexec", "nodev"} <= found["/dev/mqueue"].options
    assert {"ro", "nosuid", "noexec", "nodev"} <= found["/sys"].options
    assert {"ro", "nosuid", "noexec", "nodev", "relatime"} <= found["/sys/fs/cgroup"].options
    assert not any(m.propagation for m in found.values())


FLAGS = [  # options, what the mount then has, what it has not
    ("ro", "ro", "rw"),
    ("ro rw", "rw", "ro"),
    ("nosuid nodev noexec", "nosuid nodev noexec", ""),
    ("nosuid nodev noexec suid dev exec", "rw", "nosuid nodev noexec"),
    ("nosuid,nodev,size=8k", "nosuid nodev", "noexec"),
    ("noatime", "noatime", "relatime"),
    ("noatime atime", "relatime", "noatime"),
    ("strictatime", "rw", "noatime relatime"),
    ("strictatime nostrictatime", "relatime", "noatime"),
    ("relatime", "relatime", "noatime"),
    ("nodiratime", "nodiratime", ""),
    ("nodiratime diratime", "rw", "nodiratime"),
    ("nosymfollow", "nosymfollow", ""),
    ("nosymfollow symfollow", "rw", "nosymfollow"),
    ("defaults", "rw relatime", "nosuid nodev noexec"),
    ("rro rnosuid", "ro nosuid", "rw"),
    ("silent loud mand nomand nolazytime noiversion async", "rw", "ro"),
]


@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_flags_of_a_mount(any_coracle, bundle, tmp_path, kind):
    os.mkdir(tmp_path / "source")
    b = bundle("mounts")
    for number, (options, _, _) in enumerate(FLAGS):
        words = options.split()
        if kind == "bind":
            words = ["bind"] + [",".join(w for w in word.split(",") if "=" not in w) for word in words]
        b.mount(f"/{number}", kind, tmp_path / "source", words)
    found = mounts.of(any_coracle.run(b).out)
    for number, (options, wanted, unwanted) in enumerate(FLAGS):
        has = found[f"/{number}"].options
        assert set(wanted.split()) <= has and not set(unwanted.split()) & has, options


@pytest.mark.parametrize("option", ["sync", "dirsync", "lazytime"])
def test_flags_of_the_file_system(any_coracle, bundle, option):
    assert option in seen(any_coracle, bundle("mounts").mount("/m", "tmpfs", "m", [option]), "/m").super


def test_iversion_is_said_by_mount(coracle, bundle):
    assert seen(coracle, bundle("mounts").mount("/m", "tmpfs", "m", ["iversion", "nosuid", "size=4k"]),
                "/m").super >= {"size=4k"}


def test_a_filesystem_with_long_data(coracle, bundle, tmp_path):
    """overlay's lowerdir is longer than what fsconfig(2) takes at once."""
    lowers = [tmp_path / (str(i) * 100) for i in range(4)]
    for lower in lowers:
        lower.mkdir()
        (lower / f"from-{lower.name[0]}").write_text("")
    b = bundle("ls", "/m", "--", "write", "/m/x").mount("/m", "overlay", "overlay", [
        "lowerdir=" + ":".join(map(str, lowers)), "ro"])
    result = coracle.run(b, check=False)
    assert result.out.split() == ["from-0", "from-1", "from-2", "from-3"]
    assert "EROFS" in result.err


def test_unknown_options_go_to_the_file_system_whose_words_are_told(coracle, bundle):
    result = coracle.run(bundle("true").mount("/m", "tmpfs", "m", ["no_such_option=1"]), check=False)
    assert result.rc
    assert "mounts[7]: mount m at /m: tmpfs no_such_option=1: tmpfs: Unknown parameter 'no_such_option'" in result.err


def test_the_data_of_a_version_1_cgroup_is_left_out(coracle, bundle):
    b = bundle("mounts", "/sys/fs/cgroup")
    b.config["mounts"][-1].update(type="cgroup", options=["ro", "memory", "xattr"])
    assert coracle.run(b).out.count(" - cgroup2 ") == 1
    b.config["mounts"][-1].update(type="cgroup2")
    result = coracle.run(b, check=False)
    assert result.rc and "cgroup2 memory" in result.err


def test_an_unknown_type_is_named(coracle, bundle):
    result = coracle.run(bundle("true").mount("/m", "nosuchfs", "m"), check=False)
    assert result.rc and "mounts[7]: mount m at /m: file system type nosuchfs: No such device" in result.err


# --- bind mounts ---

def test_bind_mounts_of_all_kinds(any_coracle, bundle, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("text")
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(source / "socket"))
    os.mknod(source / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    b = bundle("stat", "/new/dir", "/new/file", "/new/fifo", "/new/socket", "/new/zero", "--", "cat", "/new/file")
    b.mount("/new/dir", "bind", source, ["bind"])
    for name in ("file", "fifo", "socket", "zero"):
        b.mount(f"/new/{name}", "bind", source / name, ["bind"])
    out = any_coracle.run(b).out.splitlines()
    assert [line.split()[3] for line in out[:5]] == ["dir", "file", "fifo", "socket", "char"]
    assert out[5] == "text"


def test_a_relative_source_is_below_the_bundle(any_coracle, bundle):
    b = bundle("cat", "/m/file").mount("/m", "bind", "data", ["bind"])
    os.mkdir(f"{b.path}/data")
    with open(f"{b.path}/data/file", "w", encoding="utf-8") as f:
        f.write("text")
    assert any_coracle.run(b, cwd="/").out == "text"


def test_a_bind_mount_needs_no_type(coracle, bundle, tmp_path):
    b = bundle("mounts").mount("/m", "none", tmp_path, ["rbind", "ro"])
    del b.config["mounts"][-1]["type"]
    assert "ro" in seen(coracle, b, "/m").options


def test_a_missing_source_is_named(any_coracle, bundle):
    result = any_coracle.run(bundle("true").mount("/m", "bind", "/no/such/source", ["bind"]), check=False)
    assert result.rc
    assert "mounts[7]: mount /no/such/source at /m:" in result.err
    assert "No such file or directory" in result.err


def test_a_file_does_not_go_onto_a_directory(any_coracle, bundle):
    b = bundle("true").mount("/tmp", "bind", "config.json", ["bind"])
    result = any_coracle.run(b, check=False)
    assert result.rc and "mount config.json at /tmp" in result.err


@pytest.mark.parametrize("option, below", [("bind", False), ("rbind", True)])
def test_rbind_takes_what_is_mounted_below(any_coracle, bundle, tmp_path, option, below):
    with two_mounts(tmp_path) as source:
        found = mounts.of(any_coracle.run(bundle("mounts").mount("/m", "bind", source, [option])).out)
    assert ("/m/below" in found) == below


def test_flags_are_of_one_mount_or_of_all(any_coracle, bundle, tmp_path):
    with two_mounts(tmp_path) as source:
        b = bundle("mounts").mount("/one", "bind", source, ["rbind", "ro", "nosuid"])
        b.mount("/all", "bind", source, ["rbind", "rro", "rnoexec", "nodev"])
        found = mounts.of(any_coracle.run(b).out)
        assert {"ro", "nosuid"} <= found["/one"].options
        assert not {"ro", "nosuid"} & found["/one/below"].options
        assert {"ro", "noexec", "nodev"} <= found["/all"].options
        assert {"ro", "noexec"} <= found["/all/below"].options
        assert "nodev" not in found["/all/below"].options
        assert not {"ro", "noexec", "nodev", "nosuid"} & mounts.of(mounts.host())[str(source)].options


def test_rw_takes_back_what_the_source_has(any_coracle, bundle, tmp_path):
    with two_mounts(tmp_path) as source:
        subprocess.run(["mount", "-o", "remount,bind,ro,nosuid", source], check=True)
        b = bundle("mounts").mount("/as-it-is", "bind", source, ["bind"])
        b.mount("/changed", "bind", source, ["bind", "rw", "suid"])
        found = mounts.of(any_coracle.run(b).out)
    assert {"ro", "nosuid"} <= found["/as-it-is"].options
    assert not {"ro", "nosuid"} & found["/changed"].options


class two_mounts:
    """A tmpfs with another below it."""

    def __init__(self, tmp_path):
        self.path = str(tmp_path / "two")

    def __enter__(self):
        os.mkdir(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "upper", self.path], check=True)
        os.mkdir(f"{self.path}/below")
        subprocess.run(["mount", "-t", "tmpfs", "lower", f"{self.path}/below"], check=True)
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-R", self.path], check=True)


# --- destinations ---

def test_mounts_are_made_in_order(any_coracle, bundle):
    b = bundle("mounts").mount("/a", "tmpfs", "first").mount("/a/b", "tmpfs", "second").mount("/a", "tmpfs", "third")
    found = [m for m in mounts.parse(any_coracle.run(b).out) if m.at.startswith("/a")]
    assert [m.source for m in found] == ["first", "second", "third"]
    assert found[2].parent == found[0].number


def test_a_destination_over_a_link_is_where_it_leads(any_coracle, bundle):
    b = bundle("mounts").mount("/run/data", "tmpfs", "m").mount("/link", "tmpfs", "n")
    os.makedirs(f"{b.rootfs}/var/run")
    os.makedirs(f"{b.rootfs}/target")
    os.symlink("/var/run", f"{b.rootfs}/run")
    os.symlink("target", f"{b.rootfs}/link")
    found = mounts.of(any_coracle.run(b).out)
    assert found["/var/run/data"].source == "m" and found["/target"].source == "n"


def test_missing_mount_points_in_a_readonly_root_are_made(any_coracle, bundle):
    b = bundle("mounts", "--", "write", "/x").mount("/new/dir", "tmpfs", "m")
    b.config["root"]["readonly"] = True
    result = any_coracle.run(b, check=False)
    assert "/new/dir" in mounts.of(result.out) and "EROFS" in result.err


def test_mount_points_have_mode_755_whatever_the_umask(coracle, bundle):
    b = bundle("true").mount("/new/dir", "tmpfs", "m").mount("/newfile", "bind", "config.json", ["bind"])
    before = os.umask(0o077)
    try:
        coracle.run(b)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(os.stat(f"{b.rootfs}/{p}").st_mode) for p in ("new", "new/dir", "newfile")] == [
        0o755, 0o755, 0o644]


@pytest.mark.parametrize("options, mode", [([], "0711"), (["mode=1755"], "1755")])
def test_a_tmpfs_takes_the_mode_of_what_it_covers(any_coracle, bundle, options, mode):
    b = bundle("stat", "/m").mount("/m", "tmpfs", "m", options)
    os.mkdir(f"{b.rootfs}/m")
    os.chmod(f"{b.rootfs}/m", 0o711)
    assert f"mode {mode}" in any_coracle.run(b).out


def test_the_root_is_no_destination(coracle, bundle):
    result = coracle.run(bundle("true").mount("/", "tmpfs", "m"), check=False)
    assert result.rc and "the root itself is no place for a mount" in result.err


def test_remount_changes_what_is_there(any_coracle, bundle):
    b = bundle("mounts").mount("/m", "tmpfs", "m", ["size=4k"]).mount("/n", "tmpfs", "n")
    b.mount("/m", "tmpfs", "m", ["remount", "nosuid", "size=8k"]).mount("/n", "none", "n", ["remount", "bind", "ro"])
    found = mounts.of(any_coracle.run(b).out)
    assert "nosuid" in found["/m"].options and "size=8k" in found["/m"].super
    assert "ro" in found["/n"].options and "ro" not in found["/n"].super


def test_mounts_without_a_mount_namespace_are_refused(coracle, bundle):
    b = bundle("true")
    b.drop_namespace("mount")
    before = mounts.host()
    result = coracle.run(b, check=False)
    assert result.rc and "mount namespace" in result.err
    assert mounts.host() == before


def test_no_gid_5_in_a_user_namespace_is_an_error_as_elsewhere(coracle, bundle):
    b = bundle("true").namespace("user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 4}]
    b.linux["resources"] = {}
    result = coracle.run(b, check=False)
    assert result.rc and "mounts[2]: mount devpts at /dev/pts: devpts " in result.err and "gid=5" in result.err


def test_sources_that_only_the_hosts_root_may_reach(coracle, bundle, tmp_path):
    """In a user namespace: pytest's directories are 0700, and so is this."""
    source = tmp_path / "source"
    source.mkdir(mode=0o700)
    (source / "file").write_text("text")
    (source / "file").chmod(0o644)
    b = bundle("cat", "/file").namespace("user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    b.linux["resources"] = {}
    b.file("file")
    b.mount("/file", "bind", source / "file", ["bind", "ro"])
    assert coracle.run(b).out == "text"


def test_a_source_below_a_directory_that_is_closed_to_all(coracle, bundle, tmp_path):
    """Even to its owner, if he is root of a user namespace alone: the host's root lends a copy."""
    closed = tmp_path / "closed"
    (closed / "source").mkdir(parents=True)
    (closed / "source" / "file").write_text("text")
    b = bundle("cat", "/m/file", "--", "write", "/m/file", "x").namespace("user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    os.chmod(b.path, 0o755)
    os.mkdir(f"{b.rootfs}/m")
    closed.chmod(0)
    b.mount("/m", "bind", closed / "source", ["bind", "ro"])
    result = coracle.run(b, check=False)
    assert result.out == "text" and "EROFS" in result.err


# --- propagation ---

@pytest.fixture
def shared_source(tmp_path):
    path = str(tmp_path / "shared")
    os.mkdir(path)
    subprocess.run(["mount", "-t", "tmpfs", "shared", path], check=True)
    subprocess.run(["mount", "--make-shared", path], check=True)
    os.mkdir(f"{path}/sub")
    yield path
    subprocess.run(["umount", "-R", path], check=True)


@pytest.mark.parametrize("option, tag, arrives, returns", [
    (None, None, False, False),
    ("rprivate", None, False, False),
    ("private", None, False, False),
    ("rslave", "master", True, False),
    ("slave", "master", True, False),
    ("rshared", "shared", True, True),
    ("shared", "shared", True, True),
    ("unbindable", "unbindable", False, False),
])
def test_propagation_of_a_bind_mount(coracle, bundle, shared_source, option, tag, arrives, returns):
    b = bundle("mounts", "/m", "--", "wait_for", "/go", "--", "mounts", "/m/sub", "--", "mount", "mine", "/m/sub", "tmpfs",
               "--", "pause")
    b.process["capabilities"] = {k: v + ["CAP_SYS_ADMIN"] for k, v in b.process["capabilities"].items()}
    if returns:
        b.linux["rootfsPropagation"] = "shared"
    b.mount("/m", "bind", shared_source, ["rbind", *([option] if option else [])])
    c = coracle.started(b)
    coracle.wait_output(c, "\n")
    tags = {t.partition(":")[0] for t in mounts.of(coracle.output(c))["/m"].propagation}
    assert tags >= ({tag} if tag else set()) and (tag or not tags)
    subprocess.run(["mount", "-t", "tmpfs", "theirs", f"{shared_source}/sub"], check=True)
    b.file("go")

    def look_inside():
        return [m.source for m in mounts.parse(coracle("exec", c, "/init", "mounts").out) if m.at == "/m/sub"]
    coracle.wait_until(lambda: "mine" in look_inside(), "mounted inside")
    inside = look_inside()
    outside = [m.source for m in mounts.parse(mounts.host()) if m.at == f"{shared_source}/sub"]
    assert ("theirs" in inside) == arrives
    assert ("mine" in outside) == returns
