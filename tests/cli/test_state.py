# SPDX-License-Identifier: GPL-2.0-or-later
"""test_state.py - the state of a container through its life, as the spec and runc's users know it."""
import json
import os
import re


def test_state_through_a_life(coracle, bundle):
    b = bundle("trap", 15)
    b.config["annotations"] = {"org.example.key": "value"}
    c = coracle.create(b)
    created = coracle.state(c)
    assert created["status"] == "created"
    assert created["id"] == c
    assert created["bundle"] == b.path
    assert created["rootfs"] == b.rootfs
    assert created["annotations"] == {"org.example.key": "value"}
    assert re.fullmatch(r"1\.\d+\.\d+", created["ociVersion"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", created["created"])
    assert created["owner"] == "root"
    assert os.path.exists(f"/proc/{created['pid']}")
    coracle("start", c)
    coracle.wait_output(c, "ready")
    running = coracle.state(c)
    assert running == {**created, "status": "running"}
    coracle("kill", c, "TERM")
    coracle.wait_status(c, "stopped")
    assert coracle.state(c) == {**created, "status": "stopped", "pid": 0}
    coracle("delete", c)
    assert coracle.state(c) is None


def test_state_is_one_json_object_and_nothing_else(coracle, bundle):
    c = coracle.create(bundle("true"))
    result = coracle("state", c)
    assert isinstance(json.loads(result.out), dict)
    assert result.err == "" and result.out.endswith("}\n")


def test_state_of_nobody(coracle):
    for _ in range(2):
        result = coracle("state", "nobody", check=False)
        assert (result.rc, result.out) == (1, "")
        assert "does not exist" in result.err


def test_state_of_an_id_that_is_none(coracle, tmp_path):
    os.makedirs(coracle.root)
    (tmp_path / "outside").mkdir()
    for bad in ("", ".", "..", "../outside", "a/b", ".hidden", "ü", "x" * 256):
        result = coracle("state", bad, check=False)
        assert (result.rc, result.out) == (1, ""), bad


def test_state_of_what_a_killed_create_left(coracle):
    """A directory without a record: the state says what it is, list shows it, delete --force removes it."""
    os.makedirs(os.path.join(coracle.root, "half"), mode=0o700)
    result = coracle("state", "half", check=False)
    assert result.rc == 1 and "delete --force" in result.err
    entry, = json.loads(coracle("list", "--format", "json").out)
    assert (entry["id"], entry["status"], entry["pid"]) == ("half", "creating", 0)
    coracle("delete", "--force", "half")
    assert json.loads(coracle("list", "--format", "json").out) == []


def test_state_is_not_for_others(coracle, bundle, as_nobody):
    c = coracle.create(bundle("true"))
    result = as_nobody("state", c)
    assert (result.rc, result.out) == (1, "")
    assert "Permission denied" in result.err
