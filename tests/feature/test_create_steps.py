# SPDX-License-Identifier: GPL-2.0-or-later
"""test_create_steps.py - every step of create and exec fails once, or its process is killed there.

The steps are read from the lists in runtime/create.c and runtime/exec.c, so a new one is tested without
being named here. A test build fails or dies at the step that the environment names (runtime/base/steps.c).
A failure must be told with the step's name and leave nothing; a killed runtime must leave something that
`delete --force` removes wholly. (The driver's fixture looks for what is left, after that very delete; here the
state directory is looked at before it, too.)
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

pytestmark = pytest.mark.needs("node", "faults")

RUNTIME = os.path.join(os.path.dirname(__file__), "../../runtime")


def steps(file):
    with open(os.path.join(RUNTIME, file), encoding="utf-8") as f:
        text = re.search(r"const struct step \w+\[\] = \{(.*?)\n\};", f.read(), re.S).group(1)
    return re.findall(r'\{ "([^"]+)", WHO_(\w+),', text)


# "attach …" only before Linux 5.7; those of the network in tests/net/test_wire_steps.py; a cache class takes the
# hardware (tests/unit/cgroups/test_rdt.c has a tree of its own), a scope takes systemd (tests/engines/test_systemd.py)
ELSEWHERE = re.compile("network|cache class|to scope")
CREATE = [s for s in steps("create.c") if not s[0].startswith("attach ") and not ELSEWHERE.search(s[0])]
EXEC = [s for s in steps("exec.c") if not ELSEWHERE.search(s[0])]
IDS = "{0[0]}".format


@contextlib.contextmanager
def console_socket(directory):
    """A socket that takes terminals; they stay open, for a hang-up would end those who use them."""
    taken = []
    path = str(directory / "console.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    _, fds, _, _ = socket.recv_fds(connection, 4096, 4)
                    taken.extend(fds)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for fd in taken:
            os.close(fd)


def everything(bundle, in_setup):
    """A bundle for which nearly all steps are active; in_setup: those of the SETUP process, too."""
    b = bundle("sleep", "100")
    hook = [{"path": "/bin/true"}]
    b.config["hooks"] = {"prestart": hook, "createRuntime": hook, "createContainer": hook,
                         "startContainer": [{"path": "/init", "args": ["init", "true"]}]}
    b.process["terminal"] = True
    b.process["oomScoreAdj"] = 500
    b.namespace("user")
    b.linux["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    b.linux["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    if in_setup:
        b.namespace("uts", "/proc/self/ns/uts")
        del b.config["hostname"]
    b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 256, "hard": 512}]
    return b


def bundle_for(bundle, step):
    b = everything(bundle, "setup" in step or step in ("join namespaces", "make user namespace", "write id maps",
                                                          "make namespaces", "adopt init"))
    if step == "limit devices that are made":
        b.resources["devices"].append({"allow": False, "type": "c", "major": 1, "minor": 3, "access": "m"})
    return b


def nothing_is_recorded(coracle):
    if os.path.isdir(coracle.root):
        assert [n for n in os.listdir(coracle.root) if not n.startswith(".")] == []


@pytest.mark.parametrize("step", CREATE, ids=IDS)
def test_create_fails_at(coracle, bundle, tmp_path, step):
    name, _ = step
    late = name in ("wait for start", "run startContainer hooks", "execute")
    with console_socket(tmp_path) as console:
        pid_file = tmp_path / "pid"
        made = coracle.try_create(bundle_for(bundle, name), "--console-socket", console, "--pid-file", pid_file,
                                  env={"CORACLE_FAIL_AT": name})
        if not late:
            assert made.rc == 1
            assert "injected failure" in made.err and name in made.err
            assert not pid_file.exists()
            nothing_is_recorded(coracle)
            return
        assert made.rc == 0         # create is done before these: start tells, or finds it ended
        started = coracle("start", coracle.ids[-1], check=False)
        assert started.rc == 1
        coracle.wait_status(coracle.ids[-1], "stopped")


@pytest.mark.parametrize("step", [s for s in CREATE if s[0] not in ("wait for start", "send terminal")], ids=IDS)
def test_run_fails_at(coracle, bundle, step):
    b = bundle_for(bundle, step[0])
    if step[0] != "open terminal":
        b.process["terminal"] = False
    done = coracle.run(b, env={"CORACLE_FAIL_AT": step[0]}, check=False)
    assert done.rc == 1
    assert "injected failure" in done.err and step[0] in done.err
    nothing_is_recorded(coracle)


@pytest.mark.parametrize("when", ["CORACLE_KILL_AT", "CORACLE_KILL_AFTER"])
@pytest.mark.parametrize("step", CREATE, ids=IDS)
def test_killed_in_create_at(coracle, bundle, tmp_path, step, when):
    name, who = step
    with console_socket(tmp_path) as console:
        made = coracle.try_create(bundle_for(bundle, name), "--console-socket", console, env={when: name})
    if who == "RUNTIME":
        assert made.rc == 128 + signal.SIGKILL
    elif name in ("wait for start", "run startContainer hooks", "execute"):
        assert made.rc == 0
    else:
        assert made.rc == 1
        assert "ended unexpectedly" in made.err
        nothing_is_recorded(coracle)
    assert coracle("delete", "--force", coracle.ids[-1]).rc == 0
    nothing_is_recorded(coracle)


@pytest.mark.parametrize("name", ["make user namespace", "join namespaces"])
def test_setup_steps_are_active_only_where_needed(coracle, bundle, name):
    """The common case has no SETUP process: a failure planned there never comes."""
    assert coracle.run(bundle("true"), env={"CORACLE_FAIL_AT": name}).rc == 0


def running(coracle, bundle, shielded):
    b = bundle("sleep", "100")
    if shielded:
        for kind in ("bounding", "effective", "permitted"):
            b.process["capabilities"][kind] = ["CAP_SYS_PTRACE"]
    return coracle.started(b)


@pytest.mark.parametrize("mode", ["CORACLE_FAIL_AT", "CORACLE_KILL_AT"])
@pytest.mark.parametrize("step", EXEC, ids=IDS)
def test_exec_fails_at(coracle, bundle, tmp_path, step, mode):
    name, who = step
    c = running(coracle, bundle, "setup" in name or name == "adopt process")
    before = processes_of(coracle, c)
    with console_socket(tmp_path) as console:
        done = coracle("exec", "--tty", "--detach", "--console-socket", console, "--pid-file", tmp_path / "exec.pid",
                       c, "/init", "sleep", "50",
                       env={mode: name}, check=False)
    if mode == "CORACLE_FAIL_AT":
        assert done.rc == 255
        assert "injected failure" in done.err and name in done.err
        assert processes_of(coracle, c) == before
        assert not (tmp_path / "exec.pid").exists()
    elif who == "RUNTIME":
        assert done.rc == 128 + signal.SIGKILL
    else:
        assert done.rc in (255, 0)
        assert done.rc == 255 or name == "execute"
    assert coracle.state(c)["status"] == "running"


def processes_of(coracle, id):
    with open(os.path.join(coracle.group(id), "cgroup.procs"), encoding="ascii") as f:
        return f.read().split()


def test_ctrl_c_in_a_hook_undoes_create(coracle, bundle, tmp_path):
    b = bundle("true")
    mark = tmp_path / "hook-runs"
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"echo > {mark}; sleep 60"]}]}
    b.save()
    p = coracle.popen("run", "--bundle", b.path, coracle.new_id(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    coracle.wait_until(mark.exists, "the hook runs")
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=20)
    assert p.returncode == 1
    assert b"interrupted by signal 2" in err
    nothing_is_recorded(coracle)


def test_a_killed_runtime_does_not_claim_a_group_that_was_there(coracle, bundle):
    """`delete --force` of what it left removes the record and spares the group and who is in it since."""
    group = "/sys/fs/cgroup/was-there"
    os.mkdir(group)
    other = subprocess.Popen(["sleep", "100"])
    try:
        b = bundle("sleep", "100")
        b.linux["cgroupsPath"] = "/was-there"
        assert coracle.try_create(b, env={"CORACLE_KILL_AFTER": "create cgroup"}).rc == 128 + signal.SIGKILL
        with open(group + "/cgroup.procs", "w", encoding="ascii") as f:
            f.write(str(other.pid))
        assert coracle("delete", "--force", coracle.ids[-1]).rc == 0
        nothing_is_recorded(coracle)
        assert other.poll() is None
        assert os.path.isdir(group)
    finally:
        other.kill()
        other.wait()
        os.rmdir(group)
