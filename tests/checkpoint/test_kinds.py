# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind of state goes through a checkpoint and a restore, twice; the workload judges itself."""
import pytest

KINDS = {
    "idle": [], "memory": [], "threads": [], "processes": [], "pipes": [], "unix": [], "listen": [], "udp": [],
    "tcp": ["--tcp-established"], "events": [], "clocks": [], "shm": [], "locks": ["--file-locks"], "files": [],
    "signals": [], "self": [],
}


@pytest.mark.parametrize("kind", KINDS)
def test_state_comes_back(workload, kind):
    w = workload(kind).check()
    w.there_and_back(*KINDS[kind]).check()
    w.there_and_back(*KINDS[kind]).check()


@pytest.mark.parametrize("kind", ["memory", "tcp", "processes"])
def test_it_runs_on_and_its_images_are_good(workload, kind):
    """--leave-running twice in a row, then the images of the first are restored."""
    w = workload(kind).check()
    w.checkpoint("--leave-running", *KINDS[kind])
    assert w.status == "running"
    w.check()
    w.checkpoint("--leave-running", *KINDS[kind], images=w.images + "2")
    w.check()
    w.coracle("delete", "--force", w.id)
    w.restore(*KINDS[kind], images=w.images + "2")
    w.check()
