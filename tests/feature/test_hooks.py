# SPDX-License-Identifier: GPL-2.0-or-later
"""test_hooks.py - the six kinds of hooks: when, where, with what; and what a failing one does."""
import json
import os

import pytest

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

BEFORE = ["prestart", "createRuntime", "createContainer", "startContainer"]
KINDS = [*BEFORE, "poststart", "poststop"]
STATUS = {"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
          "startContainer": "created", "poststart": "running", "poststop": "stopped"}


@pytest.fixture
def hooked(bundle, tmp_path, payload):
    """hooked(*words): a bundle whose hooks, the payload each, leave what they were given in one directory.

    The directory is /hooks inside too, so that startContainer hooks, which run there, leave theirs.
    """
    def make(*words):
        b = bundle(*words)
        b.kept = tmp_path / "hooks"
        b.kept.mkdir()
        b.mount("/hooks", "bind", b.kept, ["bind"])
        b.config["hooks"] = {}
        b.config["annotations"] = {"org.example": "kept"}
        return b
    return make


def add(b, kind, script, name="sh", **more):
    """A hook that is a line of shell; inside of the container there is none: there it is the payload."""
    hook = {"path": "/bin/sh", "args": [name, "-c", script], "env": ["PATH=/usr/bin:/bin"], **more}
    b.config["hooks"].setdefault(kind, []).append(hook)


def add_inside(b, *words, **more):
    b.config["hooks"].setdefault("startContainer", []).append({"path": "/init", "args": ["/init", *words], **more})


def add_logging(b):
    """Every kind appends its name to `order`, twice, and keeps its stdin."""
    for kind in KINDS:
        for number in (1, 2):
            if kind == "startContainer":
                add_inside(b, "append", "/hooks/order", f"{kind} {number}\n")
            else:
                add(b, kind, f"echo {kind} {number} >> {b.kept}/order; cat > {b.kept}/{kind}")


def order(b):
    path = b.kept / "order"
    return path.read_text().splitlines() if path.exists() else []


# --- when ---------------------------------------------------------------------------------------------------------------

def test_order(coracle, hooked):
    """Each kind in its turn, each list in its order, around the moments of the program."""
    b = hooked("append", "/hooks/order", "program\n", "--", "wait_for", "/hooks/poststart")
    add_logging(b)
    c = coracle.create(b)
    expected = [f"{kind} {n}" for kind in BEFORE[:3] for n in (1, 2)]
    assert order(b) == expected
    coracle("start", c)
    expected += ["startContainer 1", "startContainer 2"]
    assert order(b)[:8] == expected
    assert sorted(order(b)[8:]) == ["poststart 1", "poststart 2", "program"]   # these two race, by the spec
    coracle.wait_status(c, "stopped")
    assert len(order(b)) == 11
    coracle("delete", c)
    assert order(b)[11:] == ["poststop 1", "poststop 2"]


def test_order_in_one_run(coracle, hooked):
    b = hooked("wait_for", "/hooks/poststart")
    add_logging(b)
    coracle.run(b)
    assert order(b) == [f"{kind} {n}" for kind in KINDS for n in (1, 2)]


# --- with what --------------------------------------------------------------------------------------------------------

def test_the_state_on_stdin(coracle, hooked):
    """With the status of the moment, and a pid that is right where the hook stands."""
    b = hooked("wait_for", "/hooks/poststart", "--", "wait_for", "/hooks/go")
    add_logging(b)
    del b.config["hooks"]["startContainer"]     # the next test
    c = coracle.create(b)
    pid = coracle.state(c)["pid"]
    coracle("start", c)
    (b.kept / "go").touch()
    coracle.wait_status(c, "stopped")
    coracle("delete", c)
    for kind in KINDS:
        if kind == "startContainer":
            continue
        state = json.loads((b.kept / kind).read_text())
        assert (state["id"], state["bundle"], state["status"]) == (c, b.path, STATUS[kind]), kind
        assert state["ociVersion"] and state["annotations"] == {"org.example": "kept"}
        expected = {"createContainer": 1, "poststop": state.get("pid", 0)}.get(kind, pid)
        assert state.get("pid", 0) == expected, kind


def test_the_state_for_a_start_container_hook(coracle, hooked):
    """Inside there is only the payload, which cannot write a file of its stdin: it fails, and so its output is told."""
    b = hooked("true")
    b.config["hooks"]["startContainer"] = [{"path": "/init", "args": ["/init", "cat", "--", "exit", "9"]}]
    result = coracle.run(b, check=False)
    text = result.err[result.err.index("{"):result.err.rindex("}") + 1]
    state = json.loads(text)
    assert state["status"] == "created" and state["pid"] == 1 and state["id"] == coracle.ids[-1]


def test_environment_directory_and_descriptors_are_exact(coracle, hooked):
    """Nothing of the caller's, nothing of the container's: no variable, no descriptor, the root as directory."""
    b = hooked("true")
    b.process["env"].append("LD_PRELOAD=/evil.so")
    for kind in ("createRuntime", "createContainer", "poststop"):
        add(b, kind, f"tr '\\0' '\\n' < /proc/self/environ > {b.kept}/env-{kind}; pwd > {b.kept}/cwd-{kind}; "
            f"ls /proc/self/fd > {b.kept}/fd-{kind}; echo \"$0 $1\" > {b.kept}/args-{kind}", env=["ONLY=this"])
    b.config["hooks"]["createRuntime"][0]["args"] += ["named", "argument"]
    for hooks in b.config["hooks"].values():
        hooks[0]["args"][2] = "PATH=/usr/bin:/bin; " + hooks[0]["args"][2]
    coracle.run(b, env={"CALLER": "leaks", "LD_LIBRARY_PATH": "/nothing"})
    for kind in ("createRuntime", "createContainer", "poststop"):
        assert (b.kept / f"env-{kind}").read_text().splitlines() == ["ONLY=this"], kind
        assert (b.kept / f"cwd-{kind}").read_text() == "/\n", kind
        assert set((b.kept / f"fd-{kind}").read_text().split()) == {"0", "1", "2", "3"}, kind      # 3 is ls's own
    assert (b.kept / "args-createRuntime").read_text() == "named argument\n"


def test_without_env_there_is_none(coracle, hooked):
    b = hooked("true")
    add(b, "createRuntime", f"PATH=/usr/bin:/bin; tr '\\0' '\\n' < /proc/self/environ > {b.kept}/env")
    del b.config["hooks"]["createRuntime"][0]["env"]
    coracle.run(b)
    assert (b.kept / "env").read_text() == ""


# --- where ------------------------------------------------------------------------------------------------------------

def test_namespaces_of_each(coracle, hooked):
    """createContainer hooks are in the container's namespaces with the host's paths; the others on the host."""
    b = hooked("ns", "--", "wait_for", "/hooks/poststart")
    for kind in ("prestart", "createRuntime", "createContainer", "poststop"):
        add(b, kind, f"cd /proc/self/ns; for n in mnt uts ipc net; do readlink $n; done > {b.kept}/{kind}; "
            f"hostname >> {b.kept}/{kind}")
    add(b, "poststart", f"touch {b.kept}/poststart")
    out = coracle.run(b).out
    inside = [line.split()[1] for n in ("mnt", "uts", "ipc", "net") for line in out.splitlines()
              if line.startswith(n + " ")]
    host = [os.readlink(f"/proc/self/ns/{n}") for n in ("mnt", "uts", "ipc", "net")]
    for kind in ("prestart", "createRuntime", "poststop"):
        assert (b.kept / kind).read_text().split() == [*host, os.uname().nodename], kind
    assert (b.kept / "createContainer").read_text().split() == [*inside, "coracle"]


def test_a_create_runtime_hook_finds_the_process_and_its_network(coracle, hooked):
    """What CNI does: move something into the network namespace of the pid."""
    b = hooked("interfaces")
    add(b, "createRuntime", "pid=$(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' | head -1); "
        "nsenter -t $pid -n ip link add dummy9 type veth peer name dummy8", env=["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
    assert "dummy9" in coracle.run(b).out


def test_mounts_of_a_create_container_hook_are_seen_inside(coracle, hooked):
    b = hooked("cat", "/tmp/hello")
    add(b, "createContainer", f"mount -t tmpfs t {b.rootfs}/tmp && echo from the hook > {b.rootfs}/tmp/hello")
    assert coracle.run(b).out == "from the hook\n"
    assert not os.path.exists(f"{b.rootfs}/tmp/hello")


def test_a_start_container_hook_is_as_the_program(coracle, hooked):
    """Its path is the container's, its user and rights are the process's, its pid namespace too."""
    b = hooked("true")
    b.process["user"] = {"uid": 5, "gid": 6}
    add_inside(b, "id", "--", "caps", "--", "uname", "--", "exit", "3")
    err = coracle.run(b, check=False).err
    assert "euid 5" in err and "hostname coracle" in err and "CapEff 0000000000000000" in err


# --- when one fails ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", BEFORE[:3])
def test_a_failure_while_creating_ends_it(coracle, hooked, kind):
    """No later hook of creation runs, nothing is left, what it said is told; poststop hooks see the end."""
    b = hooked("append", "/hooks/order", "program\n")
    add_logging(b)
    add(b, kind, "echo oh dear; exit 3")
    add(b, kind, f"echo too late >> {b.kept}/order")
    result = coracle.try_create(b)
    assert result.rc == 1 and f"{kind} hook: /bin/sh" in result.err
    assert "exit status 3" in result.err and "oh dear" in result.err
    ran = [f"{k} {n}" for k in KINDS[:KINDS.index(kind) + 1] for n in (1, 2)]
    assert order(b) == [*ran, "poststop 1", "poststop 2"]
    assert json.loads((b.kept / "poststop").read_text())["status"] == "stopped"
    assert coracle.state(coracle.ids[-1]) is None


def test_a_failure_at_the_start(coracle, hooked):
    b = hooked("append", "/hooks/order", "program\n")
    add_logging(b)
    add_inside(b, "exit", "3")
    c = coracle.create(b)
    result = coracle("start", c, check=False)
    assert result.rc == 1 and "startContainer hook: /init" in result.err
    coracle.wait_status(c, "stopped")
    coracle("delete", c)
    assert "program" not in order(b) and order(b)[-2:] == ["poststop 1", "poststop 2"]


@pytest.mark.parametrize("together", [True, False], ids=["run", "start"])
def test_a_failure_after_the_start_stops_it(coracle, hooked, together):
    b = hooked("pause")
    add(b, "poststart", "exit 3")
    add(b, "poststop", f"echo poststop >> {b.kept}/order")
    if together:
        result = coracle.run(b, check=False)
        assert coracle.state(coracle.ids[-1]) is None
    else:
        c = coracle.create(b)
        result = coracle("start", c, check=False)
        assert coracle.state(c)["status"] == "stopped"
        coracle("delete", c)
    assert result.rc == 1 and "poststart hook: /bin/sh" in result.err
    assert order(b) == ["poststop"]


def test_a_failure_at_the_end_is_a_warning(coracle, hooked):
    """The others of the list run, the container is gone, the exit code is the program's."""
    b = hooked("exit", 7)
    add(b, "poststop", "exit 3")
    add(b, "poststop", f"echo second >> {b.kept}/order")
    result = coracle.run(b, check=False)
    assert result.rc == 7 and "poststop hook: /bin/sh" in result.err
    assert order(b) == ["second"] and coracle.state(coracle.ids[-1]) is None


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "poststop"])
def test_a_hook_that_takes_too_long_is_killed(coracle, hooked, kind):
    """With all that it has started."""
    b = hooked("true")
    add(b, kind, f"sleep 1000 & echo $! > {b.kept}/pid; wait", timeout=1)
    result = coracle.run(b, check=False)
    assert result.rc == (kind != "poststop") and "killed after 1000 ms" in result.err
    if kind != "createContainer":      # that one's pids are of the container's namespace, which is gone
        pid = int((b.kept / "pid").read_text())
        coracle.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "its child has ended")


@pytest.mark.parametrize("hook, said", [({"path": "/nothing"}, "/nothing"), ({"path": "sh"}, "path"),
                                        ({"args": ["sh"]}, "path"), ({"path": "/bin/sh", "timeout": 0}, "timeout")])
def test_hooks_that_cannot_be(coracle, hooked, hook, said):
    b = hooked("true")
    b.config["hooks"]["createRuntime"] = [hook]
    result = coracle.run(b, check=False)
    assert result.rc == 1 and "createRuntime" in result.err and said in result.err
