# SPDX-License-Identifier: GPL-2.0-or-later
"""test_identity.py - ids, groups and capabilities of the container's processes: what the config says, no more.

Rows of the list of known holes: CVE-2022-29162, CVE-2022-27650, CVE-2025-27612, CVE-2022-24769, CVE-2022-27649
(inheritable capabilities); youki's issue 3434 (no capabilities named); CVE-2026-30892, CVE-2024-40635,
CVE-2026-46680 (ids that are parsed or wrap to 0); CVE-2023-25173, CVE-2022-36109, CVE-2022-2989 (groups);
CVE-2026-47262 (huge /etc/passwd); CVE-2021-43784 (long strings, many id maps).
"""
import json
import os
import subprocess

import pytest

pytestmark = [pytest.mark.needs("root", "node")]


def fields(text):
    return dict(line.split(" ", 1) if " " in line else (line, "") for line in text.splitlines())


# --- capabilities ---

def test_exec_cap_inherits_nothing(coracle, bundle):
    """CVE-2022-29162, CVE-2022-27650, CVE-2025-27612: an added capability is not inheritable."""
    c = coracle.started(bundle("pause"))
    caps = {k: int(v, 16) for k, v in
            fields(coracle("exec", "--cap", "CAP_NET_ADMIN", c, "/init", "caps").out).items()}
    assert caps["CapInh"] == caps["CapAmb"] == 0
    assert caps["CapPrm"] == caps["CapEff"] == caps["CapBnd"]
    assert caps["CapEff"] >> 12 & 1 and caps["CapEff"] >> 5 & 1  # the new one, and the container's


@pytest.mark.parametrize("uid", [0, 1000])
def test_no_capabilities_named_means_none(coracle, bundle, uid):
    """youki 3434: without process.capabilities nothing stays in any set, the bounding set least of all."""
    b = bundle("caps")
    del b.process["capabilities"]
    b.process["user"]["uid"] = uid
    assert {int(v, 16) for v in fields(coracle.run(b).out).values()} == {0}


def test_the_default_config_is_safe(coracle):
    """CVE-2022-24769, CVE-2022-27649; GHSA-7ww5-4wqc-m92c: nothing inheritable, the power meters masked."""
    config = json.loads(coracle("spec", "--print").out)
    for kind in ("inheritable", "ambient"):
        assert not config["process"]["capabilities"].get(kind)
    assert config["process"]["noNewPrivileges"]
    assert {"/sys/devices/virtual/powercap", "/sys/firmware", "/proc/kcore", "/proc/keys", "/proc/timer_list",
            "/proc/interrupts"} <= set(config["linux"]["maskedPaths"])


# --- ids ---

@pytest.mark.parametrize("text, uid, gid", [("1", 1, 0), ("1:2", 1, 2), ("2147483648", 1 << 31, 0),
                                            ("4294967294:4294967294", 4294967294, 4294967294)])
def test_exec_users(coracle, bundle, text, uid, gid):
    """CVE-2026-30892: 1 is 1; CVE-2024-40635: 2^31 is not 0."""
    c = coracle.started(bundle("pause"))
    got = fields(coracle("exec", "--user", text, c, "/init", "id").out)
    assert got["uid"] == got["euid"] == str(uid) and got["gid"] == got["egid"] == str(gid)


def test_exec_users_that_are_none(coracle, bundle):
    """CVE-2026-30892, CVE-2024-40635: what is no id in decimal is refused, and nothing is taken for root."""
    c = coracle.started(bundle("pause"))
    for text in ("", "1x", "x", "4294967295", "-1", "4294967296", "18446744073709551617", " 1", "1 ", "+1", "0x1",
                 "1:", ":1", "1:2:3", "1:x", "1:-1", "1:4294967295", "1:4294967296", "1,2", "root"):
        result = coracle("exec", "--user", text, c, "/init", "id", check=False)
        assert result.rc and "--user" in result.err and "uid" not in result.out, (text, result)


@pytest.mark.parametrize("key", ["uid", "gid"])
def test_ids_of_the_config(coracle, bundle, key):
    """CVE-2024-40635, CVE-2026-46680."""
    b = bundle("id")
    for value in (-1, 4294967295, 4294967296, 1 << 64, 1.5, "1", True):
        b.process["user"] = {"uid": 1, "gid": 1, key: value}
        result = coracle.run(b, check=False)
        assert result.rc and f"process.user.{key}" in result.err and not result.out, (value, result)
    b.process["user"] = {"uid": 1, "gid": 1, key: 1 << 31}
    assert fields(coracle.run(b).out)[key] == str(1 << 31)


@pytest.mark.parametrize("groups", [None, [], [5, 7]], ids=["absent", "none", "two"])
def test_groups_are_exactly_those_given(coracle, bundle, groups):
    """CVE-2023-25173, CVE-2022-36109, CVE-2022-2989: and none of the caller's, of whom there are some here."""
    b = bundle("id")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    if groups is not None:
        b.process["user"]["additionalGids"] = groups
    b.save()
    out, _ = coracle.popen("run", "--bundle", b.path, coracle.new_id(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, text=True, extra_groups=[4, 1234]).communicate(timeout=20)
    assert fields(out)["groups"] == " ".join(map(str, groups or []))


@pytest.mark.parametrize("form", ["config", "rootfs"])
def test_a_huge_passwd_takes_little_memory(coracle, bundle, form):
    """CVE-2026-47262: a gigabyte without a newline, read for HOME or for a user's name."""
    b = bundle("env", "HOME")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.save()
    for name in ("passwd", "group"):
        os.truncate(b.file(f"/etc/{name}"), 1 << 30)
    words = ["run", "--bundle", b.path, coracle.new_id()]
    if form == "rootfs":
        words = ["run", "--rootfs", b.rootfs, "--user", "1000", coracle.new_id(), "--", "/init", "env", "HOME"]
    p = coracle.popen(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out = p.stdout.read()
    p.stdout.close()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    err = p.stderr.read()
    p.stderr.close()
    if form == "config":
        assert p.returncode == 0 and out == b"HOME /\n", err
    else:  # here the group of uid 1000 was to be found, and a default would be a guess
        assert p.returncode == 1 and b"/etc/passwd" in err, err
    assert usage.ru_maxrss < 256 << 10  # KiB; of us and all our children


# --- lengths ---

LONG = "x" * 70000


def test_long_strings_stay_whole(coracle, bundle):
    """CVE-2021-43784: longer than 16 bits can say; no part of one becomes something else."""
    b = bundle("args", LONG, "end", "--", "env", "LONG")
    b.process["env"].append(f"LONG={LONG}")
    assert coracle.run(b).out == f"1 {LONG}\n2 end\nLONG {LONG}\n"


@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_a_long_mount_source_is_an_error(coracle, bundle, kind):
    """CVE-2021-43784."""
    b = bundle("mounts").mount("/data", kind, f"/{LONG}", ["bind"] if kind == "bind" else [])
    result = coracle.run(b, check=False)
    assert result.rc and "mounts[7]: mount /xxx" in result.err and not result.out


@pytest.mark.parametrize("count, fits", [(250, True), (1000, False)])
def test_many_id_maps(coracle, bundle, count, fits):
    """CVE-2021-43784: the kernel takes 340; all arrive, or it is an error."""
    b = bundle("cat", "/proc/self/uid_map").namespace("user")
    maps = [{"containerID": i, "hostID": 100000 + 2 * i, "size": 1} for i in range(count)]
    b.linux["uidMappings"] = b.linux["gidMappings"] = maps
    b.linux["resources"] = {}
    result = coracle.run(b, check=False)
    assert (result.rc == 0) == fits
    if fits:
        assert [tuple(map(int, line.split())) for line in result.out.splitlines()] == [
            (m["containerID"], m["hostID"], 1) for m in maps]
    else:
        assert "uidMappings" in result.err or "map" in result.err
