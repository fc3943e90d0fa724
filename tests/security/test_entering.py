# SPDX-License-Identifier: GPL-2.0-or-later
"""test_entering.py - our own process in a container, before the program is executed: what it shows and takes along.

Rows of the list of known holes: CVE-2019-5736 (the runtime's binary overwritten from inside), CVE-2024-21626
(leaked directory handles, a working directory outside), CVE-2026-88265 (the image's /dev/null as stdio), crun
1.31's and runc 1.5.2's hardening (dumpable while joining; exec --cgroup into a sibling).
"""
import hashlib
import os
import shutil
import stat
import subprocess

import pytest

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


# --- the binary ---

@pytest.fixture
def own_binary(coracle, tmp_path):
    """A copy of the binary that nobody else runs, and that must be the same after the test."""
    coracle.binary = shutil.copy(coracle.binary, tmp_path / "coracle-copy")
    before = digest(coracle.binary)
    yield coracle.binary
    assert digest(coracle.binary) == before


def with_libraries(bundle):
    """For a build that is not static: the binary must start inside."""
    for path in ("/usr", "/lib", "/lib64"):
        if os.path.isdir(path):
            bundle.mount(path, "bind", path, ["rbind", "ro"])


@pytest.mark.parametrize("caps", [[], ["CAP_SYS_PTRACE"]], ids=["plain", "ptrace"])
def test_entering_processes_cannot_be_overwritten(coracle, bundle, own_binary, caps):
    """CVE-2019-5736, and crun 1.31's "dumpable while joining": a neighbour looks for our binary all the time.

    Without CAP_SYS_PTRACE nobody inside so much as opens it; with it, it may not be written.
    """
    b = bundle("overwrite", "/stop")
    for kind in b.process["capabilities"]:
        b.process["capabilities"][kind] = b.process["capabilities"][kind] + caps
    c = coracle.started(b)
    for _ in range(20):
        coracle("exec", c, "/init", "true")
    b.file("/stop")
    coracle.wait_status(c, "stopped")
    out = coracle.output(c)
    assert "opened" not in out
    if not caps:
        assert out == ""


def test_a_binary_executed_again_inside_cannot_be_overwritten(coracle, bundle, own_binary):
    """CVE-2019-5736: the program to execute is /proc/self/exe, us: now anybody inside may open it."""
    b = bundle("overwrite", "/stop")
    with_libraries(b)
    os.mkfifo(f"{b.rootfs}/fifo")
    c = coracle.started(b)
    p = coracle.popen("exec", c, "/proc/self/exe", "--log", "/fifo", "list", stdout=subprocess.DEVNULL)
    coracle.wait_output(c, "seen\n")
    os.close(os.open(f"{b.rootfs}/fifo", os.O_RDONLY))  # which it waits for
    p.wait(20)
    b.file("/stop")
    coracle.wait_status(c, "stopped")
    assert coracle.output(c) in ("seen\nwrite EROFS\n", "seen\nwrite EPERM\n")


@pytest.mark.parametrize("script", [False, True], ids=["program", "interpreter"])
def test_an_entrypoint_that_is_our_binary(coracle, bundle, own_binary, script):
    """CVE-2019-5736, as published: the first process is /proc/self/exe, or a script of that interpreter."""
    b = bundle("overwrite", "/stop")
    with_libraries(b)
    os.mkfifo(f"{b.rootfs}/fifo")
    b.file("/script", "#!/proc/self/exe --log=/fifo\n", 0o755)
    thief = coracle.started(b)
    other = bundle()
    other.rootfs, other.config["root"]["path"] = b.rootfs, b.rootfs
    other.config["mounts"] = b.config["mounts"]
    other.process["args"] = ["/script"] if script else ["/proc/self/exe", "--log=/fifo", "list"]
    other.namespace("pid", f"/proc/{coracle.state(thief)['pid']}/ns/pid")
    c = coracle.started(other)
    coracle.wait_output(thief, "seen\n")
    os.close(os.open(f"{b.rootfs}/fifo", os.O_RDONLY))
    coracle.wait_status(c, "stopped")
    b.file("/stop")
    coracle.wait_status(thief, "stopped")
    assert coracle.output(thief) in ("seen\nwrite EROFS\n", "seen\nwrite EPERM\n")


# --- working directory and handles ---

@pytest.fixture
def leaked(tmp_path):
    """Descriptors 3 to 20: directories of the host that our caller forgot to close."""
    (tmp_path / "host").mkdir()
    kept = []
    while len(kept) < 40:
        kept.append(os.open(tmp_path / "host" if len(kept) % 2 else "/", os.O_RDONLY | os.O_DIRECTORY))
    yield [fd for fd in kept if fd <= 20]
    for fd in kept:
        os.close(fd)


@pytest.mark.parametrize("leak", [False, True], ids=["own", "callers"])
def test_no_working_directory_outside_by_a_handle(coracle, bundle, leaked, leak):
    """CVE-2024-21626: process.cwd and exec --cwd as /proc/self/fd/N, whatever is open then."""
    given = {"pass_fds": leaked if leak else ()}
    b = bundle("pause")
    c = coracle.started(b)
    for fd in range(3, 21):
        cwd = f"/proc/self/fd/{fd}"
        result = coracle("exec", "--cwd", cwd, c, "/init", "cwd", check=False, **given)
        assert result.rc and "working directory" in result.err, (fd, result)
    b = bundle("cwd")
    for fd in range(3, 21):
        b.process["cwd"] = f"/proc/self/fd/{fd}"
        result = coracle.run(b, check=False, **given)
        assert result.rc and "working directory" in result.err, (fd, result)


def test_no_handle_of_the_caller_is_inside(coracle, bundle, leaked):
    """CVE-2024-21626: neither in the first process nor in one that exec adds."""
    b = bundle("fds", "--", "pause")
    c = coracle.started(b, pass_fds=leaked)
    coracle.wait_output(c, "2 ")
    inside = coracle("exec", c, "/init", "fds", pass_fds=leaked).out
    for out in (coracle.output(c), inside):
        assert [line.split()[0] for line in out.splitlines()] == ["0", "1", "2"]


# --- stdio ---

def close_stdio():
    for fd in (0, 1, 2):
        os.close(fd)


@pytest.mark.parametrize("command", ["create", "exec"])
def test_closed_stdio_is_the_hosts_null_device(coracle, bundle, decoy, tmp_path, command):
    """CVE-2026-88265: our caller has closed 0, 1 and 2, and /dev/null of the image leads to a file."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "null").symlink_to("/secret")
    b = bundle("pause")
    b.config["mounts"] = [m for m in b.config["mounts"] if not m["destination"].startswith("/dev")]
    b.mount("/dev", "bind", volume, ["rbind"])
    secret = b.file("/secret", "secret")
    decoy.link(f"{b.rootfs}/decoy", "secret")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    before = os.stat("/dev/null"), os.stat(secret)
    b.save()
    c = coracle.new_id()
    pid_file = tmp_path / "pid"
    words = {"create": ["create", "--pid-file", pid_file, "--bundle", b.path, c],
             "exec": ["exec", "--detach", "--pid-file", pid_file, c, "/init", "pause"]}
    if command == "exec":
        coracle.started(b, id=c)
    assert coracle.popen(*words[command], preexec_fn=close_stdio).wait(20) == 0
    if command == "create":
        coracle("start", c)
    pid = pid_file.read_text()
    for fd in (0, 1, 2):
        s = os.stat(f"/proc/{pid}/fd/{fd}")
        assert stat.S_ISCHR(s.st_mode) and s.st_rdev == os.makedev(1, 3)
        assert (s.st_dev, s.st_ino) == (before[0].st_dev, before[0].st_ino)
    for old, path in zip(before, ("/dev/null", secret)):
        new = os.stat(path)
        assert (new.st_uid, new.st_gid, new.st_mode) == (old.st_uid, old.st_gid, old.st_mode)
    with open(secret, encoding="utf-8") as f:
        assert f.read() == "secret"


def test_nothing_but_a_terminal_changes_its_owner(coracle, bundle):
    """CVE-2026-88265: files, pipes and devices given as stdio stay their owner's."""
    b = bundle("echo", "hi")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    c = coracle.new_id()
    null = os.stat("/dev/null")
    coracle.run(b, id=c)
    coracle.started(bundle("pause"), id=c + "-2")
    coracle("exec", "--user", "1000:1000", c + "-2", "/init", "true")
    for s in (os.stat(f"{coracle.directory}/{c}.out"), os.stat("/dev/null")):
        assert (s.st_uid, s.st_gid) == (0, 0)
    assert os.stat("/dev/null").st_mode == null.st_mode


# --- groups ---

def test_exec_stays_below_the_containers_group(coracle, bundle):
    """runc 1.5.2: exec --cgroup ../sibling, and a sibling whose name begins as ours does."""
    c = coracle.started(bundle("pause"))
    group = coracle.group(c)
    parent, name = os.path.split(group)
    siblings = [f"{parent}/{name}-evil", f"{parent}/other-{name}"]
    for path in siblings:
        os.mkdir(path)
    try:
        for path in siblings:
            for way in ("../" + os.path.basename(path), "/../" + os.path.basename(path), "-evil", path,
                        "./x/../../" + os.path.basename(path), ".."):
                result = coracle("exec", "--cgroup", way, c, "/init", "true", check=False)
                assert result.rc and "cgroup" in result.err, (way, result)
        assert coracle("exec", "--cgroup", "/", c, "/init", "cat", "/proc/self/cgroup").out.endswith(":/\n")
    finally:
        for path in siblings:
            os.rmdir(path)  # which fails if a process is in it
