# SPDX-License-Identifier: GPL-2.0-or-later
"""Chains of pre-dumps where the kernel tells which pages were written; a sentence where it does not."""
import glob
import os

import pytest

from lib import needs


def pages(directory):
    return sum(os.path.getsize(x) for x in glob.glob(directory + "/pages-*.img"))


@pytest.mark.needs("memory-track")
def test_each_image_of_a_chain_is_small(workload, tmp_path):
    w = workload("memory", 16)
    first, second, last = (str(tmp_path / x) for x in ("1", "2", "3"))
    w.checkpoint("--pre-dump", images=first)
    w.check()
    w.checkpoint("--pre-dump", "--parent-path", "../1", images=second)
    w.check()
    w.checkpoint("--parent-path", "../2", images=last)
    assert pages(first) > 16 << 20
    assert pages(second) < pages(first) and pages(last) < pages(first)
    w.restore(images=last)
    w.check()


def test_without_tracking_a_sentence_says_so(workload):
    if needs.missing("memory-track") is None:
        pytest.skip("this kernel tracks memory")
    w = workload("idle")
    done = w.checkpoint("--pre-dump", check=False)
    assert done.rc == 1 and "CONFIG_MEM_SOFT_DIRTY" in done.err and "checkpoint works without" in done.err
    w.there_and_back().check()


@pytest.mark.needs("memory-controller")
def test_limits_of_the_group_are_the_config_s(workload):
    def change(bundle):
        bundle.resources["memory"] = {"limit": 64 << 20}
        bundle.resources["pids"] = {"limit": 40}
        bundle.resources["cpu"] = {"quota": 50000, "period": 100000, "cpus": "0"}
    w = workload("processes", change=change)
    before = {k: w.coracle.knob(w.id, k) for k in ("memory.max", "pids.max", "cpu.max", "cpuset.cpus")}
    w.there_and_back().check()
    assert {k: w.coracle.knob(w.id, k) for k in before} == before
    assert int(w.coracle.knob(w.id, "pids.current")) > 20
