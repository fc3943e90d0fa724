# SPDX-License-Identifier: GPL-2.0-or-later
"""test_host_side.py - what of a container's config reaches the host, and what of the runtime can be reached.

Rows of the list of known holes: CVE-2025-23266 (hooks with the image's environment); CVE-2022-0811,
CVE-2025-52881 (sysctls of the host); CVE-2020-15257 (abstract sockets); CVE-2021-41103 (open directories);
CVE-2026-31431 (AF_ALG), CVE-2026-123876 (a default filter that lets sockets through).
"""
import os
import stat
import subprocess

import pytest

pytestmark = [pytest.mark.needs("root", "node")]

HOOKS = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]


# --- hooks ---

def hook(tmp_path, name, **more):
    """A hook that writes down its environment, working directory and descriptors."""
    said = tmp_path / name
    text = (f"env >{said}; echo cwd=$(readlink /proc/self/cwd) >>{said}; "
            f"cd /proc/self/fd; set -- *; echo fds=$* >>{said}")
    return {"path": "/bin/sh", "args": ["sh", "-c", text], **more}


@pytest.mark.parametrize("given", [False, True], ids=["none", "env"])
def test_hooks_get_nothing_of_the_container(coracle, bundle, tmp_path, given):
    """CVE-2025-23266: process.env says LD_PRELOAD; no hook on the host has it, nor a directory of the image."""
    b = bundle("true")
    b.process["env"] += ["LD_PRELOAD=/evil.so", "EVIL=1"]
    b.process["cwd"] = "/tmp"
    more = {"env": ["GIVEN=yes"]} if given else {}
    b.config["hooks"] = {name: [hook(tmp_path, name, **more)] for name in HOOKS}
    c = coracle.started(b, env={"LD_CALLER": "1"})
    coracle.wait_status(c, "stopped")
    coracle("delete", c)
    for name in HOOKS:
        said = dict(line.split("=", 1) for line in (tmp_path / name).read_text().splitlines())
        said.pop("PWD"), said.pop("OLDPWD", None), said.pop("_", None)  # these are the shell's
        fds = said.pop("fds").split()
        assert said == {"cwd": "/", **({"GIVEN": "yes"} if given else {})}, name
        assert set(fds) <= {"0", "1", "2", "3"}, name  # 3: the directory that is listed


# --- sysctl ---

def now(name):
    with open(f"/proc/sys/{name}", encoding="utf-8") as f:
        return f.read().rstrip("\n")


@pytest.mark.parametrize("key, same_as", [
    ("kernel.core_pattern", "kernel/core_pattern"), ("kernel/core_pattern", "kernel/core_pattern"),
    ("vm.overcommit_memory", "vm/overcommit_memory"), ("kernel.shm_rmid_forced+kernel.core_pattern", None),
    ("net/../kernel/core_pattern", "kernel/core_pattern"), ("net...kernel.core_pattern", "kernel/core_pattern"),
    ("", None)])
def test_sysctls_of_the_host_are_refused(coracle, bundle, key, same_as):
    """CVE-2022-0811, CVE-2025-52881: and the error names the key.

    The value is what the kernel has: no namespace holds these back, and a build that lets them through must not
    change the machine.
    """
    b = bundle("true")
    b.linux["sysctl"] = {key: now(same_as) if same_as else "0"}
    result = coracle.run(b, check=False)
    assert result.rc and "linux.sysctl" in result.err and key in result.err, result


@pytest.mark.parametrize("value", ["1+kernel.core_pattern=x", "1\nkernel.core_pattern=x"])
def test_a_value_of_a_sysctl_holds_no_second_one(coracle, bundle, value):
    """CVE-2022-0811, as published: pinns split its argument at "+"."""
    before = now("kernel/core_pattern")
    b = bundle("true")
    b.linux["sysctl"] = {"kernel.shm_rmid_forced": value}
    result = coracle.run(b, check=False)
    assert result.rc and "linux.sysctl.kernel.shm_rmid_forced" in result.err
    assert now("kernel/core_pattern") == before


@pytest.mark.parametrize("kind, key", [("network", "net.ipv4.ip_forward"), ("ipc", "kernel.msgmax"),
                                       ("uts", "kernel.domainname")])
def test_sysctls_need_the_namespace(coracle, bundle, kind, key):
    """CVE-2022-0811: without a namespace of its own the container would set the host's."""
    b = bundle("true").drop_namespace(kind)
    b.config.pop("hostname")
    b.linux["sysctl"] = {key: now(key.replace(".", "/"))}  # as above
    result = coracle.run(b, check=False)
    assert result.rc and f"linux.sysctl.{key}" in result.err


# --- what is left open ---

def test_no_abstract_sockets(coracle, bundle):
    """CVE-2020-15257: anybody in the host's network namespace could talk to them."""
    def abstract():
        with open("/proc/net/unix", encoding="utf-8") as f:
            return {line.split()[-1] for line in f if line.split()[-1].startswith("@")}
    before = abstract()
    b = bundle("pause").drop_namespace("network")
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/sys"]
    c = coracle.create(b)
    seen = abstract()
    coracle("start", c)
    p = coracle.popen("exec", c, "/init", "echo", "hi", "--", "pause", stdout=-1)
    assert p.stdout.readline() == b"hi\n"
    seen |= abstract()
    coracle("kill", c, "KILL")
    p.stdout.close()
    p.wait(20)
    assert seen == before


def test_records_are_for_their_owner_only(coracle, bundle):
    """CVE-2021-41103, whatever the caller's umask is."""
    b = bundle("pause").save()
    c = coracle.new_id()
    assert coracle.popen("create", "--bundle", b.path, c, umask=0).wait(20) == 0
    for directory, names, files in os.walk(coracle.root):
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700, directory
        for name in files:
            assert not stat.S_IMODE(os.lstat(os.path.join(directory, name)).st_mode) & 0o022, name


# --- the default filter ---

@pytest.mark.needs("x86-64")
@pytest.mark.parametrize("words, said", [
    (["syscall", 41, 38, 5, 0], "EPERM"),               # AF_ALG
    (["syscall", 41, 38 | 1 << 32, 5, 0], "EPERM"),     # the kernel takes 32 bits of it
    (["syscall", 41, 40, 1, 0], "EPERM"),               # AF_VSOCK
    (["syscall", 41, 1, 1, 0], None),                   # AF_UNIX
    (["syscall", 900], "ENOSYS"),                       # no such call, or one of the future
    (["int80", 102, 1, 0], "ENOSYS"),                   # socketcall hides its family in memory
    (["int80", 359, 38, 5], "EPERM"),                   # socket of the 32-bit kind
    (["syscall", 165], "EPERM"),                        # mount
])
def test_the_default_filter(coracle, bundle, payload, words, said):
    """CVE-2026-31431, CVE-2026-123876."""
    if words[0] == "int80" and subprocess.run([payload, "int80", "20"], stdout=subprocess.DEVNULL).returncode:
        pytest.skip("the kernel takes no 32-bit calls")
    result = coracle("run", "--rootfs", bundle().rootfs, coracle.new_id(), "--", "/init", *words, check=False)
    assert result.rc == (1 if said else 0) and (said or "result") in result.out + result.err, result
