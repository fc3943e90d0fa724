# SPDX-License-Identifier: GPL-2.0-or-later
"""What fails or is killed on the way: the container runs on, or can be restored; of a failed restore nothing is left."""
import contextlib
import json
import os
import signal
import subprocess
import time

import pytest


def test_what_cannot_be_dumped_is_named_and_runs_on(workload):
    w = workload("traced")
    done = w.checkpoint(check=False)
    assert done.rc == 1
    assert "dump.log" in done.err and "traced" in done.err
    assert w.status == "running"
    w.check()


def test_a_failed_dump_leaves_no_complete_images(workload):
    w = workload("locks")
    w.checkpoint("--leave-running", "--file-locks")
    done = w.checkpoint(check=False)        # the same directory
    assert done.rc == 1 and "--file-locks" in done.err
    w.check()
    w.coracle("delete", "--force", w.id)
    assert w.restore(check=False).rc == 1


def test_a_paused_container_stays_paused_when_it_cannot_be_dumped(workload):
    w = workload("locks")
    w.coracle("pause", w.id)
    assert w.checkpoint(check=False).rc == 1
    assert w.status == "paused"
    w.coracle("resume", w.id)
    w.check()


def test_restore_names_what_is_missing_and_leaves_nothing(workload):
    w = workload("files")
    w.checkpoint()
    os.rename(w.bundle.rootfs + "/plain", w.bundle.rootfs + "/elsewhere")
    done = w.restore(check=False)
    assert done.rc == 1 and "plain" in done.err and "restore.log" in done.err
    assert w.coracle.state(w.id) is None
    os.rename(w.bundle.rootfs + "/elsewhere", w.bundle.rootfs + "/plain")
    w.restore()
    w.check()


def test_restore_refuses_a_config_with_other_mounts(workload, tmp_path):
    w = workload("idle", change=lambda b: b.mount("/data", "bind", tmp_path, ["bind"]))
    w.checkpoint()
    w.bundle.config["mounts"][-1]["destination"] = "/other"
    w.bundle.save()
    done = w.restore(check=False)
    assert done.rc == 1 and "/data" in done.err
    assert w.coracle.state(w.id) is None


def test_restore_refuses_a_destination_that_became_a_link(workload, tmp_path):
    """CVE-2026-119101: the decoy outside of the root is never mounted on, nor shown."""
    decoy = tmp_path / "decoy"
    decoy.mkdir()
    w = workload("idle", change=lambda b: b.mount("/data", "bind", tmp_path, ["bind"]))
    w.checkpoint()
    os.rmdir(w.bundle.rootfs + "/data")
    os.symlink(str(decoy), w.bundle.rootfs + "/data")
    done = w.restore(check=False)
    assert done.rc == 1 and "/data" in done.err
    assert w.coracle.state(w.id) is None


def test_a_destination_with_a_bracket_is_refused(workload, tmp_path):
    """CVE-2026-115520: CRIU would take the rest of the name for the key."""
    w = workload("idle", change=lambda b: b.mount("/a]:b", "bind", tmp_path, ["bind"]))
    done = w.checkpoint(check=False)
    assert done.rc == 1 and "/a]:b" in done.err
    w.check()


# --- killed ---

CRIU = ("criu", "ld-linux-x86-64")      # the bed's is started by a script and its own dynamic linker


def children(pid, *names):
    found = []
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            for child in f.read().split():
                with contextlib.suppress(OSError), open(f"/proc/{child}/comm", encoding="ascii") as comm:
                    if comm.read().strip() in names:
                        found.append(int(child))
    return found


def wait_for(condition, process):
    """Spin, so that the moment is hit; False if the process ended before."""
    while process.poll() is None:
        if condition():
            return True
    return False


def restorable(w):
    return os.path.exists(w.images + "/coracle-manifest.json")


MOMENTS = {
    "criu-started": lambda w, p: bool(children(p, *CRIU)),
    "frozen": lambda w, p: (w.coracle.state(w.id) or {}).get("status") == "paused",
    "log": lambda w, p: os.path.exists(w.images + "/dump.log"),
    "memory": lambda w, p: os.path.exists(w.images + "/pages-1.img"),
    "brief": lambda w, p: os.path.exists(w.images + "/coracle-brief.json"),
    "manifest": lambda w, p: restorable(w),
}


@pytest.mark.parametrize("moment, victim", [
    *((moment, "coracle") for moment in MOMENTS),
    # Not while CRIU changes a task's registers: who kills it in these milliseconds may take the task along, and
    # nobody outside of CRIU can help that (coracle-checkpoint(8), BUGS).
    *((moment, "criu") for moment in ("criu-started", "brief", "manifest"))])
def test_killed_in_a_checkpoint(workload, moment, victim):
    """Either it runs on, or it can be restored: never neither."""
    w = workload("memory", 16)
    process = w.coracle.popen("checkpoint", "--image-path", w.images, w.id, env=w.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    criu = []

    def now():
        criu[:] = children(process.pid, *CRIU) or criu
        return MOMENTS[moment](w, process.pid)
    if wait_for(now, process):
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(process.pid if victim == "coracle" else criu[0], signal.SIGKILL)
    process.wait(60)
    for pid in criu:        # what it holds goes on, or ends, with it
        w.coracle.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "CRIU has ended", 60)
    state = w.coracle.state(w.id)
    if state and state["status"] in ("running", "paused"):
        w.coracle.wait_until(lambda: w.coracle.state(w.id)["status"] == "running", "it is not frozen", 30)
        w.check()
        return
    assert restorable(w), state
    w.coracle("delete", "--force", w.id)
    w.restore()
    w.check()


@pytest.mark.parametrize("victim", ["coracle", "criu"])
@pytest.mark.parametrize("moment", ["criu-started", "log", "processes"])
def test_killed_in_a_restore(workload, moment, victim):
    """A forced delete finds all that is left, and the images are as good as before."""
    w = workload("processes")
    w.checkpoint()
    log = w.images + "/restore.log"
    moments = {
        "criu-started": lambda pid: bool(children(pid, *CRIU)),
        "log": lambda pid: os.path.exists(log),
        "processes": lambda pid: bool(children(pid, *CRIU)) and len(children(pid, "workload")) > 0,
    }
    out = os.path.join(w.coracle.directory, "killed.out")
    with open(out, "wb") as f:
        process = w.coracle.popen("restore", "--detach", "--image-path", w.images, "--bundle", w.bundle.path, w.id,
                                  env=w.env, stdin=subprocess.DEVNULL, stdout=f, stderr=f)
    criu = []

    def now():
        criu[:] = children(process.pid, *CRIU) or criu
        return moments[moment](process.pid)
    if wait_for(now, process):
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(process.pid if victim == "coracle" else criu[0], signal.SIGKILL)
    process.wait(60)
    w.coracle("delete", "--force", w.id)
    for pid in criu:
        w.coracle.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "CRIU has ended", 60)
    w.restore()
    w.check()
    assert json.loads(w.coracle("state", w.id).out)["status"] == "running"


def test_interrupted_with_ctrl_c_it_runs_on(workload):
    w = workload("memory", 16)
    process = w.coracle.popen("checkpoint", "--image-path", w.images, w.id, env=w.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if wait_for(lambda: os.path.exists(w.images + "/dump.log"), process):
        process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    if process.returncode:
        assert "interrupted" in told, told
        w.check()
    else:                   # it was faster
        assert w.coracle.state(w.id) is None
    time.sleep(0)
