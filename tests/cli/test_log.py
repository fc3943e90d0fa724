# SPDX-License-Identifier: GPL-2.0-or-later
"""test_log.py - where errors go: stderr for people, --log for engines, once each."""
import datetime
import json

import pytest


def entries(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_go_runc_finds_the_error_in_the_log(coracle, tmp_path):
    log = tmp_path / "log.json"
    result = coracle("--log", log, "--log-format", "json", "state", "nobody", check=False)
    assert result.rc == 1
    assert result.err == "coracle: container `nobody` does not exist\n"
    entry, = entries(log)
    assert entry["level"] == "error"
    assert entry["msg"] == "container `nobody` does not exist"
    assert datetime.datetime.fromisoformat(entry["time"][:19])
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_log_is_appended_to(coracle, tmp_path):
    log = tmp_path / "log.json"
    for name in ("one", "two"):
        coracle(f"--log=file:{log}", "--log-format=json", "state", name, check=False)
    assert [e["msg"] for e in entries(log)] == [f"container `{n}` does not exist" for n in ("one", "two")]


def test_text_lines(coracle, tmp_path):
    log = tmp_path / "log"
    coracle("--log", log, "state", "nobody", check=False)
    line = log.read_text()
    assert line.startswith('time="2') and line.endswith(' level=error msg="container `nobody` does not exist"\n')


def test_json_on_stderr_without_a_file(coracle):
    result = coracle("--log-format", "json", "state", "nobody", check=False)
    assert json.loads(result.err)["level"] == "error"


def test_wrong_words_reach_the_log_too(coracle, tmp_path):
    log = tmp_path / "log.json"
    assert coracle("--log", log, "--log-format", "json", "list", "--frob", check=False).rc == 64
    assert entries(log)[0]["msg"] == "list: unknown option --frob"


def test_an_id_with_a_newline_makes_no_second_line(coracle, tmp_path):
    log = tmp_path / "log.json"
    result = coracle("--log", log, "--log-format", "json", "state", 'x\n"\x01é\udcff', check=False)
    assert result.rc == 1 and result.err.count("\n") == 1
    assert len(entries(log)) == 1


def test_success_says_nothing(coracle, tmp_path):
    log = tmp_path / "log"
    result = coracle("--log", log, "--debug", "list", "--quiet")
    assert (result.out, result.err) == ("", "")


@pytest.mark.parametrize("target", ["/nonexistent/log", "journald:x", "syslog:x"])
def test_a_log_that_cannot_be_is_an_error(coracle, target):
    result = coracle("--log", target, "list", check=False)
    assert result.rc == 1 and target in result.err
