# SPDX-License-Identifier: GPL-2.0-or-later
"""test_run_rootfs.py - run --rootfs: a container for people, from options alone."""
import os

import pytest


@pytest.fixture
def tree(bundle):
    """A root tree with users; the bundle around it has no config.json."""
    b = bundle()
    b.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n")
    b.file("/etc/group", "root:x:0:\nstaff:x:50:\n")
    return b


@pytest.fixture
def run(coracle, tree):
    """run(*options, command=[…]): the Result of `run --rootfs` in the foreground."""
    def call(*options, command, check=True, **how):
        return coracle("run", "--rootfs", tree.rootfs, *options, coracle.new_id(), "--", "/init", *command,
                       check=check, **how)
    return call


def test_a_command_runs_and_leaves_its_exit_code(run):
    assert run(command=["echo", "hi"]).out == "hi\n"
    assert run(command=["exit", "7"], check=False).rc == 7


def test_dashes_before_the_command_may_be_left_out(coracle, tree):
    name = coracle.new_id()
    assert coracle("run", "--rootfs", tree.rootfs, name, "/init", "echo", "--rootfs", "-d").out == "--rootfs -d\n"


def test_the_container_is_gone_afterwards(coracle, run):
    run(command=["true"])
    assert coracle("list", "-q").out == ""


def test_name_is_the_host_name(coracle, tree):
    coracle.ids.append("box")
    assert "hostname box\n" in coracle("run", "--rootfs", tree.rootfs, "box", "/init", "uname").out


def test_options_reach_the_program(run):
    out = run("--hostname", "other", "--env", "A=1", "-e", "B=2=3", "--workdir", "/tmp",
              command=["uname", "--", "env", "--", "cwd"]).out
    assert "hostname other\n" in out
    assert "A=1\n" in out and "B=2=3\n" in out
    assert out.endswith("/tmp\n")


@pytest.mark.parametrize("user, uid, gid", [("33", 33, 44), ("web", 33, 44), ("web:staff", 33, 50), ("7:8", 7, 8),
                                            ("1000", 1000, 0)])
def test_users_by_number_and_by_name(run, user, uid, gid):
    out = run("--user", user, command=["id"]).out
    assert f"uid {uid}\n" in out and f"gid {gid}\n" in out


def test_read_only_root(run):
    assert run(command=["write", "/x", "y"], check=False).rc == 0
    result = run("--read-only", command=["write", "/x2", "y"], check=False)
    assert result.rc == 1 and "EROFS" in result.err


def test_volumes_and_mounts(run, tmp_path):
    (tmp_path / "f").write_text("there")
    out = run("--volume", f"{tmp_path}:/data:ro", "--mount", f"type=bind,src={tmp_path},dst=/rw",
              "--mount", "type=tmpfs,dst=/scratch,tmpfs-size=1m",
              command=["cat", "/data/f", "--", "write", "/rw/new", "text", "--", "write", "/scratch/x", "y"]).out
    assert out.startswith("there")
    assert (tmp_path / "new").exists()
    result = run("--volume", f"{tmp_path}:/data:ro", command=["write", "/data/g", "x"], check=False)
    assert result.rc == 1 and "EROFS" in result.err


def test_safe_defaults(run):
    """No new privileges, Podman's capabilities, masked paths, a seccomp filter, namespaces of its own."""
    out = run(command=["status", "NoNewPrivs", "Seccomp", "CapEff", "--", "interfaces"]).out
    assert "NoNewPrivs 1\n" in out and "Seccomp 2\n" in out
    effective = int(out.split("CapEff")[1].split()[0], 16)
    assert effective and not effective & (1 << 21)          # not CAP_SYS_ADMIN
    assert out.endswith("\n1 lo\n")
    assert run(command=["ls", "/proc/acpi"], check=False).out == ""


def test_capabilities(run):
    def effective(*options):
        return int(run(*options, command=["status", "CapEff"]).out.split("CapEff")[1].split()[0], 16)
    assert effective("--cap-drop", "all") == 0
    assert effective("--cap-drop", "all", "--cap-add", "net_admin") == 1 << 12
    assert effective("--cap-add", "CAP_NET_ADMIN") & 1 << 12


def test_detached(coracle, tree):
    name = coracle.new_id()
    coracle("run", "-d", "--rootfs", tree.rootfs, name, "--", "/init", "pause")
    assert coracle.state(name)["status"] == "running"
    result = coracle("run", "-d", "--rootfs", tree.rootfs, name, "--", "/init", "true", check=False)
    assert result.rc == 1 and "already exists" in result.err


@pytest.mark.needs("memory-controller", "cpu-controller", "pids-controller")
@pytest.mark.also_in_vm
def test_limits(coracle, tree):
    name = coracle.new_id()
    coracle("run", "-d", "--rootfs", tree.rootfs, "--memory", "64M", "--cpus", "1.5", "--pids", "20", name, "--",
            "/init", "pause")
    assert coracle.knob(name, "memory.max") == str(64 << 20)
    assert coracle.knob(name, "cpu.max") == "150000 100000"
    assert coracle.knob(name, "pids.max") == "20"


@pytest.mark.parametrize("options, named", [
    (["--memory", "much"], "`much`"), (["--memory", "-1"], "cannot be negative"), (["--workdir", "tmp"], "`tmp`"),
    (["--bundle", "/x"], "exclude each other"), (["--config", "/x"], "exclude each other"),
    (["--user", ""], "--user"),
])
def test_wrong_words(run, options, named):
    result = run(*options, command=["true"], check=False)
    assert result.rc == 64 and named in result.err


@pytest.mark.parametrize("options, named", [
    (["--cpus", "fast"], "fast"), (["--env", "X"], "X"), (["--user", "nobody"], "`nobody`"),
    (["--volume", "x:y"], "x:y"), (["--mount", "type=frob,dst=/x"], "frob"), (["--cap-add", "CAP_FROB"], "CAP_FROB"),
    (["--volume", "/nonexistent/x:/x"], "/nonexistent/x"),
])
def test_values_that_cannot_be(coracle, run, options, named):
    result = run(*options, command=["true"], check=False)
    assert result.rc == 1 and named in result.err
    assert coracle("list", "-q").out == ""


def test_a_tree_that_is_not_there(coracle, tmp_path):
    result = coracle("run", "--rootfs", tmp_path / "none", "x", "/init", check=False)
    assert result.rc == 1 and str(tmp_path / "none") in result.err


def test_a_program_that_is_not_there(coracle, tree):
    """Engines make 127 of these words."""
    result = coracle("run", "--rootfs", tree.rootfs, coracle.new_id(), "/nonexistent", check=False)
    assert result.rc == 1 and "no such file or directory" in result.err.lower()
    assert coracle("list", "-q").out == ""


def test_forms_are_not_mixed(coracle, bundle, tree):
    b = bundle("true").save() or bundle("true")
    for words, named in ((["--memory", "5M", "x"], "--memory goes with --rootfs"),
                         (["x", "/init"], "unexpected argument /init"),
                         (["--rootfs", tree.rootfs, "x"], "which command?")):
        result = coracle("run", *words, check=False, cwd=b.path)
        assert result.rc == 64 and named in result.err


def test_no_config_is_written_into_the_tree_or_here(coracle, tree, tmp_path):
    coracle("run", "--rootfs", tree.rootfs, coracle.new_id(), "/init", "true", cwd=tmp_path)
    assert not os.path.exists(tree.path + "/config.json") and not (tmp_path / "config.json").exists()
