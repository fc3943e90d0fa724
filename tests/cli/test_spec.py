# SPDX-License-Identifier: GPL-2.0-or-later
"""test_spec.py - a config.json to start from: written, printed, and good enough to run."""
import json
import os
import subprocess

from lib.coracle import NOBODY


def test_spec_writes_into_the_working_directory(coracle_words, tmp_path):
    result = coracle_words("spec", cwd=tmp_path)
    assert (result.rc, result.out, result.err) == (0, "", "")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["process"]["args"] == ["sh"]
    assert config["root"] == {"path": "rootfs", "readonly": True}
    assert config["process"]["noNewPrivileges"] is True
    assert "seccomp" in config["linux"]


def test_spec_never_overwrites(coracle_words, tmp_path):
    (tmp_path / "config.json").write_text("mine")
    for _ in range(2):
        result = coracle_words("spec", "--bundle", tmp_path)
        assert result.rc == 1 and "is not overwritten" in result.err
    assert (tmp_path / "config.json").read_text() == "mine"


def test_spec_does_not_write_through_a_link(coracle_words, tmp_path):
    os.symlink(tmp_path / "elsewhere", tmp_path / "config.json")
    assert coracle_words("spec", "-b", tmp_path).rc == 1
    assert not (tmp_path / "elsewhere").exists()


def test_printed_is_what_is_written(coracle_words, tmp_path):
    coracle_words("spec", "-b", tmp_path)
    assert coracle_words("spec", "--print").out == (tmp_path / "config.json").read_text()
    assert not os.path.exists("/config.json")


def test_rootless_has_a_user_namespace(coracle_words):
    config = json.loads(coracle_words("spec", "--rootless", "--print", user=NOBODY).out)
    assert "user" in [n["type"] for n in config["linux"]["namespaces"]]
    assert config["linux"]["uidMappings"] == [{"containerID": 0, "hostID": NOBODY, "size": 1}]


def test_wrong_words(coracle_words, tmp_path):
    assert coracle_words("spec", "--print", "-b", tmp_path).rc == 64
    assert coracle_words("spec", "x").rc == 64
    result = coracle_words("spec", "--bundle", tmp_path / "none")
    assert result.rc == 1 and "No such file" in result.err


def test_what_spec_writes_runs(coracle, coracle_words, bundle):
    b = bundle()
    coracle_words("spec", "-b", b.path)
    with open(b.path + "/config.json", encoding="utf-8") as f:
        b.config = json.load(f)
    b.process["terminal"] = False
    b.process["args"] = ["/init", "caps", "--", "id"]
    out = coracle.run(b).out
    assert "uid 0" in out


def test_spec_is_readable_by_others(coracle_words, tmp_path):
    before = os.umask(0o022)
    coracle_words("spec", "-b", tmp_path)
    os.umask(before)
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_no_half_config(binary, tmp_path):
    done = subprocess.run(["bash", "-c", 'ulimit -f 1; trap "" XFSZ; "$0" spec -b "$1"', binary, tmp_path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "config.json" in done.stderr
    assert not (tmp_path / "config.json").exists()
