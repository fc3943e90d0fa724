# SPDX-License-Identifier: GPL-2.0-or-later
"""test_seccomp_notify.py - SCMP_ACT_NOTIFY: the agent gets the descriptor and the state, and answers."""
import array
import contextlib
import ctypes
import fcntl
import json
import os
import socket
import struct
import threading

import pytest

from lib.bundle import CAPABILITIES

pytestmark = [pytest.mark.needs("root", "node", "x86-64")]

RECV, SEND = 0xC0502100, 0xC0182101     # SECCOMP_IOCTL_NOTIF_RECV, _SEND on x86-64
CONTINUE = 1
MKDIR, GETPID = 83, 39


class Agent:
    """Accepts states one after the other, and answers every notification with -errno (or lets it go on)."""

    def __init__(self, path, errno=0):
        self.states, self.seen, self.errno = [], [], errno
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(path))
        self.sock.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.sock.accept()
                with peer:
                    data, control, _, _ = peer.recvmsg(65536, 1024)
                    while more := peer.recv(65536):
                        data += more
                fds = array.array("i", control[0][2])
                self.states.append((json.loads(data), len(fds)))
                threading.Thread(target=self.answer, args=(fds[0],), daemon=True).start()

    def answer(self, fd):
        buffer = ctypes.create_string_buffer(80)
        with contextlib.suppress(OSError):
            while True:
                ctypes.memset(buffer, 0, 80)
                fcntl.ioctl(fd, RECV, buffer)
                number, pid, _, call = struct.unpack_from("<QIIi", buffer.raw)
                self.seen.append((pid, call))
                reply = struct.pack("<QqiI", number, 0, -self.errno, 0 if self.errno else CONTINUE)
                fcntl.ioctl(fd, SEND, reply)
        os.close(fd)

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@pytest.fixture
def agent(tmp_path):
    made = []

    def make(errno=0):
        made.append(Agent(tmp_path / f"agent{len(made)}", errno))
        made[-1].path = str(tmp_path / f"agent{len(made) - 1}")
        return made[-1]
    yield make
    for one in made:
        one.close()


def with_profile(b, agent, *names, nnp=True, **more):
    b.process["noNewPrivileges"] = nnp
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": agent.path,
                          "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}], **more}
    return b


@pytest.mark.parametrize("nnp", [True, False])
def test_the_agent_answers(coracle, bundle, agent, nnp):
    a = agent(errno=17)
    b = with_profile(bundle("mkdir", "/tmp/x"), a, "mkdir", "mkdirat", nnp=nnp, listenerMetadata="meta \"data\"")
    b.config["annotations"] = {"a": "b"}
    result = coracle.run(b, check=False)
    assert result.rc and "EEXIST" in result.err and not os.path.exists(f"{b.rootfs}/tmp/x")
    (state, fds), = a.states
    assert fds == 1 and state["fds"] == ["seccompFd"] and state["metadata"] == "meta \"data\""
    assert state["ociVersion"].startswith("1.") and state["state"]["id"] == coracle.ids[-1]
    assert state["state"]["annotations"] == {"a": "b"} and state["state"]["status"] == "creating"
    assert state["pid"] == state["state"]["pid"] == a.seen[0][0]


def test_or_lets_it_go_on(coracle, bundle, agent):
    b = with_profile(bundle("mkdir", "/tmp/x"), agent(), "mkdir", "mkdirat")
    coracle.run(b)
    assert os.path.isdir(f"{b.rootfs}/tmp/x")


def test_what_leads_to_the_program_may_notify_too(coracle, bundle, agent):
    """The descriptor is with the agent before any of these can wait for it."""
    a = agent()
    names = ["execve", "read", "close", "openat", "newfstatat", "stat", "access", "faccessat", "faccessat2", "capset",
             "wait4", "sendmsg", "futex", "rt_sigaction", "prctl"]
    for nnp in (True, False):
        assert coracle.run(with_profile(bundle("echo", "hi"), a, *names, nnp=nnp)).out == "hi\n"
    assert {59, 0, 3} <= {call for _, call in a.seen}


def test_create_and_start(coracle, bundle, agent):
    a = agent()
    b = with_profile(bundle("mkdir", "/tmp/x"), a, "mkdir", "mkdirat")
    c = coracle.create(b)
    (state, _), = a.states
    assert state["pid"] == coracle.state(c)["pid"]
    coracle("start", c)
    coracle.wait_status(c, "stopped")
    assert os.path.isdir(f"{b.rootfs}/tmp/x")


def test_no_child_is_left_to_the_program(coracle, bundle, agent):
    out = coracle.run(with_profile(bundle("cat", "/proc/self/task/1/children", "--", "signals"), agent(), "mkdir")).out
    assert out.startswith("SigBlk") or out.split()[0] not in "123456789"


@pytest.mark.parametrize("nnp", [True, False])
def test_exec_has_a_listener_of_its_own(coracle, bundle, agent, nnp):
    a = agent(errno=1)
    c = coracle.started(with_profile(bundle("pause"), a, "mkdir", "mkdirat", nnp=nnp))
    result = coracle("exec", c, "/init", "mkdir", "/tmp/x", check=False)
    assert result.rc == 1 and "EPERM" in result.err
    assert len(a.states) == 2 and a.states[1][0]["state"]["status"] == "running"
    assert a.states[1][0]["pid"] == a.seen[-1][0] != a.states[1][0]["state"]["pid"] == coracle.state(c)["pid"]


def test_in_a_user_namespace(coracle, bundle, agent):
    b = with_profile(bundle("mkdir", "/tmp/x"), agent(errno=1), "mkdir", "mkdirat").namespace("user")
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    b.linux.update(uidMappings=maps, gidMappings=maps)
    os.chmod(b.path, 0o755)
    assert "EPERM" in coracle.run(b, check=False).err


def test_start_hooks_run_all_the_same(coracle, bundle, agent):
    for nnp in (True, False):
        b = with_profile(bundle("echo", "on"), agent(), "mkdir", nnp=nnp)
        b.config["hooks"] = {"startContainer": [{"path": "/init", "args": ["init", "write", "/tmp/hook", "x"]}]}
        assert coracle.run(b).out == "on\n" and b.read("/tmp/hook") == "x"


@pytest.mark.parametrize("flag", ["TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"])
def test_every_flag(coracle, bundle, agent, flag):
    b = with_profile(bundle("mkdir", "/tmp/x"), agent(), "mkdir", "mkdirat", flags=["SECCOMP_FILTER_FLAG_" + flag])
    coracle.run(b)
    if flag != "WAIT_KILLABLE_RECV":
        b = bundle("true")
        b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_" + flag]}
        coracle.run(b)


@pytest.mark.parametrize("seccomp, said", [
    ({"defaultAction": "SCMP_ACT_NOTIFY"}, "linux.seccomp.defaultAction: cannot be SCMP_ACT_NOTIFY"),
    ({"syscalls": [{"names": ["a", "write"], "action": "SCMP_ACT_NOTIFY"}]},
     "linux.seccomp.syscalls[0].names: SCMP_ACT_NOTIFY cannot be the action for write"),
    ({"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]},
     "linux.seccomp.listenerPath: missing, but needed by SCMP_ACT_NOTIFY"),
    ({"listenerMetadata": "x"}, "linux.seccomp.listenerMetadata: goes with listenerPath"),
    ({"listenerPath": "x"}, 'linux.seccomp.listenerPath: "x" is not an absolute path'),
    ({"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]},
     "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV goes with SCMP_ACT_NOTIFY"),
    ({"flags": ["X"]}, 'linux.seccomp.flags[0]: unknown value "X"'),
    ({"listenerPath": "/nobody/there", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]},
     "linux.seccomp.listenerPath"),
])
def test_profiles_that_cannot_be(coracle, bundle, seccomp, said):
    b = bundle("true")
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", **seccomp}
    result = coracle.run(b, check=False)
    assert result.rc == 1 and said in result.err


def test_an_agent_that_hangs_up_is_an_error(coracle, bundle, tmp_path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "s"))
        s.listen()
        threading.Thread(target=lambda: s.accept()[0].close(), daemon=True).start()
        b = bundle("true")
        b.process["capabilities"] = {k: CAPABILITIES for k in ("bounding", "effective", "permitted")}
        b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(tmp_path / "s"),
                              "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
        result = coracle.run(b, check=False)
    assert result.rc == 1 and "seccomp listener: send message: Broken pipe" in result.err


def test_a_path_is_ignored_when_nothing_notifies(coracle, bundle):
    b = bundle("true")
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nobody/there"}
    coracle.run(b)


def test_exec_is_refused_where_the_pid_could_not_be_told(coracle, bundle, agent):
    b = with_profile(bundle("pause"), agent(), "mkdir")
    for kind in ("bounding", "effective", "permitted"):
        b.process["capabilities"][kind] = [*CAPABILITIES, "CAP_SYS_PTRACE"]
    c = coracle.started(b)
    result = coracle("exec", c, "/init", "true", check=False)
    assert result.rc == 255 and "CAP_SYS_PTRACE" in result.err
