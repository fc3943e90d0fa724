# SPDX-License-Identifier: GPL-2.0-or-later
"""test_terminal.py - terminals: relayed in the foreground, sent over --console-socket else."""
import os
import signal
import subprocess

import pytest

from lib.sockets import Receiver
from lib.terminal import Screen, Terminal

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


@pytest.fixture(params=["run", "exec"])
def at_terminal(request, coracle, bundle):
    """at_terminal("tty", ..., uid=0): the payload's words by `run -t` or `exec -t`, under a terminal of ours."""
    def start(*words, uid=0, **size):
        if request.param == "exec":
            c = coracle.started(bundle("pause"))
            argv = coracle.argv("exec", "-t", "--user", uid, c, "/init", *words)
        else:
            b = bundle(*words)
            b.process["terminal"] = True
            b.process["user"]["uid"] = uid
            argv = coracle.argv("run", "-b", b.save().path, coracle.new_id())
        return Terminal(argv, coracle.environment(), **size)
    return start


# --- in the foreground ----------------------------------------------------------------------------------------------

def test_the_terminal_inside(at_terminal):
    """All of stdio, by the name ttyname(3) finds, controlling, as large as ours."""
    with at_terminal("tty", "--", "id", rows=31, cols=97) as t:
        assert t.wait() == 0
        for fd in range(3):
            assert f"fd {fd} /dev/pts/0" in t.seen
        assert "rows 31 cols 97" in t.seen and "controlling yes" in t.seen


def test_bytes_pass_both_ways_and_raw(at_terminal):
    """What is typed reaches the terminal inside, whose line discipline echoes and edits; ours does nothing."""
    with at_terminal("echo", "up", "--", "cat") as t:
        t.expect("up")
        assert t.is_raw()
        t.type("worx\x7fd\n")                 # DEL edits inside
        t.expect("word\r\n")
        t.type("\x04")                       # ^D at the start of a line: the end
        assert t.wait() == 0
        assert t.is_restored()


def test_much_output_arrives_whole(at_terminal):
    """The last byte before the program's end, too."""
    with at_terminal("cat", "/init", "--", "echo", "the end") as t:
        assert t.wait() == 0
        assert t.seen.rstrip().endswith("the end")


def test_resize_is_seen_inside(at_terminal):
    with at_terminal("winch", 2) as t:
        t.expect("rows 24 cols 80")
        t.resize(40, 100)
        t.expect("rows 40 cols 100")
        t.resize(10, 20)
        t.expect("rows 10 cols 20")
        assert t.wait() == 0


def test_keys_that_make_signals_make_them_inside(at_terminal):
    with at_terminal("trap", 2, 3) as t:
        t.expect("ready")
        t.type("\x03")
        t.expect("signal 2")
        t.type("\x1c")
        t.expect("signal 3")
        assert t.wait() == 0


@pytest.mark.parametrize("words, code", [(["exit", 7], 7), (["true"], 0)])
def test_exit_code_and_settings(at_terminal, words, code):
    with at_terminal(*words) as t:
        assert t.wait() == code
        assert t.is_restored()


def test_settings_are_restored_when_it_is_ended_from_outside(coracle, bundle):
    b = bundle("echo", "up", "--", "pause")
    b.process["terminal"] = True
    with Terminal(coracle.argv("run", "-b", b.save().path, coracle.new_id()), coracle.environment()) as t:
        t.expect("up")
        assert t.is_raw()
        coracle("kill", coracle.ids[-1], "KILL")
        assert t.wait() == 137
        assert t.is_restored()


def test_settings_stay_when_the_program_cannot_be_started(coracle, bundle):
    b = bundle("true")
    b.process.update(terminal=True, args=["/nothing"])
    with Terminal(coracle.argv("run", "-b", b.save().path, coracle.new_id()), coracle.environment()) as t:
        assert t.wait() == 1
        assert "/nothing" in t.seen and t.is_restored()


def test_owner_of_the_terminal(at_terminal):
    with at_terminal("stat", "/dev/pts/0", "--", "open", "/dev/pts/0", "rw", uid=1234) as t:
        assert t.wait() == 0, t.seen
        assert "type char mode 0620 uid 1234 gid 5" in t.seen


def test_dev_console_is_the_terminal(coracle, bundle):
    b = bundle("write", "/dev/console", "by name\n", "--", "stat", "/dev/console", "/dev/pts/0", "--", "tty")
    b.process["terminal"] = True
    with Terminal(coracle.argv("run", "-b", b.save().path, coracle.new_id()), coracle.environment()) as t:
        assert t.wait() == 0, t.seen
    devices = [line.split("rdev ")[1].split()[0] for line in t.seen.splitlines() if "rdev" in line]
    assert "by name" in t.seen and devices == ["136:0", "136:0"]


def test_the_size_that_the_config_names(coracle, bundle):
    b = bundle("tty")
    b.process.update(terminal=True, consoleSize={"height": 50, "width": 132})
    with Receiver() as r:
        c = coracle.create(b, "--console-socket", r.path)
        (master,) = r.take()
    coracle("start", c)
    assert "rows 50 cols 132" in Screen(master).rest()
    os.close(master)


@pytest.mark.parametrize("command", ["run", "exec"])
def test_a_terminal_for_a_caller_without_one(coracle, bundle, command):
    """Pipes instead of a terminal: bytes in, bytes out; the end of the input is no end of the program."""
    words = ["tty", "--", "winch", "0", "--", "wait_for", "/go", "--", "echo", "done"]
    b = bundle(*words)
    if command == "run":
        b.process["terminal"] = True
        argv = ["run", "-b", b.save().path, coracle.new_id()]
    else:
        argv = ["exec", "-t", coracle.started(bundle("pause")), "/init", *words]
        b = None
    with coracle.popen(*argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"fd 0 /dev/pts/0\r\n"
        if b:
            b.file("go")
        else:
            coracle("exec", coracle.ids[-1], "/init", "write", "/go", "")
        out, err = p.communicate(timeout=30)
    assert p.returncode == 0 and out.endswith(b"done\r\n") and not err


# --- over a socket ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", ["create", "run", "exec"])
def test_console_socket(coracle, bundle, command):
    """One message with the master, which works; our own stdio is not the container's."""
    words = ["tty", "--", "echo", "up", "--", "cat"]
    b = bundle(*words)
    b.process["terminal"] = True
    b.save()
    with Receiver() as r:
        c = coracle.new_id()
        if command == "create":
            result = coracle("create", "--console-socket", r.path, "-b", b.path, c)
        elif command == "run":
            result = coracle("run", "--detach", "--console-socket", r.path, "-b", b.path, c)
        else:
            coracle.ids.pop()
            c = coracle.started(bundle("pause"))
            result = coracle("exec", "--detach", "--tty", "--console-socket", r.path, c, "/init", *words)
        (master,) = r.take()
        assert r.messages == 1 and r.text
    assert result.out == result.err == ""
    if command == "create":
        coracle("start", c)
    screen = Screen(master)
    screen.resize(11, 22)
    screen.expect("up")
    assert screen.seen.count("/dev/pts/0") == 3 and "controlling yes" in screen.seen
    screen.type("hello\n\x04")
    assert screen.rest().count("hello\r\n") == 2   # echoed, and by cat
    os.close(master)


@pytest.mark.parametrize("command", ["create", "run", "exec"])
def test_detached_without_a_socket_is_refused(coracle, bundle, command):
    b = bundle("true")
    b.process["terminal"] = True
    b.save()
    if command == "exec":
        words = ["exec", "-d", "-t", coracle.started(bundle("pause")), "/init", "true"]
    else:
        words = [command, *(["-d"] if command == "run" else []), "-b", b.path, coracle.new_id()]
    result = coracle(*words, check=False)
    assert result.rc and "detached" in result.err and "--console-socket" in result.err
    if command != "exec":
        assert coracle.state(coracle.ids[-1]) is None


def test_a_socket_without_a_terminal_is_refused(coracle, bundle):
    with Receiver() as r:
        result = coracle.try_create(bundle("true"), "--console-socket", r.path)
        assert result.rc and "--console-socket" in result.err and r.nothing_came()


def test_a_socket_where_nobody_listens(coracle, bundle, tmp_path):
    b = bundle("true")
    b.process["terminal"] = True
    result = coracle.try_create(b, "--console-socket", tmp_path / "nobody")
    assert result.rc and "console socket" in result.err
    assert coracle.state(coracle.ids[-1]) is None


def test_a_terminal_in_a_user_namespace(coracle, bundle):
    b = bundle("stat", "/dev/pts/0", "--", "tty")
    b.namespace("user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    b.linux["resources"] = {}
    b.process.update(terminal=True, user={"uid": 77, "gid": 78})
    with Terminal(coracle.argv("run", "-b", b.save().path, coracle.new_id()), coracle.environment()) as t:
        assert t.wait() == 0, t.seen
        assert "uid 77 gid 5" in t.seen and "controlling yes" in t.seen


def test_sigterm_to_a_run_with_a_terminal_goes_inside(coracle, bundle):
    b = bundle("trap", 15)
    b.process["terminal"] = True
    with Terminal(coracle.argv("run", "-b", b.save().path, coracle.new_id()), coracle.environment()) as t:
        t.expect("ready")
        os.kill(t.pid, signal.SIGTERM)
        t.expect("signal 15")
        assert t.wait() == 0 and t.is_restored()
