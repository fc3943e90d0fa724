# SPDX-License-Identifier: GPL-2.0-or-later
"""Many containers out of one file: what they share, what is their own.  needs: root criu"""
import os
import subprocess

import pytest

from checkpoint.test_export import EMPTY, export, import_, left, snapshot, storage  # noqa: F401 (fixtures)

pytestmark = pytest.mark.needs("root", "node", "criu")


@pytest.fixture
def exported(snapshot):
    snapshot.start()
    export(snapshot)
    return snapshot


def bases(s):
    return os.listdir(f"{s.storage}/bases")


def test_clones_share_files_and_change_their_own(exported):
    s = exported
    a, b = import_(s), import_(s)
    assert len(bases(s)) == 1
    s.coracle("exec", a, "/init", "write", "/etc/data", "changed in a")
    assert s.coracle("exec", a, "/init", "cat", "/etc/data").out.strip() == "changed in a"
    assert s.coracle("exec", b, "/init", "cat", "/etc/data").out == "from the first\n"
    # on disk each has what it changed and no more
    assert os.listdir(f"{s.storage}/clones/{b}/upper") == []
    assert os.listdir(f"{s.storage}/clones/{a}/upper") == ["etc"]


def test_the_last_one_takes_the_base_along(exported):
    s = exported
    a, b = import_(s), import_(s)
    s.coracle("delete", "--force", a)
    assert len(bases(s)) == 1 and s.coracle.state(b)["status"] == "running"
    s.coracle("delete", "--force", b)
    assert left(s.storage) == EMPTY


def test_several_at_once(exported):
    s = exported
    names = [s.coracle.new_id() for _ in range(4)]
    running = [s.coracle.popen("restore", "--detach", "--import", s.file, "--storage", s.storage, "--name", name,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for name in names]
    assert [p.wait(60) for p in running] == [0] * 4
    assert len(bases(s)) == 1
    assert {s.coracle.state(name)["status"] for name in names} == {"running"}
    groups = {s.coracle.group(name) for name in names}
    assert len(groups) == 4
    for name in names:
        s.coracle("delete", "--force", name)
    assert left(s.storage) == EMPTY


def test_a_name_that_is_taken_is_refused_and_harms_nobody(exported):
    s = exported
    a = import_(s)
    told = import_(s, name=a, check=False)
    assert told.rc != 0 and "another container's" in told.err
    assert s.coracle.state(a)["status"] == "running"


def test_private_ones_share_nothing(exported):
    s = exported
    a = import_(s, "--private")
    assert bases(s) == []
    assert s.coracle("exec", a, "/init", "cat", "/etc/data").out == "from the first\n"
    s.coracle("delete", "--force", a)
    assert left(s.storage) == EMPTY


def test_a_clone_is_exported_again(exported, tmp_path):
    s = exported
    a = import_(s)
    s.coracle("exec", a, "/init", "write", "/etc/data", "second generation")
    s.id, s.file = a, str(tmp_path / "second.tar.zst")
    export(s)
    assert left(s.storage) == EMPTY
    b = import_(s)
    assert s.coracle("exec", b, "/init", "cat", "/etc/data").out.strip() == "second generation"


def test_a_layer_comes_back_on_what_it_stands_on(exported, tmp_path):
    """The writable layer alone is written; on the other node the directories below it are found by digest."""
    s = exported
    a = import_(s)
    s.coracle("exec", a, "/init", "write", "/etc/data", "in the layer")
    s.id, s.file = a, str(tmp_path / "layer.tar.zst")
    base = f"{s.storage}/bases/{bases(s)[0]}/rootfs"
    elsewhere = tmp_path / "elsewhere"
    subprocess.run(["cp", "-a", base, elsewhere], check=True)
    export(s, "--layer")
    listed = subprocess.run(["tar", "--zstd", "-tf", s.file], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "layer/etc/data" in listed and "init" not in listed
    told = import_(s, check=False)
    assert "stands on a directory that this node does not have" in told.err
    b = import_(s, "--base", elsewhere)
    assert s.coracle("exec", b, "/init", "cat", "/etc/data").out.strip() == "in the layer"
    s.coracle("delete", "--force", b)
    (elsewhere / "etc/data").write_text("tampered with\n")
    told = import_(s, "--base", elsewhere, check=False)
    assert "stands on a directory that this node does not have" in told.err
