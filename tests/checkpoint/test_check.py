# SPDX-License-Identifier: GPL-2.0-or-later
"""checkpoint --check: all that stands in the way, said while the container runs on"""
import json
import os
import shutil

import pytest

pytestmark = pytest.mark.needs("root", "node")


@pytest.fixture
def holding(snapshot, holder_program):
    """holding("vsock", "lock"): a container whose process holds these things (holder.c)."""
    def start(*words):
        s = snapshot
        shutil.copy(holder_program, os.path.join(s.bundle.rootfs, "holder"))
        s.config["process"]["args"] = ["/holder", *words]
        caps = s.config["process"]["capabilities"]
        for kind in ("bounding", "permitted", "effective"):
            caps[kind] = [*caps[kind], "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]
        s.start()
        s.coracle.wait_until(lambda: os.path.exists(os.path.join(s.bundle.rootfs, "tmp/held")), "it holds them")
        return s
    return start


def check(s, *options, rc=None):
    told = s.coracle("checkpoint", "--check", "--format", "json", *options, s.id, check=False)
    answer = json.loads(told.out)
    assert told.rc == (0 if answer["dumpable"] else 1)
    assert s.status() == "running"
    return answer


OBSTACLES = {
    "vsock": "is a socket of a kind that cannot be dumped (AF_VSOCK)",
    "userfaultfd": "is a userfaultfd",
    "uring": "is an io_uring",
    "big": "is a deleted file with 2097152 bytes of data, more than a dump takes along",
    "nested": "it is in a pid namespace of its own inside the container's",
    "traced": "it is traced by process",
}


@pytest.mark.parametrize("word", OBSTACLES)
def test_an_obstacle_is_found_and_there(holding, word):
    """And CRIU agrees: it does refuse."""
    s = holding(word)
    answer = check(s)
    found = [f for f in answer["findings"] if f["kind"] == "obstacle"]
    assert not answer["dumpable"] and any(OBSTACLES[word] in f["what"] for f in found), answer
    assert all(f["cure"] for f in found)
    if word != "traced":    # it waits ten seconds for a tracer to let go
        assert s.checkpoint(check=False).rc != 0
        assert s.status() == "running"


def test_what_an_option_helps(holding):
    s = holding("connected", "lock")
    answer = check(s)
    assert answer["dumpable"]
    assert {f["cure"] for f in answer["findings"]} == {"--tcp-established", "--file-locks"}
    assert check(s, "--tcp-established", "--file-locks")["findings"] == []
    text = s.coracle("checkpoint", "--check", s.id).out
    assert text.splitlines()[-1] == f"{s.id} can be dumped, with --tcp-established --file-locks" or \
        text.splitlines()[-1] == f"{s.id} can be dumped, with --file-locks --tcp-established"
    s.checkpoint("--tcp-established", "--file-locks")


def test_connections_that_wait_are_seen(holding):
    s = holding("waiting")
    assert "--tcp-skip-in-flight" in {f["cure"] for f in check(s)["findings"]}
    assert s.checkpoint("--tcp-established", check=False).rc != 0
    s.checkpoint("--tcp-established", "--tcp-skip-in-flight")


def test_nothing_in_the_way(holding):
    s = holding("listen", "deleted")
    answer = check(s)
    assert answer["dumpable"] and answer["findings"] == [] and answer["criu"]["version"]
    s.checkpoint()


def test_what_exec_started_is_a_loss(snapshot):
    s = snapshot
    s.start()
    s.exec("/init", "pause")
    answer = check(s)
    assert answer["dumpable"]
    assert [f["kind"] for f in answer["findings"]] == ["loss"] and "came by exec" in answer["findings"][0]["what"]


def test_a_criu_that_does_not_serve(holding, tmp_path):
    s = holding("listen")
    told = s.coracle("checkpoint", "--check", "--criu", "/no/criu", s.id, check=False)
    assert told.rc == 1 and "/no/criu" in told.out and "cannot be dumped" in told.out
