# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - what tests of checkpoint and restore are given

    w = workload("pipes")           a container that runs this mode of workload.c; it is ready
    w.checkpoint(); w.restore()     and w.check() is the workload's own judgement
"""
import os

import pytest

from bed import criu as bed_criu
from bed import trees
from checkpoint.snapshots import Snapshot
from lib import needs
from lib.bundle import Bundle
from lib.workload import build_workload


@pytest.fixture(scope="session")
def workload_program():
    return os.environ.get("CORACLE_TEST_WORKLOAD") or build_workload(os.path.join(trees.cache_dir(), "payload"))


@pytest.fixture(scope="session")
def holder_program():
    return build_workload(os.path.join(trees.cache_dir(), "payload"), "holder")


@pytest.fixture(scope="session")
def criu_program():
    """A CRIU that serves this kernel: in the virtual machine the system's own."""
    if needs.place() == "vm":
        return "/usr/sbin/criu"
    return bed_criu.for_tests()


@pytest.fixture
def snapshot(coracle, bundle, tmp_path, criu_program, monkeypatch):
    """A container that pauses for ever, and its images (snapshots.py)."""
    monkeypatch.setenv("CORACLE_CRIU", criu_program)
    return Snapshot(coracle, bundle, tmp_path)


class Workload:
    """A container of coracle's with a workload in it, and its images."""

    def __init__(self, coracle, bundle, tmp_path, criu):
        self.coracle, self.bundle = coracle, bundle
        self.images = str(tmp_path / "images")
        self.env = {"CORACLE_CRIU": criu}
        self.id = None

    def start(self, *options):
        self.id = self.coracle.new_id()
        self.coracle.run(self.bundle, "--detach", *options, id=self.id)
        assert self.ask("ready") == "ok"
        return self

    def ask(self, word):
        return self.coracle("exec", self.id, "/workload", "ask", word, check=False).out.strip()

    def check(self):
        assert self.ask("check") == "ok"
        return self

    def checkpoint(self, *options, images=None, check=True):
        return self.coracle("checkpoint", "--image-path", images or self.images, *options, self.id, env=self.env,
                            check=check)

    def restore(self, *options, images=None, check=True, id=None):
        """Detached.  The container keeps its id unless another is given."""
        self.id = id or self.id
        if self.id not in self.coracle.ids:
            self.coracle.ids.append(self.id)
        return self.coracle("restore", "--detach", "--image-path", images or self.images, "--bundle",
                            self.bundle.path, *options, self.id, env=self.env, check=check,
                            log=os.path.join(self.coracle.directory, self.id))

    def there_and_back(self, *options, restore=None):
        self.checkpoint(*options)
        assert self.coracle.state(self.id) is None
        self.restore(*(options if restore is None else restore))
        return self

    @property
    def status(self):
        return self.coracle.state(self.id)["status"]


@pytest.fixture
def workload(coracle, tmp_path, workload_program, criu_program):
    """workload("pipes", "ARG", change=f) starts it; f(bundle) may change the bundle before."""
    if sentence := needs.missing("node"):
        pytest.skip(sentence)
    made = []

    def start(mode, *words, change=None, options=()):
        bundle = Bundle(tmp_path / f"bundle{len(made)}", workload_program)
        os.rename(bundle.rootfs + "/init", bundle.rootfs + "/workload")
        bundle.process["args"] = ["/workload", mode, *map(str, words)]
        bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 256, "hard": 512}]
        if change:
            change(bundle)
        made.append(Workload(coracle, bundle, tmp_path, criu_program))
        return made[-1].start(*options)
    return start
