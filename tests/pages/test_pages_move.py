# SPDX-License-Identifier: GPL-2.0-or-later
"""test_pages_move.py - memory arrives page by page as it was at the freeze, whichever way it is tracked, sent and restored."""
import pytest

pytestmark = [pytest.mark.needs("root", "node"), pytest.mark.also_in_vm]

ALL = "fork shm zero file sparse huge thread"


def arrived(told):
    assert told["differ"] == 0 and told["extra"] == 0, told["where"]
    assert told["compared"] == told["seen"] > 2000
    assert told["code"] == 0        # the program has checked itself, too
    assert told["lazy"]["left"] == 0


@pytest.mark.parametrize("how", ["", "--lazy"], ids=["plain", "lazy"])
def test_stop_and_copy(move, how):
    told = move(f"--track none {how}", ALL)
    arrived(told)
    pages = told["pages"]
    assert pages["same"] == 0 and pages["zero"] >= 500
    # the child's copy of its parent's memory does not travel a second time
    assert pages["duplicate"] > 2048 * 5 // 7
    assert bool(told["lazy"]["filled"]) == bool(how)


@pytest.mark.parametrize("kinds", [
    ALL, "seccomp thread", "churn fork", "exec", "churn seccomp shm",
], ids=lambda k: k.replace(" ", "-"))
def test_own_tracking(move, kinds):
    told = move("--track wp --lazy", kinds)
    arrived(told)
    assert told["track"]["untracked"] == 0
    assert told["track"]["processes"] == (2 if "fork" in kinds or "exec" in kinds else 1)
    # a later round sees what was written since, and the last step sends little more than that
    assert 0 < told["track"]["last_dirty"] < told["track"]["first_dirty"] / 2
    assert told["pages"]["final_wire_bytes"] < told["pages"]["wire_bytes"] / 2


def test_tracker_that_misses_everything(move):
    """The rounds after the first are thrown away: the final dump finds by its hashes what they should have sent."""
    told = move("--track wp --blind", "fork shm churn")
    arrived(told)
    assert told["pages"]["same"] > 1000


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
def test_codecs(move, codec):
    told = move(f"--track none --codec {codec}")
    arrived(told)
    pages = told["pages"]
    if codec == "none":
        assert pages["wire_bytes"] > pages["raw_bytes"]
    else:
        assert pages["wire_bytes"] < 0.7 * pages["raw_bytes"]


@pytest.mark.needs("memory-track")
@pytest.mark.parametrize("how", ["", "--lazy"], ids=["plain", "lazy"])
def test_criu_tracks(move, how):
    told = move(f"--track criu {how}", "fork shm zero")
    arrived(told)
    assert told["pages"]["final_wire_bytes"] < told["pages"]["wire_bytes"] / 2
