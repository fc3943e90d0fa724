# SPDX-License-Identifier: GPL-2.0-or-later
"""test_exit_signals.py - how it ends: exit codes, signals that go in, orphans, --keep."""
import os
import signal
import subprocess

import pytest

from lib.terminal import Terminal

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


@pytest.fixture(params=["run", "exec"])
def foreground(request, coracle, bundle):
    """foreground("trap", 15): the payload's words by run or exec, as a Popen with pipes."""
    def start(*words, **options):
        if request.param == "exec":
            argv = ["exec", coracle.started(bundle("pause")), "/init", *words]
        else:
            argv = ["run", "-b", bundle(*words).save().path, coracle.new_id()]
        return coracle.popen(*argv, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                       "stderr": subprocess.PIPE, **options})
    return start


def end(p):
    out, err = p.communicate(timeout=30)
    return p.returncode, out.decode(), err.decode()


# --- exit codes -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_exit_code(foreground, code):
    assert end(foreground("exit", code)) == (code, "", "")


def test_death_by_signal_is_128_and_its_number(coracle, bundle):
    """Of exec by signals of its own; of pid 1 by one from outside, for it is deaf to its own."""
    c = coracle.started(bundle("pause"))
    for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, 34):
        assert coracle("exec", c, "/init", "kill_self", int(sig), check=False).rc == 128 + sig
    b = bundle("echo", "up", "--", "pause").save()
    with coracle.popen("run", "-b", b.path, coracle.new_id(), stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"up\n"
        coracle("kill", coracle.ids[-1], "KILL")
        assert p.wait(30) == 137


def test_what_cannot_be_executed(coracle, bundle):
    """1 from run, 255 from exec, with a sentence that names it; nothing stays."""
    b = bundle()
    b.process["args"] = ["/nothing"]
    result = coracle.run(b, check=False)
    assert result.rc == 1 and "/nothing" in result.err and "no such file" in result.err
    assert coracle.state(coracle.ids[-1]) is None
    b.process["args"] = ["/etc"]
    assert "ermission denied" in coracle.run(b, check=False).err
    c = coracle.started(bundle("pause"))
    result = coracle("exec", c, "/nothing", check=False)
    assert result.rc == 255 and "/nothing" in result.err
    assert coracle("exec", "nobody", "/init", check=False).rc == 255


def test_detached_is_success_whatever_comes_of_it(coracle, bundle):
    assert coracle.run(bundle("exit", 9), "--detach").rc == 0
    coracle.wait_status(coracle.ids[-1], "stopped")
    c = coracle.started(bundle("pause"))
    assert coracle("exec", "--detach", c, "/init", "exit", "9").rc == 0


def test_a_foreground_run_removes_its_container_unless_told_to_keep_it(coracle, bundle):
    assert coracle.run(bundle("exit", 3), check=False).rc == 3
    assert coracle.state(coracle.ids[-1]) is None
    assert coracle.run(bundle("exit", 3), "--keep", check=False).rc == 3
    assert coracle.state(coracle.ids[-1])["status"] == "stopped"
    coracle("delete", coracle.ids[-1])


# --- signals go in --------------------------------------------------------------------------------------------------

def test_signals_are_passed_on(foreground):
    """All that can be, in any order; the command itself stays."""
    numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM,
               signal.SIGALRM, signal.SIGCONT, signal.SIGTSTP, 34, 64]
    p = foreground("trap", *map(int, numbers))
    assert p.stdout.readline() == b"ready\n"
    said = set()
    for number in numbers:
        p.send_signal(number)
        said.add(p.stdout.readline().decode())
    assert said == {f"signal {int(n)}\n" for n in numbers}
    assert end(p) == (0, "", "")


def test_a_signal_that_ends_it_ends_us_with_its_code(coracle, bundle):
    c = coracle.started(bundle("pause"))
    with coracle.popen("exec", c, "/init", "echo", "up", "--", "sleep", "60", stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"up\n"
        p.send_signal(signal.SIGTERM)
        assert p.wait(30) == 143
    assert coracle.state(c)["status"] == "running"


def test_control_c_at_a_terminal(coracle, bundle):
    """Without -t the caller's terminal makes the signal: it reaches the program once."""
    b = bundle("trap", 2, "--", "echo", "over").save()
    with Terminal(coracle.argv("run", "-b", b.path, coracle.new_id()), coracle.environment()) as t:
        t.expect("ready")
        t.type("\x03")
        t.expect("over")
        assert t.wait() == 0
        assert t.seen.count("signal 2") == 1


@pytest.mark.parametrize("ignored", ["SIGCHLD", "SIGPIPE", "SIGHUP", "SIGTERM"])
def test_what_the_caller_ignores_is_not_ignored_inside(foreground, ignored):
    """SIGCHLD above all: with it ignored nobody could be waited for."""
    number = getattr(signal, ignored)
    p = foreground("signals", "--", "exit", 5, restore_signals=False,
                   preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    code, out, _ = end(p)
    assert code == 5
    fields = dict(line.split() for line in out.splitlines())
    assert int(fields["SigIgn"], 16) == int(fields["SigBlk"], 16) == 0


def test_what_the_caller_blocks_is_not_blocked_inside(foreground):
    p = foreground("signals", preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {15, 2, 17}))
    fields = dict(line.split() for line in end(p)[1].splitlines())
    assert int(fields["SigBlk"], 16) == 0


def test_term_while_a_container_is_being_made(coracle, bundle, tmp_path):
    """A hook holds the creation: a signal ends the hook, and what was made is undone."""
    mark = tmp_path / "hook"
    os.mkfifo(mark)
    b = bundle("true")
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"echo $$ > {mark}; sleep 100"],
                                            "env": ["PATH=/usr/bin:/bin"]}]}
    b.save()
    p = coracle.popen("run", "-b", b.path, coracle.new_id(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    hook = int(mark.read_text())
    p.send_signal(signal.SIGTERM)
    _, err = p.communicate(timeout=30)
    assert p.returncode == 1 and b"interrupted" in err
    assert coracle.state(coracle.ids[-1]) is None
    coracle.wait_until(lambda: not os.path.exists(f"/proc/{hook}"), "the hook has ended")


# --- orphans ----------------------------------------------------------------------------------------------------------

def parent(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def own_pids(coracle, id):
    return [int(p) for p in coracle("ps", "-f", "json", id).out.strip("[]\n").split(",") if p]


@pytest.mark.parametrize("adopts", [True, False])
def test_orphans_without_a_pid_namespace(coracle, bundle, adopts):
    """They are the foreground run's to reap, or with --no-subreaper pid 1's."""
    b = bundle("orphan", 60000, "--", "echo", "up", "--", "cat").drop_namespace("pid").save()
    options = [] if adopts else ["--no-subreaper"]
    with coracle.popen("run", *options, "-b", b.path, coracle.new_id(), stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"up\n"
        id = coracle.ids[-1]
        (orphan,) = set(own_pids(coracle, id)) - {coracle.state(id)["pid"]}
        assert (parent(orphan) == p.pid) == adopts
        os.kill(orphan, signal.SIGKILL)
        coracle.wait_until(lambda: not os.path.exists(f"/proc/{orphan}"), "the orphan is reaped")
        assert p.poll() is None
        p.stdin.close()
        assert p.wait(30) == 0


def test_orphans_that_live_on_are_ended_with_the_container(coracle, bundle):
    b = bundle("orphan", 60000, "--", "exit", 4).drop_namespace("pid")
    assert coracle.run(b, check=False).rc == 4      # the fixture sees that no process is left


def test_who_holds_the_output_does_not_hold_us(coracle, bundle):
    """A process that exec has left behind in the container, with our pipe in hand."""
    c = coracle.started(bundle("reap", "--", "pause"))
    result = coracle("exec", c, "/init", "orphan", 60000, "--", "exit", 6, check=False)
    assert result.rc == 6
    assert coracle.state(c)["status"] == "running"
