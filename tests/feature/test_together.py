# SPDX-License-Identifier: GPL-2.0-or-later
"""test_together.py - several commands on one container at once, and each command in each state."""
import os
import subprocess

import pytest

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

# What a command may say when another was faster; anything else is a bug.
OVERTAKEN = ("does not exist", "not running", "already exists", "cannot start", "was deleted while", "cannot delete",
             "cannot exec")


def at_once(coracle, *lines):
    """All command lines at the same time; [(exit code, stderr)] in their order."""
    started = [coracle.popen(*words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE) for words in lines]
    ends = []
    for p in started:
        # a container holds our stderr as long as it lives: wait first, then read what is there
        code = p.wait(60)
        os.set_blocking(p.stderr.fileno(), False)
        ends.append((code, (p.stderr.read() or b"").decode()))
        p.stderr.close()
    return ends


# --- races ------------------------------------------------------------------------------------------------------------

def test_many_creates_of_one_name(coracle, bundle):
    b, id = bundle("pause").save(), coracle.new_id()
    ends = at_once(coracle, *[["create", "-b", b.path, id]] * 20)
    assert [code for code, _ in ends].count(0) == 1
    assert all(f"container with given ID already exists: `{id}`" in err for code, err in ends if code)
    coracle("start", id)
    assert coracle.state(id)["status"] == "running"


def test_many_starts(coracle, bundle):
    c = coracle.create(bundle("append", "/starts", "x", "--", "pause"))
    ends = at_once(coracle, *[["start", c]] * 8)
    assert [code for code, _ in ends].count(0) == 1
    assert all("cannot start container" in err for code, err in ends if code)
    coracle.wait_status(c, "running")
    coracle.wait_until(lambda: coracle("exec", c, "/init", "cat", "/starts").out == "x", "it was started once")


def test_many_deletes(coracle, bundle):
    c = coracle.started(bundle("true"))
    coracle.wait_status(c, "stopped")
    ends = at_once(coracle, *[["delete", c]] * 8)
    assert [code for code, _ in ends].count(0) == 1
    assert all("does not exist" in err for code, err in ends if code)


def test_many_forced_deletes_are_all_content(coracle, bundle):
    c = coracle.started(bundle("pause"))
    assert [code for code, _ in at_once(coracle, *[["delete", "--force", c]] * 8)] == [0] * 8
    assert coracle.state(c) is None


def test_kill_delete_state_and_exec_at_once(coracle, bundle):
    """Each does its work or says that it came too late; the end is always the same."""
    b = bundle("pause")
    for _ in range(4):
        c = coracle.started(b)
        lines = [["kill", c, "KILL"], ["state", c], ["exec", c, "/init", "true"], ["delete", "--force", c], ["list"],
                 ["ps", c], ["exec", c, "/init", "pause"], ["delete", c], ["pause", c], ["resume", c]]
        for words, (code, err) in zip(lines, at_once(coracle, *lines)):
            ended = words[0] == "exec" and (code == 137 or any(
                text in err for text in ("exec", "setns", "join", "ended unexpectedly")))
            late = any(text in err for text in OVERTAKEN) or words[0] in ("pause", "resume")
            assert code == 0 or ended or late, (words, code, err)
        coracle("delete", "--force", c)
        assert coracle.state(c) is None


def test_delete_while_it_is_being_created(coracle, bundle, tmp_path):
    """delete --force comes to a container whose creation a hook holds: afterwards there is none."""
    os.mkfifo(tmp_path / "in")
    b = bundle("true")
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "env": ["PATH=/usr/bin:/bin"],
                                            "args": ["sh", "-c", f"echo > {tmp_path}/in; read x < {tmp_path}/out"]}]}
    os.mkfifo(tmp_path / "out")
    id = coracle.new_id()
    p = coracle.popen("create", "-b", b.save().path, id, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
    (tmp_path / "in").read_text()
    assert coracle.state(id)["status"] == "creating"
    d = coracle.popen("delete", "--force", id, stdin=subprocess.DEVNULL)
    (tmp_path / "out").write_text("\n")
    assert d.wait(30) == 0
    p.wait(30)
    assert coracle.state(id) is None


def test_many_containers_at_once(coracle, bundle):
    """Twenty runs side by side, each with its own exit code; the fixture sees that nothing is left."""
    lines = []
    for code in range(20):
        lines.append(["run", "-b", bundle("exit", code).save().path, coracle.new_id()])
    assert [code for code, _ in at_once(coracle, *lines)] == list(range(20))
    assert coracle("list", "-q").out == ""


def test_many_execs_in_one(coracle, bundle):
    c = coracle.started(bundle("reap", "--", "pause"))
    lines = [["exec", c, "/init", "exit", code] for code in range(12)]
    assert [code for code, _ in at_once(coracle, *lines)] == list(range(12))
    assert coracle.state(c)["status"] == "running"


# --- each command in each state ---------------------------------------------------------------------------------------

def test_start_twice(coracle, bundle):
    c = coracle.started(bundle("pause"))
    result = coracle("start", c, check=False)
    assert result.rc == 1 and "it is running, not created" in result.err
    coracle("kill", c, "KILL")
    coracle.wait_status(c, "stopped")
    assert "it is stopped, not created" in coracle("start", c, check=False).err


def test_delete_twice_and_of_what_never_was(coracle, bundle):
    c = coracle.create(bundle("true"))
    coracle("delete", c)
    result = coracle("delete", c, check=False)
    assert result.rc == 1 and f"container `{c}` does not exist" in result.err
    assert coracle("delete", "--force", c).err == ""
    for words in (["start", "nobody"], ["state", "nobody"], ["exec", "nobody", "/init"], ["ps", "nobody"]):
        result = coracle(*words, check=False)
        assert result.rc and "does not exist" in result.err, words


def test_delete_of_what_runs_takes_force(coracle, bundle):
    c = coracle.started(bundle("pause"))
    result = coracle("delete", c, check=False)
    assert result.rc == 1 and "it is running" in result.err
    assert coracle.state(c)["status"] == "running"
    coracle("pause", c)
    assert "it is paused" in coracle("delete", c, check=False).err
    coracle("delete", "--force", c)
    assert coracle.state(c) is None


def test_exec_in_each_state(coracle, bundle):
    """In a created container it works (engines do so); in a stopped one it does not."""
    c = coracle.create(bundle("pause"))
    assert coracle("exec", c, "/init", "echo", "early").out == "early\n"
    coracle("start", c)
    coracle("kill", c, "KILL")
    coracle.wait_status(c, "stopped")
    result = coracle("exec", c, "/init", "true", check=False)
    assert result.rc == 255 and "not running" in result.err


@pytest.mark.parametrize("id", ["", ".", "..", ".hidden", "a/b", "a b", "ä", "x" * 256])
def test_names_that_are_none(coracle, bundle, id):
    result = coracle("create", "-b", bundle("true").save().path, "--", id, check=False)
    assert result.rc and "id" in result.err
    assert coracle("list", "-q").out == ""


# --- what a config may lack or have beyond ------------------------------------------------------------------------------

def test_without_a_process_it_can_be_created_but_not_started(coracle, bundle):
    b = bundle("true")
    del b.config["process"]
    c = coracle.create(b)
    assert coracle.state(c)["status"] == "created"
    result = coracle("start", c, check=False)
    assert result.rc == 1 and "has no process" in result.err
    coracle("delete", c)
    result = coracle.run(b, check=False)
    assert result.rc == 1 and "process" in result.err


def test_without_args_it_cannot_run(coracle, bundle):
    b = bundle("true")
    del b.process["args"]
    result = coracle.run(b, check=False)
    assert result.rc == 1 and "process.args" in result.err


def test_unknown_keys_are_passed_over(coracle, bundle):
    b = bundle("echo", "runs")
    b.config["future"] = {"deep": [1, 2.5e300, None, "x"]}
    b.process["future"] = True
    b.linux["future"] = [{}]
    b.linux["resources"]["future"] = {"limit": "what"}
    b.config["annotations"] = {"org.example.any": "thing"}
    assert coracle.run(b).out == "runs\n"


@pytest.mark.parametrize("at, key, value", [
    (("linux",), "intelRdt", {"closID": "x"}),
    (("linux", "resources"), "rdma", {"mlx": {"hcaHandles": 1}}),
    (("process",), "apparmorProfile", "profile"),
    (("process",), "selinuxLabel", "label"),
    ((), "vm", {"kernel": {"path": "/k"}}),
])
def test_what_is_not_supported_is_refused_by_name(coracle, bundle, at, key, value):
    """Or works: but it is never passed over in silence."""
    b = bundle("true")
    place = b.config
    for word in at:
        place = place[word]
    place[key] = value
    result = coracle.run(b, check=False)
    assert result.rc == 1 and key in result.err, result
