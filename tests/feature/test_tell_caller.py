# SPDX-License-Identifier: GPL-2.0-or-later
"""test_tell_caller.py - how a caller learns of its process: --pid-file, --pidfd-socket, NOTIFY_SOCKET."""
import os
import signal
import subprocess
import threading

import pytest

from lib.sockets import Manager, Receiver

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


# --- --pid-file -----------------------------------------------------------------------------------------------------

def pid_in(path):
    with open(path, encoding="ascii") as f:
        return int(f.read())


def group_of(pid):
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
        return next(x for x in f if x.startswith("0::")).strip()


def test_pid_file_of_create_is_the_states_pid(coracle, bundle, tmp_path):
    path = tmp_path / "pid"
    c = coracle.create(bundle("pause"), "--pid-file", path)
    state = coracle.state(c)
    assert path.read_text() == str(state["pid"])
    assert os.listdir(tmp_path).count("pid") == 1 and not [n for n in os.listdir(tmp_path) if n.startswith(".")]


def test_pid_file_of_run_in_the_foreground(coracle, bundle, tmp_path):
    """It is there while the program runs, and tells the host's pid."""
    path = tmp_path / "pid"
    b = bundle("echo", "up", "--", "cat").save()
    with coracle.popen("run", "--pid-file", path, "-b", b.path, coracle.new_id(), stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"up\n"
        assert os.path.samefile(f"/proc/{pid_in(path)}/root", "/") is False
        p.stdin.close()
        assert p.wait(30) == 0


def test_pid_file_when_exec_has_failed_is_not_there(coracle, bundle, tmp_path):
    b = bundle("true")
    b.process["args"] = ["/nothing"]
    assert coracle.run(b, "--pid-file", tmp_path / "pid", check=False).rc
    assert not os.path.exists(tmp_path / "pid")
    assert coracle.try_create(b, "--pid-file", tmp_path / "pid").rc
    assert not os.path.exists(tmp_path / "pid")


@pytest.mark.parametrize("command", ["create", "exec"])
def test_pid_file_comes_whole_and_with_the_process_in_its_group(coracle, bundle, tmp_path, command):
    """Whoever sees the file at any moment reads a pid that is in the container's cgroup already."""
    path, seen, done = str(tmp_path / "pid"), [], threading.Event()

    def look():
        while not done.is_set():
            try:
                with open(path, encoding="ascii") as f:
                    text = f.read()
                seen.append((text, group_of(int(text))))
                return
            except FileNotFoundError:
                continue
            except (ValueError, ProcessLookupError) as e:
                seen.append((text, str(e)))
                return
    if command == "exec":
        c = coracle.started(bundle("pause"))
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        if command == "exec":
            coracle("exec", "-d", "--pid-file", path, c, "/init", "pause")
        else:
            c = coracle.create(bundle("pause"), "--pid-file", path)
        watcher.join(20)
    finally:
        done.set()
        watcher.join()
    assert seen == [(str(pid_in(path)), group_of(coracle.state(c)["pid"]))]


def test_pid_file_that_cannot_be_written(coracle, bundle, tmp_path):
    result = coracle.try_create(bundle("true"), "--pid-file", tmp_path / "absent" / "pid")
    assert result.rc and "pid file" in result.err and "No such file" in result.err
    assert coracle.state(coracle.ids[-1]) is None


# --- --pidfd-socket ---------------------------------------------------------------------------------------------------

def pid_behind(pidfd):
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pid:"))


@pytest.mark.parametrize("command", ["create", "run", "exec"])
def test_pidfd_socket(coracle, bundle, tmp_path, command):
    with Receiver() as r:
        if command == "exec":
            c = coracle.started(bundle("pause"))
            coracle("exec", "-d", "--pid-file", tmp_path / "pid", "--pidfd-socket", r.path, c, "/init", "pause")
        else:
            options = ["--detach"] if command == "run" else []
            c = coracle.new_id()
            on = bundle("pause").save()
            coracle(command, *options, "--pid-file", tmp_path / "pid", "--pidfd-socket", r.path, "-b", on.path, c,
                    log=coracle._log(c))
        (fd,) = r.take()
    assert pid_behind(fd) == pid_in(tmp_path / "pid")
    os.close(fd)


def test_pidfd_socket_where_nobody_listens(coracle, bundle, tmp_path):
    result = coracle.try_create(bundle("true"), "--pidfd-socket", tmp_path / "nobody")
    assert result.rc and "pidfd socket" in result.err


# --- NOTIFY_SOCKET ----------------------------------------------------------------------------------------------------

def test_without_a_service_manager_there_is_no_socket(coracle, bundle):
    result = coracle.run(bundle("env", "NOTIFY_SOCKET", "--", "stat", "/run/notify"), check=False)
    assert result.out == "NOTIFY_SOCKET (unset)\n" and "ENOENT" in result.err


def test_notify_of_a_foreground_run(coracle, bundle):
    """READY with MAINPID; what else is known passes, what is not (another MAINPID, descriptors' names) does not."""
    b = bundle("notify", "READY=1\nMAINPID=1\nFDSTORE=1\nSTATUS=up", "--", "notify", "STATUS=at work", "--", "echo", "up",
               "--", "cat").save()
    with Manager() as m:
        with coracle.popen("run", "-b", b.path, coracle.new_id(), env=m.env, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE) as p:
            assert p.stdout.readline() == b"up\n"
            pid = coracle.state(coracle.ids[-1])["pid"]
            assert m.next() == {"READY": "1", "STATUS": "up", "MAINPID": str(pid)}
            assert m.next() == {"STATUS": "at work"}
            p.stdin.close()
            assert p.wait(30) == 0


def test_the_last_words_before_the_end_are_passed_on(coracle, bundle):
    words = [w for i in range(5) for w in ("notify", f"STATUS={i}", "--")]
    with Manager() as m:
        coracle.run(bundle(*words, "true"), env=m.env)
        assert [m.next() for _ in range(5)] == [{"STATUS": str(i)} for i in range(5)]
        assert m.silent()


@pytest.mark.parametrize("command", ["run --detach", "start"])
def test_notify_is_waited_for(coracle, bundle, command):
    """A detached run and start come back when the container has said READY=1, not before."""
    b = bundle("notify", "STATUS=early", "--", "wait_for", "/go", "--", "notify", "READY=1", "--", "pause")
    with Manager() as m:
        b.save()
        id = coracle.new_id()
        if command == "start":
            coracle.create(b, id=id, env=m.env)
            words = ["start", id]
        else:
            words = ["run", "--detach", "-b", b.path, id]
        p = coracle.popen(*words, env=m.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert m.next() == {"STATUS": "early"}
        assert p.poll() is None
        b.file("go")
        assert m.next() == {"READY": "1", "MAINPID": str(coracle.state(id)["pid"])}
        assert p.wait(30) == 0
        assert coracle.state(id)["status"] == "running"


def test_who_never_gets_ready_but_ends(coracle, bundle):
    with Manager() as m:
        c = coracle.create(bundle("true"), env=m.env)
        assert coracle("start", c, env=m.env).rc == 0
        assert m.silent()


def test_a_detached_run_that_is_told_to_end_while_it_waits(coracle, bundle):
    b = bundle("echo", "up", "--", "pause").save()
    with Manager() as m:
        p = coracle.popen("run", "--detach", "-b", b.path, coracle.new_id(), env=m.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert p.stdout.readline() == b"up\n"
        p.send_signal(signal.SIGTERM)
        _, err = p.communicate(timeout=30)
        assert p.returncode == 1 and b"interrupted" in err
        assert coracle.state(coracle.ids[-1]) is None


@pytest.mark.parametrize("user", ["other user", "user namespace", "read-only root"])
def test_notify_reaches_from_anywhere(coracle, bundle, user):
    b = bundle("notify", "READY=1", "--", "write", "/run/notify/mine", "x")
    if user == "other user":
        b.process["user"] = {"uid": 1234, "gid": 1234}
    elif user == "user namespace":
        b.namespace("user")
        b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        b.linux["resources"] = {}
        b.file("run/notify/x")
    else:
        b.config["root"]["readonly"] = True
        b.file("run/notify/x")
    with Manager() as m:
        result = coracle.run(b, env=m.env, check=False)
        assert "EROFS" in result.err
        assert m.next()["READY"] == "1"
