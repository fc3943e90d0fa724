# SPDX-License-Identifier: GPL-2.0-or-later
"""test_system.py - run --system: Debian's systemd as a container's first process, from boot to shutdown."""
import json
import os
import subprocess

import pytest

from bed import trees

pytestmark = [pytest.mark.needs("root", "node")]


@pytest.fixture
def debian(tmp_path):
    """A Debian tree with systemd (the virtual machine's), whose changes are thrown away."""
    lower = trees.tree_path("vm")
    if not os.path.exists(f"{lower}/usr/lib/systemd/systemd"):
        pytest.skip("needs the tree vm")
    subprocess.run(["mount", "-t", "tmpfs", "debian", tmp_path], check=True)
    for name in ("upper", "work", "root"):
        (tmp_path / name).mkdir()
    root = tmp_path / "root"
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={lower},upperdir={tmp_path}/upper,workdir={tmp_path}/work",
                    "overlay", root], check=True)
    # sandboxed by a user namespace, which the default capabilities do not allow
    subprocess.run(["ln", "-s", "/dev/null", root / "etc/systemd/system/redis-server.service"], check=True)
    yield root
    subprocess.run(["umount", "--lazy", root, tmp_path], check=True)     # after a failure it is busy


def test_a_debian_boots_answers_and_shuts_down(coracle, debian, tmp_path):
    with open(tmp_path / "log", "wb") as log:
        box = coracle.popen("run", "--system", "--rootfs", debian, "--hostname", "server", "box", stdout=log, stderr=log,
                            stdin=subprocess.DEVNULL)
        coracle.ids.append("box")
        coracle.wait_until(lambda: coracle("exec", "box", "test", "-S", "/run/systemd/private", check=False).rc == 0,
                           "systemd listens", 30)

        def inside(*words, **how):
            return coracle("exec", "box", *words, **how)
        assert inside("systemctl", "is-system-running", "--wait", check=False, timeout=60).out == "running\n", \
            inside("systemctl", "--failed", "--no-pager").out
        assert inside("systemctl", "is-active", "multi-user.target", "dbus.service").out == "active\nactive\n"
        assert inside("systemd-detect-virt", "--container").out == "container-other\n"     # a name it does not know
        assert inside("cat", "/proc/1/comm", "/proc/sys/kernel/hostname").out == "systemd\nserver\n"
        # its groups are its own, and a service is started in one
        assert inside("cat", "/proc/1/cgroup").out.endswith("0::/init.scope\n")
        assert "uid=0(root)" in inside("systemd-run", "--wait", "--pipe", "id").out
        assert "uid=65534" in inside("systemd-run", "--wait", "--pipe", "-p", "User=nobody", "id").out
        assert "Started" in inside("journalctl", "--no-pager", "-o", "cat", "-u", "dbus.service").out
        # pause and resume of the whole server
        coracle("pause", "box")
        assert coracle.state("box")["status"] == "paused"
        coracle("resume", "box")
        group = coracle.group("box").removesuffix("/init.scope")
        assert os.path.isdir(group + "/init.scope")
        coracle("kill", "box", "SIGRTMIN+3")
        assert box.wait(60) == 0
    assert coracle.state("box") is None and not os.path.exists(group)


def test_what_the_option_asks_for(coracle, bundle, payload):
    b = bundle("mounts", "--", "env", "--", "status", "--", "write", "/sys/fs/cgroup/cgroup.type", "")
    out = coracle("run", "--system", "--rootfs", b.rootfs, coracle.new_id(), *b.process["args"], check=False).out
    for line in (" /run rw,nosuid,nodev", " /run/lock rw,nosuid,nodev,noexec", " /tmp rw,nosuid,nodev",
                 " /sys/fs/cgroup rw,nosuid,nodev,noexec"):
        assert line in out
    assert "container=oci\n" in out and "NoNewPrivs:\t0" in out or "no_new_privs 0" in out or "NoNewPrivs 0" in out


def test_the_group_is_given_to_the_root_of_a_user_namespace(coracle, bundle):
    """cgroups(7), "Cgroups delegation": the directory and what the kernel lists, never a limit."""
    b = bundle("pause").namespace("user")
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    b.linux.update(uidMappings=maps, gidMappings=maps)
    os.chmod(b.path, 0o755)
    mount = next(m for m in b.config["mounts"] if m["destination"] == "/sys/fs/cgroup")
    c = coracle.started(b)
    assert os.stat(coracle.group(c)).st_uid == 0        # mounted read-only: nothing is given away
    mount["options"].remove("ro")
    c = coracle.started(b)
    group = coracle.group(c)
    assert os.stat(group).st_uid == 100000
    assert {n: os.stat(f"{group}/{n}").st_uid for n in ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads",
                                                        "cgroup.freeze", "cgroup.max.depth")} == {
        "cgroup.procs": 100000, "cgroup.subtree_control": 100000, "cgroup.threads": 100000, "cgroup.freeze": 0,
        "cgroup.max.depth": 0}
    coracle("exec", c, "/init", "mkdir", "/sys/fs/cgroup/below")
    assert json.loads(coracle("ps", "--format", "json", c).out)
