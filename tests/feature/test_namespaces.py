# SPDX-License-Identifier: GPL-2.0-or-later
"""test_namespaces.py - each kind new, joined by path, or the host's; and what they do together."""
import os
import signal
import subprocess

import pytest

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

# OCI's names and the kernel's
KINDS = {"cgroup": "cgroup", "ipc": "ipc", "network": "net", "pid": "pid", "time": "time", "uts": "uts"}
ALL = {**KINDS, "mount": "mnt", "user": "user"}
MAP = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def seen(out):
    """The payload's `ns` as {kernel's name: "kind:[inode]"}."""
    return dict(line.split() for line in out.splitlines() if ":[" in line)


def of(pid):
    return {k: os.readlink(f"/proc/{pid}/ns/{k}") for k in ALL.values()}


def in_user_namespace(b, maps=None):
    b.namespace("user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = maps or MAP
    b.linux["resources"] = {}
    return b


def without_masks(b):
    """What another pid or mount namespace's /proc need not have."""
    b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
    return b


@pytest.fixture
def holder(coracle, bundle):
    """A running container with every namespace of its own but the user's; its pid."""
    b = bundle("reap", "--", "pause").namespace("time")
    b.config["hostname"] = "holder"
    c = coracle.started(b)
    return coracle.state(c)["pid"]


# --- new, joined, the host's ------------------------------------------------------------------------------------------

def test_all_are_new_that_the_config_lists(coracle, bundle):
    inside = seen(coracle.run(in_user_namespace(bundle("ns").namespace("time"))).out)
    host = of("self")
    assert all(inside[k] != host[k] for k in ALL.values())


@pytest.mark.parametrize("kind", KINDS)
def test_absent_is_the_hosts(coracle, bundle, kind):
    b = bundle("ns").drop_namespace(kind)
    if kind == "uts":
        del b.config["hostname"]
    if kind == "network":
        b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/sys"]
    inside, host = seen(coracle.run(b).out), of("self")
    absent = {KINDS[kind], "time", "user"}
    assert {k for k in ALL.values() if inside[k] == host[k]} == absent


@pytest.mark.parametrize("kind", KINDS)
def test_joined_by_path(coracle, bundle, holder, kind):
    b = bundle("ns", "--", "uname").namespace(kind, f"/proc/{holder}/ns/{KINDS[kind]}")
    b.config.pop("hostname")
    if kind == "network":
        b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/sys"]
    out = coracle.run(b).out
    inside, host, theirs = seen(out), of("self"), of(holder)
    assert inside[KINDS[kind]] == theirs[KINDS[kind]] != host[KINDS[kind]]
    assert ("hostname holder" in out) == (kind == "uts")
    assert all(inside[k] != theirs[k] for k in KINDS.values() if k not in (KINDS[kind], "time"))


def test_all_joined_at_once(coracle, bundle, holder):
    """As a pod's second container: everything but the mounts is another's."""
    b = bundle("ns")
    for kind, name in KINDS.items():
        b.namespace(kind, f"/proc/{holder}/ns/{name}")
    b.config.pop("hostname")
    inside, theirs = seen(coracle.run(b).out), of(holder)
    assert {k for k in ALL.values() if inside[k] != theirs[k]} == {"mnt"}


def test_exec_is_in_all_of_them(coracle, bundle):
    c = coracle.started(in_user_namespace(bundle("pause").namespace("time")))
    inside = seen(coracle("exec", c, "/init", "ns").out)
    assert inside == of(coracle.state(c)["pid"])


def test_a_joined_mount_namespace(coracle, bundle):
    """Its mounts are what the root is looked up in: a root that only it has."""
    b = bundle("ns", "--", "cat", "/only-there")
    there = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c",
                              'mount -t tmpfs t "$0" && cp /proc/self/exe /dev/null && echo ready && read x', b.path],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with there:
        assert there.stdout.readline() == b"ready\n"
        at = f"/proc/{there.pid}/root{b.rootfs}"
        subprocess.run(["cp", "-a", b.rootfs, os.path.dirname(at)], check=True)
        with open(f"{at}/only-there", "w", encoding="ascii") as f:
            f.write("seen\n")
        b.namespace("mount", f"/proc/{there.pid}/ns/mnt")
        result = coracle.run(b, check=False)
        theirs = os.readlink(f"/proc/{there.pid}/ns/mnt")
        there.stdin.close()
    assert result.rc == 0, result.err
    assert seen(result.out)["mnt"] == theirs and result.out.endswith("seen\n")


# --- user namespaces ----------------------------------------------------------------------------------------------------

def test_ids_are_mapped(coracle, bundle):
    """Files made inside belong to the mapped ids outside; those of others to nobody inside."""
    b = in_user_namespace(bundle("id", "--", "write", "/tmp/made", "x", "--", "stat", "/tmp/made", "/etc", "--",
                                 "write", "/dev/null", "x", "--", "cat", "/proc/self/uid_map", "--", "ls", "/sys"))
    b.process["user"] = {"uid": 7, "gid": 8}
    os.chown(f"{b.rootfs}/tmp", 100007, 100008)
    out = coracle.run(b).out
    assert "uid 7\n" in out and "gid 8\n" in out
    assert "path /tmp/made type file mode 0644 uid 7 gid 8" in out
    assert "path /etc type dir mode 0755 uid 65534 gid 65534" in out
    assert ["0", "100000", "65536"] in [line.split() for line in out.splitlines()]
    made = os.stat(f"{b.rootfs}/tmp/made")
    assert (made.st_uid, made.st_gid) == (100007, 100008)


def test_several_ranges(coracle, bundle):
    maps = [{"containerID": 0, "hostID": 300000, "size": 10}, {"containerID": 10, "hostID": 500000, "size": 5},
            {"containerID": 1000, "hostID": 0, "size": 1}]
    out = coracle.run(in_user_namespace(bundle("cat", "/proc/self/uid_map", "/proc/self/gid_map"), maps)).out
    assert [tuple(map(int, line.split())) for line in out.splitlines()] == [
        (0, 300000, 10), (10, 500000, 5), (1000, 0, 1)] * 2


def test_root_inside_is_nobody_outside(coracle, bundle, tmp_path):
    """No right over the host's: a file of root's, bound in, cannot be written or taken."""
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    b = in_user_namespace(bundle("open", "/secret"))
    b.file("secret")
    b.mount("/secret", "bind", secret, ["rbind"])
    result = coracle.run(b, check=False)
    assert result.rc == 1 and "open /secret: EACCES" in result.err


def test_a_joined_user_namespace(coracle, bundle):
    """The second container of a pod: the first's user namespace, and what belongs to it."""
    first = coracle.started(in_user_namespace(bundle("reap", "--", "pause")))
    pid = coracle.state(first)["pid"]
    b = bundle("ns", "--", "id", "--", "cat", "/proc/self/uid_map")
    b.linux["resources"] = {}
    b.namespace("user", f"/proc/{pid}/ns/user")
    for kind in ("ipc", "network", "uts"):
        b.namespace(kind, f"/proc/{pid}/ns/{KINDS[kind]}")
    b.config.pop("hostname")
    out = coracle.run(b).out
    inside, theirs = seen(out), of(pid)
    assert {k for k in ALL.values() if inside[k] == theirs[k]} == {"user", "ipc", "net", "uts", "time"}
    assert "uid 0\n" in out and ["0", "100000", "65536"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize("change, said", [
    (lambda b: b.linux.pop("uidMappings"), "uidMappings"),
    (lambda b: b.process["user"].update(uid=70000), "70000"),
    (lambda b: b.drop_namespace("user"), "user namespace"),
], ids=["no map", "an id outside of the map", "a map without a namespace"])
def test_user_namespaces_that_cannot_be(coracle, bundle, change, said):
    b = in_user_namespace(bundle("true"))
    change(b)
    result = coracle.run(b, check=False)
    assert result.rc == 1 and said in result.err, result.err


# --- time ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("user", [False, True], ids=["host's user namespace", "its own"])
def test_time_offsets_are_seen_inside(coracle, bundle, user):
    b = bundle("clocks").namespace("time")
    if user:
        in_user_namespace(b)
    b.linux["timeOffsets"] = {"monotonic": {"secs": 1000000, "nanosecs": 5}, "boottime": {"secs": 2000000}}
    host = dict(line.split() for line in coracle.run(bundle("clocks")).out.splitlines())
    inside = dict(line.split() for line in coracle.run(b).out.splitlines())
    assert 1000000 <= int(inside["monotonic"]) - int(host["monotonic"]) < 1000100
    assert 2000000 <= int(inside["boottime"]) - int(host["boottime"]) < 2000100


def test_exec_sees_the_containers_time(coracle, bundle):
    b = bundle("pause").namespace("time")
    b.linux["timeOffsets"] = {"boottime": {"secs": 3000000}}
    c = coracle.started(b)
    out = coracle("exec", c, "/init", "clocks").out
    assert int(out.split()[3]) > 3000000


# --- what cannot be joined ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ALL)
def test_a_namespace_of_another_kind(coracle, bundle, kind):
    """The file is asked what it is before anything is made."""
    wrong = "net" if kind != "network" else "uts"
    b = bundle("true").namespace(kind, f"/proc/self/ns/{wrong}")
    result = coracle.run(b, check=False)
    assert result.rc == 1 and kind in result.err and f"/proc/self/ns/{wrong}" in result.err, result.err


@pytest.mark.parametrize("path, said", [("/nothing/there", "No such file"), ("/etc/passwd", "/etc/passwd"),
                                        ("relative/path", "absolute")])
def test_a_path_that_is_no_namespace(coracle, bundle, path, said):
    result = coracle.run(bundle("true").namespace("network", path), check=False)
    assert result.rc == 1 and path in result.err and said in result.err, result.err
    assert coracle.state(coracle.ids[-1]) is None


def test_a_namespace_listed_twice(coracle, bundle):
    b = bundle("true")
    b.linux["namespaces"].append({"type": "uts"})
    assert '"uts" appears twice' in coracle.run(b, check=False).err


@pytest.mark.parametrize("key, value", [("hostname", "box"), ("domainname", "net")])
def test_a_name_without_a_uts_namespace(coracle, bundle, key, value):
    """Would be the host's: refused."""
    b = bundle("true").drop_namespace("uts")
    b.config.pop("hostname")
    b.config[key] = value
    before = os.uname()
    result = coracle.run(b, check=False)
    assert result.rc == 1 and key in result.err
    assert os.uname() == before


# --- pids in common -------------------------------------------------------------------------------------------------------

def pids(coracle, id):
    return {int(p) for p in coracle("ps", "-f", "json", id).out.strip("[]\n").split(",") if p}


def wait_gone(coracle, those):
    for pid in those:
        coracle.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"process {pid} is gone")


def test_a_shared_pid_namespace(coracle, bundle):
    """Two containers that see each other: the end of the second leaves the first alone, and takes all of its own."""
    first = coracle.started(bundle("pause"))
    at = coracle.state(first)["pid"]
    second = coracle.started(bundle("child", "--", "pause").namespace("pid", f"/proc/{at}/ns/pid"))
    coracle.wait_until(lambda: len(pids(coracle, second)) == 2, "there are two")
    theirs = pids(coracle, second)
    coracle("kill", second, "KILL")
    coracle.wait_status(second, "stopped")
    assert coracle.state(first)["status"] == "running"
    coracle("delete", second)
    assert coracle.state(second) is None and coracle.state(first)["status"] == "running"
    coracle("delete", "--force", first)     # and with it the zombies that its pid 1 has inherited
    wait_gone(coracle, theirs)


def test_the_end_of_the_first_ends_the_second(coracle, bundle):
    first = coracle.started(bundle("pause"))
    at = coracle.state(first)["pid"]
    second = coracle.started(bundle("pause").namespace("pid", f"/proc/{at}/ns/pid"))
    coracle("kill", first, "KILL")
    coracle.wait_status(second, "stopped")
    coracle("delete", second)
    coracle("delete", first)


def test_the_hosts_pid_namespace_leaves_nobody(coracle, bundle):
    """When the first process ends, delete ends the rest of its group."""
    b = bundle("child", "--", "pause").drop_namespace("pid")
    c = coracle.started(b)
    coracle.wait_until(lambda: len(pids(coracle, c)) == 2, "there are two")
    theirs = pids(coracle, c)
    os.kill(coracle.state(c)["pid"], signal.SIGKILL)
    coracle.wait_status(c, "stopped")
    coracle("delete", c)
    wait_gone(coracle, theirs)


def test_a_user_namespace_without_maps_has_all_ids(coracle, bundle):
    b = bundle("cat", "/proc/self/uid_map", "/proc/self/gid_map").namespace("user")
    assert [line.split() for line in coracle.run(b).out.splitlines()] == [["0", "0", "4294967295"]] * 2
    c = coracle.started(bundle("pause").namespace("user"))
    with open("/proc/self/ns/user", "rb"):
        ours = os.readlink("/proc/self/ns/user")
    assert os.readlink(f"/proc/{coracle.state(c)['pid']}/ns/user") != ours
    assert coracle("exec", c, "/init", "cat", "/proc/self/uid_map").out.split() == ["0", "0", "4294967295"]
