# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole container in one file, and back.  needs: root criu"""
import json
import os
import signal
import subprocess

import pytest

pytestmark = pytest.mark.needs("root", "node")


@pytest.fixture
def storage(tmp_path_factory):
    """On a tmpfs: the node's own root is an overlay, on which no other can have its writable layer."""
    path = tmp_path_factory.mktemp("storage")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def box(snapshot, tmp_path, storage):
    s = snapshot
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


def test_a_container_comes_back_from_one_file(box):
    s = box
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


def test_it_runs_on_if_asked(box):
    s = box
    s.start()
    export(s, "--leave-running")
    assert s.status() == "running"
    other = import_(s)
    assert s.coracle.state(other)["status"] == "running"
    export(s)  # again, into the same file
    assert s.gone()


def test_through_a_pipe(box):
    s = box
    s.start()
    name = s.coracle.new_id()
    sender = s.coracle.popen("checkpoint", "--export", "-", "--storage", s.storage, s.id, stdout=subprocess.PIPE,
                             stdin=subprocess.DEVNULL)
    receiver = s.coracle.popen("restore", "--import", "-", "--detach", "--storage", s.storage, "--name", name,
                               stdin=sender.stdout, stdout=subprocess.DEVNULL)
    sender.stdout.close()
    assert (sender.wait(30), receiver.wait(30)) == (0, 0)
    assert s.gone() and s.coracle.state(name)["status"] == "running"


def test_programs_are_told_how_far_it_is(box):
    s = box
    s.start()
    lines = [json.loads(line) for line in export(s, "--progress", "json").out.splitlines()]
    assert lines[-1]["event"] == "exported" and lines[-1]["container"] == s.id
    assert 0 < lines[-1]["done"] <= lines[-1]["total"]
    assert all(line["event"] == "export" for line in lines[:-1])
    name = s.coracle.new_id()
    told = import_(s, "--progress", "json", name=name, check=False)
    assert json.loads(told.out.splitlines()[-1])["event"] == "imported"


def test_an_interrupted_export_leaves_the_container_and_no_file(box):
    s = box
    s.bundle.file("/big", os.urandom(300000).hex())
    s.start()
    sender = s.coracle.popen("checkpoint", "--export", "-", "--storage", s.storage, s.id, stdout=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert sender.stdout.read(1)    # it is at it, and nobody reads on
    sender.send_signal(signal.SIGINT)
    out, err = sender.communicate(timeout=30)
    assert sender.returncode != 0 and b"nterrupt" in err
    assert s.status() == "running"
    assert not [name for name in left(s.storage) if name.endswith(".img")]


def test_a_disk_that_is_full_leaves_the_container_and_no_file(box, tmp_path):
    s = box
    s.bundle.file("/big", os.urandom(300000).hex())
    s.start()
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=True)
    try:
        s.file = str(small / "box")
        told = export(s, check=False)
        assert told.rc != 0 and "No space left on device" in told.err
        assert s.status() == "running" and not os.listdir(small)
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_an_interrupted_import_leaves_nothing(box):
    s = box
    s.start()
    export(s)
    with open(s.file, "rb") as f:
        data = f.read()
    name = s.coracle.new_id()
    receiver = s.coracle.popen("restore", "--import", "-", "--detach", "--storage", s.storage, "--name", name,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    receiver.stdin.write(data[:-100])
    receiver.stdin.flush()
    s.coracle.wait_until(lambda: [n for n in left(s.storage) if n.endswith("/rootfs")], "it unpacks")
    receiver.send_signal(signal.SIGINT)
    assert receiver.wait(30) != 0       # its stdin is still open
    assert b"nterrupt" in receiver.communicate()[1]
    assert left(s.storage) == EMPTY
    assert s.coracle("state", name, check=False).rc != 0


def test_a_killed_imports_rest_is_taken_away_by_the_next(box):
    s = box
    s.start()
    export(s)
    with open(s.file, "rb") as f:
        data = f.read()
    name = s.coracle.new_id()
    receiver = s.coracle.popen("restore", "--import", "-", "--detach", "--storage", s.storage, "--name", name,
                               stdin=subprocess.PIPE)
    receiver.stdin.write(data[:-100])
    receiver.stdin.flush()
    s.coracle.wait_until(lambda: [n for n in left(s.storage) if n.endswith("/rootfs")], "it unpacks")
    receiver.kill()
    receiver.wait()
    receiver.stdin.close()
    import_(s, name=name)
    s.coracle("delete", "--force", name)
    assert left(s.storage) == EMPTY


def test_what_is_missing_is_told_before_anything_is_made(box, tmp_path):
    s = box
    (tmp_path / "shared").mkdir()
    s.bundle.mount("/shared", "bind", tmp_path / "shared", ["rbind"])
    s.config["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
    s.start()
    export(s)
    os.rmdir(tmp_path / "shared")
    told = import_(s, check=False)
    assert told.rc != 0
    assert f"this node has no {tmp_path}/shared (for /shared)" in told.err
    assert "its config asks for CAP_SYS_ADMIN" in told.err
    assert f"its config asks for bind mount of the host's {tmp_path}/shared at /shared" in told.err
    assert "nothing was changed" in told.err
    assert left(s.storage) == EMPTY
    (tmp_path / "shared").mkdir()
    name = import_(s, "--trust", "any")
    assert s.coracle.state(name)["status"] == "running"


def test_the_destinations_config_counts(box, tmp_path):
    """--bundle: root and images are the file's, what the container may do is this node's."""
    s = box
    s.start()
    export(s)
    s.config["process"]["capabilities"] = {"bounding": [], "permitted": [], "effective": []}
    s.bundle.save()
    told = import_(s, "--bundle", s.bundle.path, check=False)
    assert "in its bounding set, which the config does not grant" in told.err
    assert left(s.storage) == EMPTY


def test_a_node_with_a_key_takes_only_what_it_signed(box, tmp_path):
    s = box
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    s.start()
    export(s, "--leave-running")
    told = import_(s, "--key", key, check=False)
    assert "the archive is not signed, and this node has a key" in told.err
    assert left(s.storage) == EMPTY
    export(s, "--key", key)
    name = import_(s, "--key", key, "--trust", "signed")
    assert s.coracle.state(name)["status"] == "running"


def test_a_damaged_file_is_refused_and_nothing_is_left(box):
    s = box
    s.start()
    export(s)
    with open(s.file, "rb") as f:
        data = bytearray(f.read())
    for at in (10, len(data) // 2, len(data) - 20):
        data[at] ^= 0x40
        with open(s.file, "wb") as f:
            f.write(data)
        told = import_(s, check=False)
        assert told.rc != 0, at
        assert left(s.storage) in (EMPTY, ["bases", "clones"], EMPTY[:2])
        data[at] ^= 0x40
    with open(s.file, "wb") as f:
        f.write(data[:len(data) // 2])
    assert "ends too early" in import_(s, check=False).err
    with open(s.file, "wb") as f:
        f.write(b"not an archive at all")
    assert "damaged, or not one" in import_(s, check=False).err
