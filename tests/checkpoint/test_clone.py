# SPDX-License-Identifier: GPL-2.0-or-later
"""Many containers out of one file: what they share, what is their own.  needs: root criu"""
import os
import subprocess

import pytest

from lib.bundle import Bundle
from checkpoint.test_export import EMPTY, export, import_, left, box, storage  # noqa: F401 (fixtures)

pytestmark = pytest.mark.needs("root", "node")


@pytest.fixture
def exported(box):
    box.start()
    export(box)
    return box


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


ASK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7200), timeout=20)
f = s.makefile("rw"); f.write("hello\\n"); f.flush(); print(f.readline().strip())
"""


def test_clones_have_addresses_of_their_own(nodes, workload_program):
    """A server on a switch, exported while it runs; two more out of the file, each where it was asked to be."""
    node = nodes("node", binds={workload_program: "/bed/workload"})
    bundle = Bundle(os.path.join(node.root, "b"), workload_program, "server")
    bundle.save()
    node.run("mkdir -p /store && mount -t tmpfs -o mode=700 tmpfs /store")
    node.run("coracle switch create web --gateway --subnet 10.9.0.0/24")
    node.run("coracle run --detach --bundle /b --switch web:ip=10.9.0.10 c </dev/null >/dev/null 2>&1")
    assert node.run(["python3", "-c", ASK, "10.9.0.10"]).out.strip() == "1 hello"
    node.run("coracle checkpoint --export /c.tar.zst --leave-running --tcp-established --storage /store c")
    for name, address in (("d", "10.9.0.11"), ("e", "10.9.0.12")):
        node.run(f"coracle restore --detach --tcp-close --import /c.tar.zst --storage /store --switch web:ip={address} "
                 f"--name {name} </dev/null >/dev/null")
    for address in ("10.9.0.10", "10.9.0.11", "10.9.0.12"):
        assert node.run(["python3", "-c", ASK, address]).out.strip().endswith("hello")
    done = node.run("coracle restore --detach --tcp-close --import /c.tar.zst --storage /store --name f </dev/null",
                    check=False)
    assert done.rc != 0 and "is c's" in done.err        # the original's own addresses are in use
    for name in "cde":
        node.run(f"coracle delete --force {name}")
    assert node.run("ls /store/bases /store/clones").out.split() == ["/store/bases:", "/store/clones:"]
