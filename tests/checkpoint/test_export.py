# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole container in one file, and back.  needs: root criu"""
import json
import os
import signal
import subprocess
import time

import pytest

from checkpoint.snapshots import Snapshot

pytestmark = pytest.mark.needs("root", "node", "criu")


@pytest.fixture
def storage(tmp_path_factory):
    """On a tmpfs: the node's own root is an overlay, on which no other can have its writable layer."""
    path = tmp_path_factory.mktemp("storage")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def snapshot(coracle, bundle, tmp_path, storage):
    s = Snapshot(coracle, bundle, tmp_path)
    s.storage = storage
    s.file = str(tmp_path / "box.tar.zst")
    s.bundle.file("/etc/data", "from the first\n")
    return s


def export(s, *options, **how):
    return s.coracle("checkpoint", "--export", s.file, "--storage", s.storage, *options, s.id, **how)


def import_(s, *options, name=None, **how):
    name = name or s.coracle.new_id()
    told = s.coracle("restore", "--detach", "--import", s.file, "--storage", s.storage, "--name", name, *options, **how)
    return told if how.get("check") is False else name


def left(storage):
    return sorted(os.path.relpath(os.path.join(d, n), storage) for d, dirs, files in os.walk(storage)
                  for n in dirs + files)


EMPTY = ["bases", "clones", "exports"]


def test_a_container_comes_back_from_one_file(snapshot):
    s = snapshot
    s.start()
    export(s)
    assert s.gone() and left(s.storage) == EMPTY
    listed = subprocess.run(["tar", "--zstd", "-tf", s.file], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    assert listed[:2] == ["coracle-export.json", "config.json"] and listed[-1] == "coracle-export.end"
    assert {"images/coracle-manifest.json", "rootfs/init", "rootfs/etc/data"} <= set(listed)
    name = import_(s)
    assert s.coracle.state(name)["status"] == "running"
    assert s.coracle("exec", name, "/init", "cat", "/etc/data").out == "from the first\n"
    s.coracle("delete", "--force", name)
    assert left(s.storage) == EMPTY
