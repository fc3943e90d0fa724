# SPDX-License-Identifier: GPL-2.0-or-later
"""test_stdio_fds.py - what a process gets from its caller: stdio, descriptors, socket activation; nothing else."""
import os
import subprocess

import pytest

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


def descriptors(out):
    """The payload's `fds` as {number: target}."""
    return {int(line.split()[0]): line.split(" ", 1)[1] for line in out.splitlines() if line[:1].isdigit()}


@pytest.fixture
def pipes():
    """pipes(n): n pipes as (read end, write end), the descriptors closed at the end."""
    made = []

    def make(n):
        new = [os.pipe() for _ in range(n)]
        made.extend(fd for p in new for fd in p)
        return new
    yield make
    for fd in made:
        os.close(fd)


def at(fds, start=3):
    """For Popen: a preexec_fn that puts these descriptors at start, start + 1, ..., open across exec."""
    def place():
        high = [os.dup2(fd, 500 + i) for i, fd in enumerate(fds)]
        for i, fd in enumerate(high):
            os.dup2(fd, start + i)
    return place


def run_with(coracle, fds, words, env=None, pid_is_ours=True):
    """A command line with these descriptors from 3 on, LISTEN_PID being its own where env has LISTEN_FDS."""
    argv = coracle.argv(*words)
    if env and pid_is_ours:
        argv = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *argv]
    done = subprocess.run(argv, env=coracle.environment(env), preexec_fn=at(fds), close_fds=False, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30, text=True)
    return done


# --- nothing else -------------------------------------------------------------------------------------------------

def test_three_descriptors_and_no_more(coracle, bundle, pipes):
    """Whatever the caller has open: create, run and exec hand over 0, 1 and 2."""
    secrets = [p[0] for p in pipes(3)]
    b = bundle("fds", "--", "pause")
    b.save()
    id = coracle.new_id()
    with open(os.path.join(coracle.directory, "out"), "w+b") as out:
        subprocess.run(coracle.argv("create", "-b", b.path, id), env=coracle.environment(), preexec_fn=at(secrets),
                       close_fds=False, check=True, stdin=subprocess.DEVNULL, stdout=out, timeout=30)
        coracle("start", id)
        coracle.wait_until(lambda: os.path.getsize(out.name), "it spoke")
        coracle.wait_until(lambda: b"\n2 " in open(out.name, "rb").read(), "it said all")
        out.seek(0)
        assert set(descriptors(out.read().decode())) == {0, 1, 2}
    done = run_with(coracle, secrets, ["exec", id, "/init", "fds"])
    assert set(descriptors(done.stdout)) == {0, 1, 2}, done.stderr
    foreground = bundle("fds").save()
    done = run_with(coracle, secrets, ["run", "-b", foreground.path, coracle.new_id()])
    assert set(descriptors(done.stdout)) == {0, 1, 2}, done.stderr


def test_stdio_is_the_callers(coracle, bundle):
    """Pipes pass bytes both ways; their end reaches the program, and stderr is its own."""
    b = bundle("cat", "--", "stderr", "aside").save()
    with coracle.popen("run", "-b", b.path, coracle.new_id(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE) as p:
        out, err = p.communicate(b"x" * 300000, timeout=30)
    assert (p.returncode, len(out), err) == (0, 300000, b"aside\n")
    c = coracle.started(bundle("pause"))
    result = coracle("exec", c, "/init", "cat", "--", "stderr", "aside", input="to exec")
    assert (result.out, result.err) == ("to exec", "aside\n")


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1, 2)], ids=str)
def test_closed_stdio_of_the_caller_is_no_hole(coracle, bundle, closed):
    """What the caller has closed is /dev/null, never a descriptor of ours."""
    b = bundle("readlink", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "--", "write", "/alive", "yes",
               "--", "stat", "/proc/self/fd/3").save()

    def close():
        for fd in closed:
            os.close(fd)
    with open(os.path.join(coracle.directory, "out"), "w+b") as out:
        subprocess.run(coracle.argv("run", "-b", b.path, coracle.new_id()), env=coracle.environment(), check=False,
                       preexec_fn=close, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30)
        out.seek(0)
        said = out.read().decode()
    assert b.read("alive") == "yes"
    if 1 not in closed:
        assert "/dev/null" in said.splitlines()[0] and "ENOENT" in said


# --- descriptors on purpose ---------------------------------------------------------------------------------------

def test_preserve_fds(coracle, bundle, pipes):
    given = [p[0] for p in pipes(3)]
    b = bundle("fds").save()
    done = run_with(coracle, given, ["run", "--preserve-fds", 2, "-b", b.path, coracle.new_id()])
    found = descriptors(done.stdout)
    assert set(found) == {0, 1, 2, 3, 4}
    assert found[3].startswith("pipe:") and found[4].startswith("pipe:") and found[3] != found[4]
    c = coracle.started(bundle("pause"))
    done = run_with(coracle, given, ["exec", "--preserve-fds", 1, c, "/init", "fds"])
    assert set(descriptors(done.stdout)) == {0, 1, 2, 3}, done.stderr


def test_preserved_descriptors_work(coracle, bundle, pipes):
    (r1, w1), (r2, w2) = pipes(2)
    os.write(w1, b"hello from outside")
    os.set_blocking(r1, False)
    c = coracle.started(bundle("pause"))
    done = run_with(coracle, [r1, w2], ["exec", "--preserve-fds", 2, c, "/init", "fd_write", "4", "and back", "--",
                                        "fd_read", "3"])
    assert done.stdout == "hello from outside"
    assert os.read(r2, 100) == b"and back"


@pytest.mark.parametrize("command", ["run", "create", "exec"])
def test_a_preserved_descriptor_must_be_open(coracle, bundle, command):
    if command == "exec":
        words = ["exec", "--preserve-fds", 1, coracle.started(bundle("pause")), "/init", "true"]
    else:
        words = [command, "--preserve-fds", 1, "-b", bundle("true").save().path, coracle.new_id()]
    result = coracle(*words, check=False)
    assert result.rc and "descriptor 3" in result.err


def test_socket_activation(coracle, bundle, pipes):
    given = [p[0] for p in pipes(2)]
    b = bundle("env", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "--", "id", "--", "fds").save()
    env = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"}
    done = run_with(coracle, given, ["run", "-b", b.path, coracle.new_id()], env)
    lines = done.stdout.splitlines()
    assert lines[:3] == ["LISTEN_FDS 2", "LISTEN_FDNAMES web:admin", "LISTEN_PID 1"], done.stderr
    assert set(descriptors(done.stdout)) == {0, 1, 2, 3, 4}


def test_socket_activation_and_preserve_fds_add_up(coracle, bundle, pipes):
    b = bundle("fds").save()
    done = run_with(coracle, [p[0] for p in pipes(3)], ["run", "--preserve-fds", 1, "-b", b.path, coracle.new_id()],
                    {"LISTEN_FDS": "2"})
    assert set(descriptors(done.stdout)) == {0, 1, 2, 3, 4, 5}, done.stderr


@pytest.mark.parametrize("how", ["host pid namespace", "exec", "shielded exec"])
def test_listen_pid_is_the_pid_inside(coracle, bundle, pipes, how):
    """sd_listen_fds(3) compares it with getpid(2): it is not always 1."""
    given = [p[0] for p in pipes(1)]
    b = bundle("env", "LISTEN_PID", "--", "id")
    if how == "host pid namespace":
        words = ["run", "-b", b.drop_namespace("pid").save().path, coracle.new_id()]
    else:
        holder = bundle("pause")
        if how == "shielded exec":
            for kind in ("bounding", "permitted", "effective"):
                holder.process["capabilities"][kind] = ["CAP_SYS_PTRACE"]
        words = ["exec", coracle.started(holder), *b.process["args"]]
    done = run_with(coracle, given, words, {"LISTEN_FDS": "1"})
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert told["LISTEN_PID"] == told["pid"], done.stderr


def test_socket_activation_of_another_process_is_not_ours(coracle, bundle):
    """LISTEN_PID names whom the descriptors are for; who merely inherited the words has none."""
    b = bundle("env", "LISTEN_FDS", "--", "fds").save()
    done = run_with(coracle, [], ["run", "-b", b.path, coracle.new_id()], {"LISTEN_FDS": "2", "LISTEN_PID": "1"},
                    pid_is_ours=False)
    assert done.stdout.startswith("LISTEN_FDS (unset)"), done.stderr
    assert set(descriptors(done.stdout)) == {0, 1, 2}
