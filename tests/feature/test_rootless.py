# SPDX-License-Identifier: GPL-2.0-or-later
"""test_rootless.py - containers of a user who is not root: his ids, his namespaces, his control groups."""
import json
import os
import shutil
import subprocess
import tempfile

import pytest

from lib.coracle import Coracle

pytestmark = [pytest.mark.needs("root", "node", "userns"), pytest.mark.also_in_vm]

USER, GROUP = 1234, 1235
WRAPPER = """#!/bin/sh
exec setpriv --reuid {user} --regid {group} --clear-groups -- {binary} "$@"
"""


@pytest.fixture
def place():
    """A directory of the user's, which he may reach."""
    directory = tempfile.mkdtemp(prefix="coracle-rootless-")
    os.chmod(directory, 0o755)
    os.chown(directory, USER, GROUP)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def user(coracle, place):
    """The driver of the binary, run by the user.  (`coracle` looks for what is left.)"""
    binary = shutil.copy(coracle.binary, place)
    wrapper = os.path.join(place, "as-user")
    with open(wrapper, "w", encoding="ascii") as f:
        f.write(WRAPPER.format(user=USER, group=GROUP, binary=binary))
    os.chmod(wrapper, 0o755)
    driver = Coracle(wrapper, os.path.join(place, "driver"))
    os.chown(driver.directory, USER, GROUP)
    driver.binary_itself = binary
    yield driver
    driver.close()


@pytest.fixture
def tree(place, payload):
    """A root tree that belongs to the user."""
    path = os.path.join(place, "tree")
    for name in ("proc", "dev", "sys", "tmp", "etc"):
        os.makedirs(os.path.join(path, name))
    shutil.copy(payload, os.path.join(path, "init"))
    subprocess.run(["chown", "-R", f"{USER}:{GROUP}", path], check=True)
    return path


@pytest.fixture
def no_ranges():
    """No subordinate ids for anybody."""
    saved = {}
    for path in ("/etc/subuid", "/etc/subgid"):
        if os.path.exists(path):
            with open(path, encoding="ascii") as f:
                saved[path] = f.read()
            os.unlink(path)
    yield
    for path, text in saved.items():
        with open(path, "w", encoding="ascii") as f:
            f.write(text)


@pytest.fixture
def ranges(no_ranges):
    """Ranges of the user's, by his number and by his name (newuidmap wants that he has one)."""
    if not os.path.exists("/usr/bin/newuidmap"):
        pytest.skip("needs newuidmap (package uidmap)")
    for path, start in (("/etc/subuid", 300000), ("/etc/subgid", 400000)):
        with open(path, "w", encoding="ascii") as f:
            f.write(f"other:100000:65536\n{USER}:{start}:1000\nboxer:{start + 5000}:10\n")
    with open("/etc/passwd", encoding="utf-8") as f:
        passwd = f.read()
    with open("/etc/passwd", "a", encoding="utf-8") as f:
        f.write(f"boxer:x:{USER}:{GROUP}::/:/bin/sh\n")
    yield
    with open("/etc/passwd", "w", encoding="utf-8") as f:
        f.write(passwd)
    for path in ("/etc/subuid", "/etc/subgid"):
        os.unlink(path)


def told(out):
    return dict(line.partition(" ")[::2] for line in out.splitlines())


def maps(text):
    return [tuple(map(int, line.split())) for line in text.splitlines()]


def test_run_with_ones_own_id_alone(user, tree, no_ranges):
    out = user("run", "--rootfs", tree, "box", "/init", "id", "--", "cat", "/proc/self/uid_map", "/proc/self/gid_map").out
    assert (told(out)["uid"], told(out)["gid"], told(out)["groups"], told(out)["pid"]) == ("0", "0", "", "1")
    assert maps("\n".join(out.splitlines()[-2:])) == [(0, USER, 1), (0, GROUP, 1)]


def test_run_with_subordinate_ids(user, tree, ranges):
    out = user("run", "--rootfs", tree, "box", "/init", "cat", "/proc/self/uid_map", "/proc/self/gid_map").out
    assert maps(out) == [(0, USER, 1), (1, 300000, 1000), (1001, 305000, 10),
                         (0, GROUP, 1), (1, 400000, 1000), (1001, 405000, 10)]
    user("run", "--rootfs", tree, "--user", "7:8", "box", "/init", "write", "/tmp/x", "x", check=False)
    os.chmod(f"{tree}/tmp", 0o1777)
    out = user("run", "--rootfs", tree, "--user", "7:8", "box", "/init", "id", "--", "write", "/tmp/x", "x").out
    assert (told(out)["uid"], told(out)["gid"]) == ("7", "8")
    st = os.stat(f"{tree}/tmp/x")
    assert (st.st_uid, st.st_gid) == (300006, 400007)


def test_exit_codes_and_standard_output(user, tree):
    assert user("run", "--rootfs", tree, "box", "/init", "exit", "7", check=False).rc == 7
    result = user("run", "--rootfs", tree, "box", "/nobody", check=False)
    assert result.rc == 1 and "no such file or directory" in result.err


def test_a_life(user, tree, coracle):
    user.ids.append("box")
    user("run", "--detach", "--rootfs", tree, "box", "/init", "reap", "--", "pause")
    state = user.state("box")
    assert state["status"] == "running" and state["owner"] == str(USER)
    assert os.stat(f"/proc/{state['pid']}").st_uid == USER
    assert json.loads(user("ps", "--format", "json", "box").out) == [state["pid"]]
    assert "box" in user("list", "--quiet").out
    out = told(user("exec", "box", "/init", "id", "--", "cat", "/proc/self/uid_map", "--", "caps").out)
    assert out["uid"] == "0" and out["pid"] == "2" and int(out["CapEff"], 16) != 0
    assert user("exec", "box", "/init", "exit", "9", check=False).rc == 9
    # root reaches it, too; others do not
    root = subprocess.run([coracle.binary, "--root", user.root, "exec", "box", "/init", "id"], check=False,
                          capture_output=True, text=True)
    assert root.returncode == 0 and (told(root.stdout)["uid"], told(root.stdout)["groups"]) == ("0", ""), root.stderr
    other = subprocess.run(["setpriv", "--reuid", "4321", "--clear-groups", user.binary_itself, "--root", user.root, "state",
                            "box"], capture_output=True, text=True, check=False)
    assert other.returncode == 1 and "Permission denied" in other.stderr
    user("kill", "box", "KILL")
    user.wait_status("box", "stopped")
    user("delete", "box")
    assert user.state("box") is None


def test_kill_all_and_forced_delete_without_a_group(user, tree):
    user.ids.append("box")
    user("run", "--detach", "--rootfs", tree, "box", "/init", "child", "--", "reap", "--", "pause", check=False)
    user("kill", "--all", "box", "KILL", check=False)
    user("delete", "--force", "box")
    assert user.state("box") is None


def bundle_of(user, tree, config):
    path = os.path.join(os.path.dirname(tree), "bundle")
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o755)
    config["root"] = {"path": tree, "readonly": False}
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return path


def spec(user, *words):
    config = json.loads(user("spec", "--print", *words).out)
    config["process"].update(terminal=False, args=["/init", "id"])
    return config


def test_create_and_start_of_what_spec_writes(user, tree):
    path = bundle_of(user, tree, spec(user, "--rootless"))
    c = user.new_id()
    user("create", "--bundle", path, c, log=user._log(c))
    assert user.state(c)["status"] == "created"
    user("start", c)
    user.wait_status(c, "stopped")
    assert told(user.output(c))["uid"] == "0"
    user("delete", c)


def test_a_config_without_a_user_namespace_gets_one(user, tree):
    """As engines write it: with a network namespace, a sysfs, device rules, and without a thought of users."""
    config = spec(user)
    assert "user" not in [n["type"] for n in config["linux"]["namespaces"]]
    for mount in config["mounts"]:
        mount["options"] = [o for o in mount.get("options", []) if o != "gid=5"]
    path = bundle_of(user, tree, config)
    assert told(user("run", "--bundle", path, user.new_id()).out)["uid"] == "0"
    config["process"]["args"] = ["/init", "pause"]
    bundle_of(user, tree, config)
    c = user.new_id()
    user("run", "--detach", "--bundle", path, c)
    assert told(user("exec", c, "/init", "id").out)["uid"] == "0"


@pytest.mark.parametrize("limit, key", [(["--memory", "64M"], "memory.limit"), (["--pids", "10"], "pids.limit"),
                                        (["--cpus", "1"], "cpu.quota")])
def test_a_limit_that_cannot_be_set_is_an_error(user, tree, limit, key):
    result = user("run", *limit, "--rootfs", tree, "box", "/init", "true", check=False)
    assert result.rc == 1 and f"linux.resources.{key}: cannot be set: cgroup" in result.err
    assert "is not delegated to user 1234" in result.err and user("list", "--quiet").out == ""


@pytest.fixture
def delegated(user):
    """A group that was given to the user, as systemd does it; his commands start in a group below."""
    top = f"/sys/fs/cgroup/deleg-{os.getpid()}"
    own = top + "/own"
    os.makedirs(own)
    for group in (top, own):
        for name in ("", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"):
            os.chown(group + name, USER, GROUP)
    with open(user.binary, encoding="ascii") as f:
        text = f.read()
    with open(user.binary, "w", encoding="ascii") as f:
        f.write(text.replace("exec ", f"echo $$ >{own}/cgroup.procs; exec ", 1))
    yield top
    user.close()
    for group in (own, top):
        os.rmdir(group)


def test_a_delegated_group_is_used(user, tree, delegated):
    user.ids.append("box")
    user("run", "--detach", "--rootfs", tree, "box", "/init", "reap", "--", "pause")
    assert user.group("box") == delegated + "/coracle-box"
    user("pause", "box")
    assert user.state("box")["status"] == "paused"
    user("resume", "box")
    with user.popen("exec", "box", "/init", "cat", "/proc/self/cgroup", stdout=subprocess.PIPE, text=True) as p:
        assert p.communicate(timeout=30)[0].endswith("0::/\n")
    user("delete", "--force", "box")
    assert not os.path.exists(delegated + "/coracle-box")


@pytest.mark.needs("memory-controller", "pids-controller")
def test_limits_in_a_delegated_group(user, tree, delegated):
    top = os.path.dirname(delegated)
    with open(top + "/cgroup.subtree_control", "w", encoding="ascii") as f:
        f.write("+memory +pids")
    user.ids.append("box")
    user("run", "--detach", "--memory", "64M", "--pids", "20", "--rootfs", tree, "box", "/init", "reap", "--", "pause")
    assert (user.knob("box", "memory.max"), user.knob("box", "pids.max")) == (str(64 << 20), "20")
    user("update", "--memory", "65M", "box")
    assert user.knob("box", "memory.max") == str(65 << 20)
    user("delete", "--force", "box")


def test_without_any_groups(user, tree):
    user.ids.append("box")
    user("--cgroup-manager", "disabled", "run", "--detach", "--rootfs", tree, "box", "/init", "pause")
    with open(f"/proc/{user.state('box')['pid']}/cgroup", encoding="ascii") as f, \
            open("/proc/self/cgroup", encoding="ascii") as own:
        assert f.read() == own.read()
    for words in (["pause", "box"], ["update", "--pids-limit", "5", "box"]):
        result = user(*words, check=False)
        assert result.rc == 1 and "container box has no cgroup" in result.err


def test_volumes_and_masks(user, tree, place):
    os.makedirs(f"{place}/data")
    os.chown(f"{place}/data", USER, GROUP)
    out = user("run", "--rootfs", tree, "--volume", f"{place}/data:/data", "--read-only", "box", "/init", "write",
               "/data/x", "text", "--", "stat", "/dev/null", check=False)
    with open(f"{place}/data/x", encoding="ascii") as f:
        assert f.read() == "text"
    assert "/dev/null type char" in out.out and "rdev 1:3" in out.out


def test_the_kernels_files_are_not_his(user, tree):
    result = user("run", "--rootfs", tree, "box", "/init", "write", "/sys/fs/cgroup/cgroup.procs", "1", check=False)
    assert result.rc
    result = user("run", "--rootfs", tree, "box", "/init", "write", "/proc/sys/kernel/core_pattern", "x", check=False)
    assert result.rc


def test_root_of_a_user_namespace_that_is_around_us(coracle, bundle, place):
    """As Podman without root calls us: uid 0, no user namespace in the config, none of the host's rights."""
    b = bundle("pause")
    b.linux["namespaces"] = [{"type": t} for t in ("pid", "ipc", "uts", "mount", "cgroup")]
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] not in ("/sys", "/sys/fs/cgroup")]
    for mount in b.config["mounts"]:
        if mount["destination"] == "/dev/pts":
            mount["options"].remove("gid=5")
    holder = subprocess.Popen(["unshare", "--user", "--map-root-user", "--mount", "sleep", "1000"])
    try:
        wrapper = os.path.join(place, "inside")
        with open(wrapper, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\nexec nsenter -t {holder.pid} -U -m -- {coracle.binary} \"$@\"\n")
        os.chmod(wrapper, 0o755)
        coracle.wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/user") != os.readlink("/proc/self/ns/user") and
                           open(f"/proc/{holder.pid}/uid_map", encoding="ascii").read(), "the namespace is there")
        inside = Coracle(wrapper, os.path.join(place, "inside-driver"))
        c = inside.started(b, "--no-new-keyring")
        assert inside.state(c)["status"] == "running"
        out = told(inside("exec", c, "/init", "id").out)
        assert (out["uid"], out["pid"]) == ("0", "2")
        assert inside("exec", c, "/init", "exit", "5", check=False).rc == 5
        inside("kill", c, "KILL")
        inside.wait_status(c, "stopped")
        inside("delete", c)
    finally:
        holder.kill()
        holder.wait()
