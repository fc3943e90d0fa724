# SPDX-License-Identifier: GPL-2.0-or-later
"""test_process.py - the process as config.json and exec's flags describe it."""
import json
import os

import pytest

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]


def told(out):
    """Lines "key value..." as a dict."""
    return dict(line.partition(" ")[::2] for line in out.splitlines())


def caps(out):
    return {k: int(v, 16) for k, v in told(out).items() if k.startswith("Cap")}


KILL, NET_RAW, SYS_ADMIN = 1 << 5, 1 << 13, 1 << 21


@pytest.fixture
def box(coracle, bundle):
    """A running container to exec into; what it is: user 0, three capabilities, a variable of its own."""
    b = bundle("reap", "--", "pause")
    b.process["env"].append("OWN=theirs")
    b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
    b.process["cwd"] = "/tmp"
    return coracle.started(b)


# --- config.json ------------------------------------------------------------------------------------------------------

def test_user_groups_and_umask(coracle, bundle):
    b = bundle("id", "--", "umask", "--", "write", "/tmp/f", "x", "--", "stat", "/tmp/f")
    b.process["user"] = {"uid": 1000, "gid": 1001, "umask": 0o027, "additionalGids": [20, 5, 1001]}
    os.chmod(f"{b.rootfs}/tmp", 0o1777)
    out = coracle.run(b).out
    t = told(out)
    assert (t["uid"], t["euid"], t["gid"], t["egid"]) == ("1000", "1000", "1001", "1001")
    assert set(t["groups"].split()) == {"5", "20", "1001"}
    assert "0027\n" in out


def test_the_callers_groups_and_umask_do_not_get_in(coracle, bundle):
    before = os.umask(0o077)
    try:
        p = coracle.popen("run", "-b", bundle("id", "--", "umask").save().path, coracle.new_id(), stdout=-1, text=True,
                          extra_groups=[4, 24])
        out = p.communicate(timeout=30)[0]
    finally:
        os.umask(before)
    assert told(out)["groups"] == "" and "0022\n" in out


def test_rlimits(coracle, bundle):
    b = bundle("rlimits")
    b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
                            {"type": "RLIMIT_STACK", "soft": 1 << 20, "hard": 1 << 30}]
    lines = coracle.run(b).out.splitlines()
    assert {"RLIMIT_NOFILE 100 200", "RLIMIT_CORE 0 0", f"RLIMIT_STACK {1 << 20} {1 << 30}"} <= set(lines)


@pytest.mark.parametrize("limit, said", [({"type": "RLIMIT_FROB", "soft": 1, "hard": 1}, "RLIMIT_FROB"),
                                         ({"type": "RLIMIT_CORE", "soft": 2, "hard": 1}, "rlimits")])
def test_rlimits_that_cannot_be(coracle, bundle, limit, said):
    b = bundle("true")
    b.process["rlimits"] = [limit]
    result = coracle.run(b, check=False)
    assert result.rc == 1 and said in result.err


def test_oom_score(coracle, bundle):
    b = bundle("cat", "/proc/self/oom_score_adj")
    b.process["oomScoreAdj"] = 321
    assert coracle.run(b).out == "321\n"
    c = coracle.started(bundle("pause"))
    assert coracle("exec", c, "/init", "cat", "/proc/self/oom_score_adj").out == coracle.run(
        bundle("cat", "/proc/self/oom_score_adj")).out


def test_a_working_directory_that_is_missing_is_made(coracle, bundle):
    b = bundle("cwd", "--", "stat", "/deep/er")
    b.process["cwd"] = "/deep/er"
    out = coracle.run(b).out
    assert out.startswith("/deep/er\n") and "type dir mode 0755 uid 0 gid 0" in out


def test_a_working_directory_of_another_users(coracle, bundle):
    """A home that only its owner may enter: it is entered as the user where root's rights do not do."""
    b = bundle("cwd")
    b.process.update(cwd="/home", user={"uid": 1000, "gid": 1000})
    os.mkdir(f"{b.rootfs}/home", 0o700)
    os.chown(f"{b.rootfs}/home", 1000, 1000)
    assert coracle.run(b).out == "/home\n"


@pytest.mark.parametrize("uid, home", [(0, "/root"), (1000, "/home/me"), (4242, "/")])
def test_home_is_the_users(coracle, bundle, uid, home):
    """From the container's passwd where the config names none."""
    b = bundle("env", "HOME")
    b.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
    b.process["user"] = {"uid": uid, "gid": uid}
    assert coracle.run(b).out == f"HOME {home}\n"
    b.process["env"].append("HOME=/elsewhere")
    assert coracle.run(b).out == "HOME /elsewhere\n"


def test_the_environment_is_the_configs(coracle, bundle):
    b = bundle("env")
    b.process["env"] = ["A=1", "EMPTY=", "HOME=/h", "UMLAUT=ä", "EQUALS=a=b"]
    assert coracle.run(b, env={"LEAK": "yes"}).out.splitlines() == b.process["env"]


def test_host_and_domain_name(coracle, bundle):
    b = bundle("uname")
    b.config.update(hostname="box", domainname="example.org")
    t = told(coracle.run(b).out)
    assert (t["hostname"], t["domainname"]) == ("box", "example.org")
    assert os.uname().nodename != "box"


def test_the_program_is_found_by_path(coracle, bundle):
    b = bundle()
    b.process["args"] = ["init", "echo", "found"]
    b.process["env"] = ["PATH=/nothing:/"]
    assert coracle.run(b).out == "found\n"
    b.process["env"] = ["PATH=/nothing"]
    result = coracle.run(b, check=False)
    assert result.rc == 1 and '"init"' in result.err and "PATH" in result.err


# --- exec's flags -----------------------------------------------------------------------------------------------------

def test_exec_is_as_the_container(coracle, box):
    out = coracle("exec", box, "/init", "env", "OWN", "--", "cwd", "--", "rlimits", "--", "caps", "--", "prctl").out
    assert "OWN theirs\n/tmp\n" in out and "RLIMIT_NOFILE 100 200" in out and "no_new_privs 1" in out
    assert caps(out)["CapEff"] == caps(out)["CapBnd"] == KILL | 1 << 10 | 1 << 29


@pytest.mark.parametrize("user, uid, gid", [("1000", "1000", "0"), ("1000:1001", "1000", "1001"), ("0:5", "0", "5")])
def test_exec_user(coracle, box, user, uid, gid):
    t = told(coracle("exec", "--user", user, box, "/init", "id").out)
    assert (t["uid"], t["euid"], t["gid"], t["egid"]) == (uid, uid, gid, gid)


@pytest.mark.parametrize("user", ["", "root", "1000:", ":5", "-1", "4294967295", "4294967296", "0x10", "1 ", "1:2:3"])
def test_exec_user_that_is_none(coracle, box, user):
    """Above all it is not root by accident."""
    result = coracle("exec", "--user", user, box, "/init", "id", check=False)
    assert result.rc and result.out == "" and "--user" in result.err


def test_exec_env_cwd_and_groups(coracle, box):
    out = coracle("exec", "--env", "NEW=1", "-e", "OWN=mine", "--cwd", "/etc", "--additional-gids", "7,8", "-g", 9, box,
                  "/init", "env", "NEW", "OWN", "--", "cwd", "--", "id").out
    assert out.startswith("NEW 1\nOWN mine\n/etc\n")
    assert {"7", "8", "9"} <= set(told(out)["groups"].split())


def test_exec_cap_adds_but_not_to_the_inheritable(coracle, box):
    got = caps(coracle("exec", "--cap", "CAP_NET_RAW", "-c", "CAP_SYS_ADMIN", box, "/init", "caps").out)
    for which in ("CapEff", "CapPrm", "CapBnd"):
        assert got[which] & (NET_RAW | SYS_ADMIN) == NET_RAW | SYS_ADMIN and got[which] & KILL
    assert got["CapInh"] == got["CapAmb"] == 0
    result = coracle("exec", "--cap", "CAP_FROB", box, "/init", "true", check=False)
    assert result.rc == 0 and "warning" in result.err and "CAP_FROB" in result.err


def test_exec_process_from_a_file(coracle, box, tmp_path):
    """The object is the whole truth: nothing of the container's process is mixed in."""
    process = {"args": ["/init", "id", "--", "env", "--", "cwd", "--", "caps", "--", "prctl"], "cwd": "/",
               "user": {"uid": 3, "gid": 4, "additionalGids": [6]}, "env": ["X=y", "HOME=/h"],
               "capabilities": {"bounding": ["CAP_KILL"]}}
    path = tmp_path / "process.json"
    path.write_text(json.dumps(process))
    out = coracle("exec", "--process", path, box).out
    t = told(out)
    assert (t["uid"], t["gid"], t["groups"], t["no_new_privs"]) == ("3", "4", "6", "0")
    assert "X=y\nHOME=/h\n/\n" in out and "OWN" not in out
    assert caps(out)["CapBnd"] == KILL and caps(out)["CapEff"] == 0
    assert coracle("exec", "--process", path, box, "/init", check=False).rc
    path.write_text('{"args": []')
    result = coracle("exec", "--process", path, box, check=False)
    assert result.rc == 255 and str(path) in result.err


def test_exec_no_new_privs(coracle, bundle):
    b = bundle("pause")
    b.process["noNewPrivileges"] = False
    c = coracle.started(b)
    assert "no_new_privs 0" in coracle("exec", c, "/init", "prctl").out
    assert "no_new_privs 1" in coracle("exec", "--no-new-privs", c, "/init", "prctl").out


def test_exec_cgroup(coracle, box):
    """A group below the container's own, which must be there; never beside or above it."""
    os.mkdir(coracle.group(box) + "/below")
    b = coracle("exec", "--cgroup", "/below", box, "/init", "cat", "/proc/self/cgroup").out
    assert b.endswith("/below\n")
    for path in ("/nothing", "../", "/../", "/below/../.."):
        result = coracle("exec", "--cgroup", path, box, "/init", "true", check=False)
        assert result.rc == 255 and "--cgroup" in result.err, path


def test_exec_in_a_paused_container(coracle, box):
    coracle("pause", box)
    result = coracle("exec", box, "/init", "true", check=False)
    assert result.rc == 255 and "paused" in result.err
    p = coracle.popen("exec", "--ignore-paused", box, "/init", "echo", "thawed", stdout=-1, stderr=-1)
    coracle("resume", box)
    out, err = p.communicate(timeout=30)
    assert (p.returncode, out) == (0, b"thawed\n"), err


def test_a_missing_cwd_is_made_in_a_read_only_root(coracle, bundle):
    b = bundle("cwd")
    b.config["root"]["readonly"] = True
    b.config["process"]["cwd"] = "/made/here"
    assert coracle.run(b).out == "/made/here\n"
