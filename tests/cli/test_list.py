# SPDX-License-Identifier: GPL-2.0-or-later
"""test_list.py - the containers as a table, as JSON, as names."""
import json
import subprocess


def test_no_containers(coracle):
    """Also without a state directory; and twice."""
    for _ in range(2):
        assert coracle("list").out.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
        assert json.loads(coracle("list", "--format=json").out) == []
        assert coracle("list", "-q").out == ""


def test_the_table_has_a_line_for_each(coracle, bundle):
    long = coracle.create(bundle("pause"), id="a-" + "long" * 10)
    short = coracle.started(bundle("pause"), id="b")
    head, first, second = coracle("list").out.splitlines()
    assert first.split()[:3] == [long, str(coracle.state(long)["pid"]), "created"]
    assert second.split()[:3] == [short, str(coracle.state(short)["pid"]), "running"]
    assert first.split()[5] == "root"
    for title, cell in (("PID", str(coracle.state(short)["pid"])), ("STATUS", "running")):
        assert second[head.index(title):].startswith(cell)


def test_json_is_the_states(coracle, bundle):
    made = [coracle.create(bundle("true")), coracle.create(bundle("true"))]
    assert json.loads(coracle("list", "-f", "json").out) == [coracle.state(c) for c in sorted(made)]


def test_quiet_is_names_alone(coracle, bundle):
    made = [coracle.create(bundle("true")) for _ in range(3)]
    assert coracle("list", "--quiet").out.split("\n") == [*sorted(made), ""]


def test_a_stopped_container_has_no_pid(coracle, bundle):
    c = coracle.started(bundle("true"))
    coracle.wait_status(c, "stopped")
    assert coracle("list").out.splitlines()[1].split()[:3] == [c, "0", "stopped"]


def test_a_broken_record_does_not_hide_the_others(coracle, bundle):
    broken, whole = coracle.create(bundle("true"), id="broken"), coracle.create(bundle("true"), id="whole")
    path = f"{coracle.root}/{broken}/state.json"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[:20])
    result = coracle("list", "-f", "json")
    assert [e["id"] for e in json.loads(result.out)] == [whole]
    assert broken in result.err and result.err.startswith("coracle: warning: ")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def test_an_unknown_format(coracle):
    result = coracle("list", "--format", "yaml", check=False)
    assert result.rc == 64 and "`yaml`" in result.err


def test_others_may_not_look(coracle, bundle, as_nobody):
    coracle.create(bundle("true"))
    result = as_nobody("list")
    assert (result.rc, result.out) == (1, "") and "Permission denied" in result.err


def test_a_full_disk_is_an_error(coracle):
    with open("/dev/full", "wb") as full:
        for words in (["list"], ["list", "-f", "json"], ["--version"], ["features"], ["spec", "--print"]):
            p = coracle.popen(*words, stdout=full, stderr=subprocess.PIPE, text=True)
            assert "write to stdout" in p.communicate(timeout=20)[1], words
            assert p.returncode == 1
