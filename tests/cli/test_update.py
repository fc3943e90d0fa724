# SPDX-License-Identifier: GPL-2.0-or-later
"""test_update.py - limits of a running container: by options, by JSON in a file or on stdin."""
import json

import pytest

pids = pytest.mark.needs("pids-controller")
memory = pytest.mark.needs("memory-controller")
cpu = pytest.mark.needs("cpu-controller")


@pytest.fixture
def running(coracle, bundle):
    return coracle.started(bundle("pause"))


@pids
def test_pids_limit(coracle, running):
    for value, knob in (("50", "50"), ("0", "0"), ("-1", "max")):
        coracle("update", "--pids-limit", value, running)
        assert coracle.knob(running, "pids.max") == knob


@memory
def test_memory(coracle, running):
    coracle("update", "--memory", "64M", "--memory-reservation=32M", running)
    assert coracle.knob(running, "memory.max") == str(64 << 20)
    assert coracle.knob(running, "memory.low") == str(32 << 20)
    coracle("update", "--memory=-1", running)
    assert coracle.knob(running, "memory.max") == "max"


@cpu
def test_cpu(coracle, running):
    coracle("update", "--cpu-quota", "50000", "--cpu-period", "100000", running)
    assert coracle.knob(running, "cpu.max") == "50000 100000"
    coracle("update", "--cpu-quota", "-1", running)
    assert coracle.knob(running, "cpu.max").split()[0] == "max"
    coracle("update", "--cpu-idle", "1", running)
    assert coracle.knob(running, "cpu.idle") == "1"


@pids
def test_resources_from_a_file_and_from_stdin(coracle, running, tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"pids": {"limit": 71}}))
    coracle("update", f"--resources={path}", running)
    assert coracle.knob(running, "pids.max") == "71"
    coracle("update", "--resources", "-", running, input=json.dumps({"pids": {"limit": 72}}))
    assert coracle.knob(running, "pids.max") == "72"


@pids
def test_an_option_wins_over_the_file(coracle, running):
    coracle("update", "-r", "-", "--pids-limit", "73", running, input='{"pids": {"limit": 1}}')
    assert coracle.knob(running, "pids.max") == "73"


def test_empty_resources_change_nothing(coracle, running):
    """What engines send when nothing changes."""
    coracle("update", "--resources", "-", running, input="{}")


def test_unified_keys(coracle, running):
    coracle("update", "--resources", "-", running, input=json.dumps({"unified": {"cgroup.max.descendants": "7"}}))
    assert coracle.knob(running, "cgroup.max.descendants") == "7"


def test_device_rules_are_replaced(coracle, bundle):
    """The node is of a driver that is not there: allowed it is ENXIO, forbidden EPERM."""
    b = bundle("pause")
    b.linux["devices"] = [{"path": "/dev/odd", "type": "c", "major": 250, "minor": 77}]
    odd = {"allow": True, "type": "c", "major": 250, "minor": 77, "access": "rwm"}
    none = {"allow": False, "access": "rwm"}
    b.resources["devices"] = [none]
    c = coracle.started(b)

    def opened():
        return coracle("exec", c, "/init", "open", "/dev/odd", check=False).err

    assert "EPERM" in opened()
    coracle("update", "--resources", "-", c, input=json.dumps({"devices": [none, odd]}))
    assert "ENXIO" in opened()
    coracle("update", "--resources", "-", c, input="{}")
    assert "ENXIO" in opened()
    coracle("update", "--resources", "-", c, input=json.dumps({"devices": [none]}))
    assert "EPERM" in opened()
    assert coracle("exec", c, "/init", "open", "/dev/null", check=False).rc == 0


@pytest.mark.parametrize("text, named", [("{", "parse"), ('{"pids": {"limit": "x"}}', "pids.limit"),
                                         ("[]", "object"), ("", "")])
def test_resources_that_are_wrong(coracle, running, text, named):
    result = coracle("update", "--resources", "-", running, input=text, check=False)
    assert result.rc == 1 and named in result.err


def test_wrong_words(coracle, running, tmp_path):
    for words, named in ((["--memory", "lots"], "`lots`"), ([], "nothing to change"),
                         (["--l3-cache-schema=x"], "Intel RDT"), (["--cpu-quota", "1.5"], "`1.5`")):
        result = coracle("update", *words, running, check=False)
        assert result.rc == 64 and named in result.err
    result = coracle("update", "--resources", tmp_path / "none", running, check=False)
    assert result.rc == 1 and "No such file" in result.err


def test_a_stopped_container(coracle, bundle):
    c = coracle.started(bundle("true"))
    coracle.wait_status(c, "stopped")
    result = coracle("update", "--pids-limit", "5", c, check=False)
    assert result.rc == 1 and "container not running" in result.err


def test_nobody(coracle):
    result = coracle("update", "--pids-limit", "5", "nobody", check=False)
    assert result.rc == 1 and "does not exist" in result.err


def test_a_limit_whose_controller_is_not_there_is_named(coracle, running):
    """Natively the controllers are bound to version 1: the error says which is missing, and that it is."""
    with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as f:
        if "memory" in f.read():
            pytest.skip("the memory controller is here")
    result = coracle("update", "--memory", "64M", running, check=False)
    assert result.rc == 1 and "memory" in result.err and "controller" in result.err


def test_others_may_not(coracle, running, as_nobody):
    assert as_nobody("update", "--pids-limit", "5", running).rc == 1
