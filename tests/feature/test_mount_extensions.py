# SPDX-License-Identifier: GPL-2.0-or-later
"""test_mount_extensions.py - mount options beyond the kernel's flags: mapped ids, tmpcopyup, links as they are."""
import os
import socket
import stat

import pytest

from lib import mounts

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


def owner(line):
    words = line.split()
    return int(words[words.index("uid") + 1]), int(words[words.index("gid") + 1])


def ids(container, host, size=1):
    return [{"containerID": container, "hostID": host, "size": size}]


@pytest.fixture
def source(tmp_path):
    """A directory with files of root, of 1000:1001, and a mount below with one of root."""
    top = tmp_path / "source"
    (top / "below").mkdir(parents=True)
    for name, uid, gid in (("root", 0, 0), ("user", 1000, 1001)):
        (top / name).write_text(name)
        os.chown(top / name, uid, gid)
    os.system(f"mount -t tmpfs below {top}/below && touch {top}/below/file")
    yield top
    os.system(f"umount {top}/below")


STAT = ("stat", "/m/root", "/m/user")


def seen(coracle, b):
    return [owner(line) for line in coracle.run(b).out.splitlines()]


# --- mapped ids ---

@pytest.mark.parametrize("option", ["idmap", "ridmap", ""])
def test_a_mount_with_mappings_of_its_own(coracle, bundle, source, option):
    b = bundle(*STAT)
    b.mount("/m", "bind", source, ["rbind", *filter(None, [option])])
    b.config["mounts"][-1].update(uidMappings=ids(0, 5000) + ids(1000, 0), gidMappings=ids(0, 6000) + ids(1001, 1))
    assert seen(coracle, b) == [(5000, 6000), (0, 1)]
    assert os.stat(source / "user").st_uid == 1000


def test_what_a_mapping_leaves_out_is_nobodys(coracle, bundle, source):
    b = bundle(*STAT).mount("/m", "bind", source, ["bind", "idmap"])
    b.config["mounts"][-1].update(uidMappings=ids(0, 7), gidMappings=ids(0, 8))
    assert seen(coracle, b) == [(7, 8), (65534, 65534)]


def test_idmap_is_of_one_mount_and_ridmap_of_all_below(coracle, bundle, source):
    for option, expected in (("idmap", (0, 0)), ("ridmap", (9, 9))):
        b = bundle("stat", "/m/root", "/m/below/file").mount("/m", "bind", source, ["rbind", option])
        b.config["mounts"][-1].update(uidMappings=ids(0, 9), gidMappings=ids(0, 9))
        assert seen(coracle, b) == [(9, 9), expected]


def with_user_namespace(b):
    b.namespace("user")
    b.linux.update(uidMappings=ids(0, 100000, 65536), gidMappings=ids(0, 200000, 65536))
    os.chmod(b.path, 0o755)
    os.mkdir(f"{b.rootfs}/m")         # root of the user namespace may make nothing in this root
    return b


def test_without_mappings_the_containers_are_used(coracle, bundle, source):
    b = with_user_namespace(bundle(*STAT, "--", "write", "/m/new", "x"))
    b.mount("/m", "bind", source, ["bind", "idmap"])
    os.chmod(source, 0o777)
    assert seen(coracle, b) == [(0, 0), (1000, 1001)]
    assert (os.stat(source / "new").st_uid, os.stat(source / "new").st_gid) == (0, 0)


def test_the_mappings_of_a_joined_user_namespace(coracle, bundle, source):
    first = coracle.started(with_user_namespace(bundle("pause")))
    b = with_user_namespace(bundle(*STAT)).namespace("user", f"/proc/{coracle.state(first)['pid']}/ns/user")
    b.mount("/m", "bind", source, ["bind", "idmap"])
    assert seen(coracle, b) == [(0, 0), (1000, 1001)]


@pytest.mark.parametrize("text, expected", [
    ("uids=0-300-1#1000-400-10;gids=0-500-1#1001-600-1", [(300, 500), (400, 600)]),
    ("gids=0-1-2000;uids=0-2-2000", [(2, 1), (1002, 1002)]),
])
def test_mappings_in_the_option_as_podman_writes_them(coracle, bundle, source, text, expected):
    b = bundle(*STAT).mount("/m", "bind", source, ["bind", "idmap=" + text])
    assert seen(coracle, b) == expected


def test_mappings_relative_to_the_container(coracle, bundle, source):
    b = with_user_namespace(bundle(*STAT))
    b.mount("/m", "bind", source, ["bind", "idmap=uids=@0-3-1#@1000-0-1;gids=@0-4-1#1001-200005-1"])
    assert seen(coracle, b) == [(3, 4), (0, 5)]


def test_read_only_and_mapped(coracle, bundle, source):
    b = bundle("mounts", "--", "write", "/m/x").mount("/m", "bind", source, ["bind", "idmap", "ro", "nosuid"])
    b.config["mounts"][-1].update(uidMappings=ids(0, 0), gidMappings=ids(0, 0))
    result = coracle.run(b, check=False)
    assert {"ro", "nosuid", "idmapped"} <= mounts.of(result.out)["/m"].options and "EROFS" in result.err


@pytest.mark.parametrize("kind, options, more, said", [
    ("bind", ["bind", "idmap"], {}, "mounts[7]: mount SOURCE at /m: option idmap: needs mappings, or a user namespace"),
    ("tmpfs", ["idmap"], {"uidMappings": ids(0, 1), "gidMappings": ids(0, 1)}, "only bind mounts can have mapped ids"),
    ("bind", ["bind", "idmap=uids=0-1"], {}, 'option idmap: expected three numbers with "-" between'),
    ("bind", ["bind", "idmap=uids=0-1-1"], {}, "option idmap: both uids= and gids= are needed"),
    ("bind", ["bind", "idmap=users=0-1-1"], {}, 'option idmap: "users=0-1-1" is neither uids= nor gids='),
    ("bind", ["bind", "ridmap=uids=@0-1-1;gids=0-1-1"], {}, "the container's user namespace does not map 1 to 1"),
    ("bind", ["bind"], {"uidMappings": ids(0, 1, 0)}, "mounts[7].uidMappings[0].size: 0 ids"),
    ("bind", ["bind"], {"uidMappings": ids(0, 1)}, "mounts[7].gidMappings: missing, while uidMappings are there"),
])
def test_mappings_that_cannot_be(coracle, bundle, source, kind, options, more, said):
    b = bundle("true").mount("/m", kind, source, options)
    b.config["mounts"][-1].update(more)
    result = coracle.run(b, check=False)
    assert result.rc == 1 and said.replace("SOURCE", str(source)) in result.err


def test_a_file_system_that_cannot_map_ids(coracle, bundle):
    b = bundle("true").mount("/m", "bind", "/proc", ["bind", "idmap"])
    b.config["mounts"][-1].update(uidMappings=ids(0, 1), gidMappings=ids(0, 1))
    result = coracle.run(b, check=False)
    assert result.rc == 1 and "map the ids of a mount (its file system cannot" in result.err


# --- tmpcopyup ---

def test_tmpcopyup_copies_what_it_covers(coracle, bundle):
    b = bundle("stat", "/data", "/data/file", "/data/dir", "/data/dir/deep", "/data/link", "/data/fifo", "/data/socket",
               "--", "cat", "/data/file", "--", "readlink", "/data/link", "--", "write", "/data/dir/new", "x")
    b.file("/data/file", "text")
    b.file("/data/dir/deep", "x" * 100000)
    top = f"{b.rootfs}/data"
    os.chown(f"{top}/file", 5, 6)
    os.chmod(f"{top}/dir", 0o1777)
    os.chmod(top, 0o2755)
    os.chown(top, 8, 9)
    os.chmod(top, 0o2755)
    os.symlink("/etc/passwd", f"{top}/link")
    os.mkfifo(f"{top}/fifo")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{top}/socket")
    out = coracle.run(b.mount("/data", "tmpfs", "tmpfs", ["tmpcopyup", "nosuid"])).out
    for line in ("path /data type dir mode 2755 uid 8 gid 9", "path /data/file type file mode 0644 uid 5 gid 6 size 4",
                 "path /data/dir type dir mode 1777", "/data/dir/deep type file mode 0644 uid 0 gid 0 size 100000",
                 "path /data/link type link", "path /data/fifo type fifo", "path /data/socket type socket"):
        assert line in out
    assert out.endswith("text/etc/passwd\n")
    assert os.listdir(f"{top}/dir") == ["deep"]


def test_tmpcopyup_read_only(coracle, bundle):
    b = bundle("cat", "/data/file", "--", "write", "/data/file", "new")
    b.file("/data/file", "text")
    result = coracle.run(b.mount("/data", "tmpfs", "tmpfs", ["tmpcopyup", "ro"]), check=False)
    assert result.out == "text" and "EROFS" in result.err


def test_tmpcopyup_of_nothing(coracle, bundle):
    assert coracle.run(bundle("ls", "/new").mount("/new", "tmpfs", "tmpfs", ["tmpcopyup"])).out == ""


def test_tmpcopyup_does_not_read_outside_of_the_root(coracle, bundle, tmp_path):
    """CVE-2022-23648: the directory is a link of the image."""
    (tmp_path / "decoy").mkdir()
    (tmp_path / "decoy" / "secret").write_text("secret")
    b = bundle("ls", "/data")
    os.symlink(str(tmp_path / "decoy"), f"{b.rootfs}/data")
    assert "secret" not in coracle.run(b.mount("/data", "tmpfs", "tmpfs", ["tmpcopyup"]), check=False).out


def test_tmpcopyup_leaves_other_mounts_and_devices_out(coracle, bundle, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    b = bundle("ls", "/data")
    b.file("/data/file")
    os.mknod(f"{b.rootfs}/data/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    b.mount("/data/sub", "bind", tmp_path / "other", ["bind"]).mount("/data", "tmpfs", "tmpfs", ["tmpcopyup"])
    assert coracle.run(b).out.split() == ["file"]


@pytest.mark.parametrize("kind, options", [("bind", ["bind", "tmpcopyup"]), ("proc", ["tmpcopyup"])])
def test_tmpcopyup_goes_with_a_tmpfs(coracle, bundle, tmp_path, kind, options):
    result = coracle.run(bundle("true").mount("/m", kind, tmp_path, options), check=False)
    assert result.rc == 1 and "option tmpcopyup: goes with a tmpfs" in result.err


# --- links ---

def test_copy_symlink(coracle, bundle, tmp_path):
    os.symlink("/some/where", tmp_path / "link")
    b = bundle("readlink", "/new/link", "--", "readlink", "/there").mount("/new/link", "bind", tmp_path / "link",
                                                                         ["bind", "copy-symlink"])
    os.symlink("/some/where", f"{b.rootfs}/there")
    b.mount("/there", "bind", tmp_path / "link", ["bind", "copy-symlink"])
    assert coracle.run(b).out == "/some/where\n/some/where\n"


def test_copy_symlink_of_a_file_is_a_mount(coracle, bundle, tmp_path):
    (tmp_path / "file").write_text("text")
    b = bundle("cat", "/m", "--", "mounts").mount("/m", "bind", tmp_path / "file", ["bind", "ro", "copy-symlink"])
    out = coracle.run(b).out
    assert out.startswith("text") and "ro" in mounts.of(out[4:])["/m"].options


def test_copy_symlink_stays_in_the_root_and_replaces_nothing(coracle, bundle, tmp_path):
    (tmp_path / "decoy").mkdir()
    os.symlink("/x", tmp_path / "link")
    b = bundle("true")
    os.symlink(str(tmp_path / "decoy"), f"{b.rootfs}/out")
    b.mount("/out/link", "bind", tmp_path / "link", ["bind", "copy-symlink"])
    coracle.run(b, check=False)
    assert os.listdir(tmp_path / "decoy") == []
    b = bundle("true")
    b.file("/file", "mine")
    result = coracle.run(b.mount("/file", "bind", tmp_path / "link", ["bind", "copy-symlink"]), check=False)
    assert result.rc == 1 and "copy-symlink: there is something else at the destination" in result.err
    assert b.read("/file") == "mine"


def test_src_nofollow_mounts_the_link(coracle, bundle, tmp_path):
    (tmp_path / "file").write_text("text")
    os.symlink("file", tmp_path / "link")
    b = bundle("cat", "/followed", "--", "stat", "/link", "--", "readlink", "/link")
    b.mount("/followed", "bind", tmp_path / "link", ["bind"])
    os.symlink("/nowhere", f"{b.rootfs}/link")
    b.mount("/link", "bind", tmp_path / "link", ["bind", "src-nofollow", "dest-nofollow"])
    out = coracle.run(b).out
    assert out.startswith("textpath /link type link") and out.endswith("\nfile\n")
    assert os.readlink(f"{b.rootfs}/link") == "/nowhere"


def test_dest_nofollow_covers_the_link(coracle, bundle, tmp_path):
    (tmp_path / "file").write_text("text")
    b = bundle("cat", "/link", "--", "cat", "/target", "--", "stat", "/link")
    b.file("/target", "target")
    os.symlink("target", f"{b.rootfs}/link")
    b.mount("/link", "bind", tmp_path / "file", ["bind", "dest-nofollow"])
    assert coracle.run(b).out.startswith("texttargetpath /link type file")
