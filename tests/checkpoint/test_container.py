# SPDX-License-Identifier: GPL-2.0-or-later
"""A restored container is a container of coracle's in every respect, and its config is the destination's."""
import json
import os
import subprocess

import pytest

from lib.sockets import Receiver
from lib.terminal import Screen


def pids(w):
    return json.loads(w.coracle("ps", "--format", "json", w.id).out)


def test_every_command_knows_a_restored_container(workload):
    w = workload("processes")
    before = len(pids(w))
    w.there_and_back()
    assert w.coracle("list", "--quiet").out.split() == [w.id]
    assert w.status == "running"
    assert len(pids(w)) == before
    w.coracle("pause", w.id)
    assert w.status == "paused"
    w.coracle("resume", w.id)
    w.check()
    assert json.loads(w.coracle("events", "--stats", w.id).out)["type"] == "stats"
    assert w.coracle("delete", w.id, check=False).rc == 1
    w.coracle("kill", w.id, "KILL")
    w.coracle.wait_status(w.id, "stopped")
    w.coracle("delete", w.id)
    assert w.coracle("list", "--quiet").out == ""


def test_namespaces_and_group_are_the_container_s_own(workload):
    w = workload("idle").there_and_back()
    pid = w.coracle.state(w.id)["pid"]
    for kind in ("pid", "net", "ipc", "uts", "mnt", "cgroup"):
        assert os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"), kind
    assert os.path.basename(w.coracle.group(w.id)) == f"coracle-{w.id}"
    # exec comes into the same ones
    assert w.ask("ready") == "ok"
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as f:
        mounts = {line.split()[4]: line.split()[5].split(",") for line in f}
    assert {"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup", "/proc/keys",
            "/sys/firmware", "/proc/sys"} <= set(mounts)
    assert "ro" in mounts["/sys"] and "ro" in mounts["/proc/sys"] and "ro" in mounts["/sys/firmware"]


def test_a_paused_container_stays_paused(workload):
    w = workload("memory")
    w.coracle("pause", w.id)
    w.checkpoint("--leave-running")
    assert w.status == "paused"
    w.checkpoint()
    w.restore()
    assert w.status == "paused"
    w.coracle("resume", w.id)
    w.check()


def test_it_may_have_another_name(workload):
    w = workload("pipes")
    w.checkpoint()
    w.restore(id=w.id + "-new")
    w.check()


def test_foreground_restore_leaves_with_the_exit_status(workload, tmp_path):
    w = workload("idle")
    w.checkpoint()
    with open(tmp_path / "out", "wb") as out:
        process = w.coracle.popen("restore", "--image-path", w.images, "--bundle", w.bundle.path, "--pid-file",
                                  w.images + ".pid", w.id, env=w.env, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=out)
    w.coracle.wait_status(w.id, "running")
    with open(w.images + ".pid", encoding="ascii") as f:
        assert int(f.read()) == w.coracle.state(w.id)["pid"]
    w.check()
    w.coracle("kill", w.id, "KILL")
    assert process.wait(20) == 137, (tmp_path / "out").read_text()
    assert w.coracle.state(w.id) is None


def test_bind_mounts_are_the_config_s(workload, tmp_path):
    """Read-only stays read-only, and what lies below a recursive one comes along."""
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source / "below"], check=True)
    (source / "file").write_text("one")
    (source / "below" / "deep").write_text("two")

    def change(bundle):
        bundle.mount("/data", "bind", source, ["rbind", "rro"])
        bundle.mount("/rw", "bind", source, ["bind", "rw"])
        bundle.mount("/one-file", "bind", source / "file", ["bind", "ro"])
    try:
        w = workload("idle", change=change)
        w.there_and_back().there_and_back()
        root = f"/proc/{w.coracle.state(w.id)['pid']}/root"
        with open(root + "/data/below/deep", encoding="ascii") as f:
            assert f.read() == "two"
        with open(root + "/one-file", encoding="ascii") as f:
            assert f.read() == "one"
        for path in ("/data/new", "/data/below/new", "/one-file"):
            try:
                with open(root + path, "w", encoding="ascii"):
                    raise AssertionError(f"{path} can be written")
            except OSError as e:
                assert e.errno == 30, path
        with open(root + "/rw/new", "w", encoding="ascii") as f:
            f.write("x")
        assert (source / "new").exists()
    finally:
        subprocess.run(["umount", "-l", source / "below"], check=True)


def test_mounts_are_known_by_their_destinations(workload, tmp_path):
    """Engines write them in any order; a destination may lead through a link of the root."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)

    def change(bundle):
        os.makedirs(bundle.rootfs + "/var")
        os.makedirs(bundle.rootfs + "/run")
        os.symlink("/run", bundle.rootfs + "/var/run")
        bundle.mount("/var/run/one", "bind", tmp_path / "one", ["bind", "ro"])
        bundle.mount("/two", "bind", tmp_path / "two", ["bind"])
    w = workload("idle", change=change)
    w.checkpoint()
    last = w.bundle.config["mounts"]
    last[-2], last[-1] = last[-1], last[-2]
    w.bundle.save()
    w.restore()
    root = f"/proc/{w.coracle.state(w.id)['pid']}/root"
    for path, name in (("/run/one", "one"), ("/two", "two")):
        with open(f"{root}{path}/name", encoding="ascii") as f:
            assert f.read() == name
    w.check()


def test_a_terminal_comes_back(workload):
    """Its settings and size too; whoever listens at the console socket gets the new master."""
    with Receiver() as old:
        w = workload("terminal", change=lambda b: b.process.update(terminal=True),
                     options=["--console-socket", old.path])
        before = old.take()
        w.check()
        Screen(before[0]).expect("still here")
        w.checkpoint()
        os.close(before[0])
    for _ in range(2):
        with Receiver() as new:
            w.restore("--console-socket", new.path)
            [master] = new.take()
            w.check()
            screen = Screen(master)
            screen.expect("still here")
            assert screen.size() == (33, 77)
            w.checkpoint()
            os.close(master)


@pytest.mark.needs("sys-resource")
def test_another_user_s_process_comes_back(workload):
    """CRIU reads limits of processes of other users, which takes CAP_SYS_RESOURCE."""
    def change(bundle):
        bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [7, 9]}
        os.chmod(bundle.rootfs, 0o777)
    workload("self", change=change).there_and_back().check()


def test_seccomp_and_capabilities_come_back(workload):
    def change(bundle):
        bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}, {"names": ["reboot"], "action": "SCMP_ACT_KILL"}]}
        bundle.process["capabilities"] = {k: ["CAP_KILL"] for k in ("bounding", "permitted")}
    w = workload("idle", change=change)

    def look():
        with open(f"/proc/{w.coracle.state(w.id)['pid']}/status", encoding="ascii") as f:
            lines = [x for x in f if x.split(":")[0] in ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp",
                                                         "Seccomp_filters") or x.startswith("Cap")]
        return "".join(lines)
    before = look()
    assert "Seccomp:\t2" in before
    w.there_and_back()
    assert look() == before
    w.check()


@pytest.mark.needs("userns")
def test_a_user_namespace_is_refused_by_name(workload):
    def change(bundle):
        bundle.namespace("user")
        bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [
            {"containerID": 0, "hostID": 0, "size": 65536}]
    w = workload("files", change=change)
    done = w.checkpoint(check=False)
    assert done.rc == 1 and "user namespace" in done.err
    w.check()
