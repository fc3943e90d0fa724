# SPDX-License-Identifier: GPL-2.0-or-later
"""test_labels.py - AppArmor profiles and SELinux contexts: of the process, of mounts; an error where the module is
not there.  With the modules themselves in the virtual machine."""
import json
import os
import subprocess

import pytest

from lib import needs

pytestmark = [pytest.mark.needs("root", "node")]


@pytest.mark.parametrize("where, key, said", [
    ("process", "apparmorProfile", "process.apparmorProfile: box: AppArmor is not enabled on this host"),
    ("process", "selinuxLabel", "process.selinuxLabel: box: SELinux is not enabled on this host"),
    ("linux", "mountLabel", "linux.mountLabel: box: SELinux is not enabled on this host")])
def test_who_asks_for_confinement_does_not_run_without(coracle, bundle, where, key, said):
    if key == "apparmorProfile" and not needs.missing("apparmor"):
        pytest.skip("AppArmor is enabled here")
    if key != "apparmorProfile" and not needs.missing("selinux"):
        pytest.skip("SELinux is enabled here")
    b = bundle("true")
    b.config[where][key] = "box"
    result = coracle.run(b, check=False)
    assert result.rc == 1 and said in result.err
    if where == "linux":
        return
    c = coracle.started(bundle("pause"))
    option = {"apparmorProfile": "--apparmor", "selinuxLabel": "--process-label"}[key]
    result = coracle("exec", option, "box", c, "/init", "true", check=False)
    assert result.rc == 255 and said in result.err


def test_unconfined_asks_for_nothing(coracle, bundle):
    b = bundle("true")
    b.process["apparmorProfile"] = "unconfined"
    coracle.run(b)


PROFILE = """
profile coracle-test flags=(attach_disconnected,mediate_deleted) {
  network, capability, file, umount, mount, signal, ptrace, unix, pivot_root,
  deny /tmp/forbidden w,
}
profile coracle-other flags=(attach_disconnected,mediate_deleted) {
  network, capability, file, umount, mount, signal, ptrace, unix, pivot_root,
}
"""


@pytest.fixture
def profiles(tmp_path):
    if not os.path.exists("/usr/sbin/apparmor_parser"):
        pytest.skip("no apparmor_parser")
    (tmp_path / "profile").write_text(PROFILE)
    subprocess.run(["/usr/sbin/apparmor_parser", "-r", "-K", tmp_path / "profile"], check=True)
    yield
    subprocess.run(["/usr/sbin/apparmor_parser", "-R", tmp_path / "profile"], check=True)


@pytest.mark.needs("apparmor")
def test_apparmor(coracle, bundle, profiles, tmp_path):
    b = bundle("cat", "/proc/self/attr/current", "--", "write", "/tmp/allowed", "x", "--", "write", "/tmp/forbidden", "x")
    b.process["apparmorProfile"] = "coracle-test"
    for nnp in (True, False):
        b.process["noNewPrivileges"] = nnp
        result = coracle.run(b, check=False)
        assert result.out == "coracle-test (enforce)\n" and "forbidden: EACCES" in result.err
        assert b.read("/tmp/allowed") == "x"
    # exec: as the config has it, another by an option, another by a process file
    b.args("pause")
    c = coracle.started(b)
    current = ["/init", "cat", "/proc/self/attr/current"]
    assert coracle("exec", c, *current).out == "coracle-test (enforce)\n"
    assert coracle("exec", "--apparmor", "coracle-other", c, *current).out == "coracle-other (enforce)\n"
    (tmp_path / "p").write_text(json.dumps({**b.process, "args": current, "apparmorProfile": "coracle-other"}))
    assert coracle("exec", "--process", tmp_path / "p", c).out == "coracle-other (enforce)\n"
    # a hook of the host is not confined
    b = bundle("true")
    b.process["apparmorProfile"] = "coracle-no-such-profile"
    result = coracle.run(b, check=False)
    assert result.rc == 1 and "process.apparmorProfile: write \"exec coracle-no-such-profile\": No such file" in result.err


@pytest.mark.needs("apparmor")
def test_a_decoy_over_proc_catches_no_label(coracle, bundle, profiles):
    """CVE-2019-16884: the image's volume over /proc has a file where the label would be written."""
    b = bundle("true")
    decoy = b.file("/decoy/self/attr/apparmor/exec", "decoy")
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/proc"]
    b.mount("/proc", "bind", f"{b.rootfs}/decoy", ["bind"])
    b.linux.pop("maskedPaths")
    b.linux.pop("readonlyPaths")
    b.process["apparmorProfile"] = "coracle-test"
    coracle.run(b)
    with open(decoy, encoding="ascii") as f:
        assert f.read() == "decoy"
