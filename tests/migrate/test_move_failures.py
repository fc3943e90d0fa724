# SPDX-License-Identifier: GPL-2.0-or-later
"""Never two, never none: a migration is failed, killed and cut at every stage, on either side.

The stages are read from the source, so a new one is covered.  What decides is the workload's own view: one copy
counts on, every word of its memory is right, of the other node's nothing is left.  needs: tree faults
"""
import os
import re
import time

import pytest

pytestmark = pytest.mark.needs("tree", "faults")

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "runtime", "migrate.c")


def stages():
    with open(SOURCE, encoding="utf-8") as f:
        table = f.read().split("migrate_stages[] = {")[1].split("};")[0]
    return re.findall(r'\{ "([a-z]+)"', table)


STAGES = stages()
BEFORE = STAGES[:STAGES.index("grant")]     # whatever happens here, the source keeps it
QUICK = ("--timeout", "3s")


def test_the_stages_are_read():
    assert STAGES[0] == "hello" and STAGES[-2:] == ["grant", "release"] and len(STAGES) == 10


def wheres(stage, side):
    """Where in a row a fault can be put: rows without a function of that side have no beginning of their own."""
    return [stage, f"{stage}:end"]


def stays(pair, c, seconds=20):
    """It runs on at the source, within a stated time, and nothing is left at the target."""
    end = time.monotonic() + seconds
    while pair.ids(pair.b) or pair.b.run("pgrep -x coracle", check=False).out:
        assert time.monotonic() < end, pair.b.run("ps ax; coracle list", check=False).out
        time.sleep(0.02)
    pair.only_on("a", c)


@pytest.mark.parametrize("stage", BEFORE)
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("how", ["FAIL", "CUT"])
def test_a_failure_before_the_grant_leaves_it_here(pair, stage, side, how):
    c = pair.counter("c")
    for where in wheres(stage, side):
        env = {f"CORACLE_{how}_AT": where}
        result = pair.move("c", *QUICK, check=False, receive=QUICK, **{"env" if side == "source" else "receive_env": env})
        if result.rc == 0:      # this side has nothing to do there
            assert side == "source" or stage == "clocks"
            pytest.fail(f"no fault at {where}")
        stays(pair, c)


@pytest.mark.parametrize("stage", BEFORE)
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_kill_before_the_grant_leaves_it_here(pair, stage, side):
    c = pair.counter("c")
    for where in wheres(stage, side):
        env = {"CORACLE_KILL_AT": where}
        pair.move("c", *QUICK, check=False, receive=QUICK, **{"env" if side == "source" else "receive_env": env})
        assert not pair.b.run("pgrep -x counter", check=False).out
        c.wait_count()                          # by itself: nobody has to be asked
        assert pair.ids(pair.a) == {"c": "running"}
    # what was left is in the way of nobody, and gone with the next
    pair.move("c")
    pair.only_on("b", c)
    pair.nothing_left(pair.a, "c")
    assert not pair.a.run("ls /run/coracle/.migrate").out and not pair.b.run("ls /run/coracle/.receive").out


def test_the_target_refuses_after_the_grant(pair):
    """It was granted, and could not be let run: the target says so, the source goes on."""
    c = pair.counter("c")
    result = pair.move("c", *QUICK, check=False, receive=QUICK, receive_env={"CORACLE_FAIL_AT": "grant:granted"})
    assert result.rc == 1 and "runs on here" in result.err
    stays(pair, c)


@pytest.mark.parametrize("where", ["grant:received", "grant:granted"])
def test_the_target_dies_with_the_grant(pair, where):
    """The answer is lost: the copy here stays frozen until the target can be asked, then it goes on."""
    c = pair.counter("c")
    result = pair.move("c", *QUICK, check=False, receive=QUICK, receive_env={"CORACLE_KILL_AT": where})
    assert result.rc == 1 and "stays frozen" in result.err
    count = c.look().count
    assert not pair.b.run("pgrep -x counter", check=False).out
    assert c.look().count == count
    resolve(pair)
    assert pair.ids(pair.a) == {"c": "running"}
    c.wait_count()
    assert not pair.ids(pair.b)


def test_the_answer_is_lost_but_it_runs_there(pair):
    c = pair.counter("c")
    result = pair.move("c", *QUICK, check=False, receive=QUICK, receive_env={"CORACLE_CUT_AT": "grant:resumed"})
    assert result.rc == 1 and "stays frozen" in result.err
    assert pair.ids(pair.b) == {"c": "running"}
    c.wait_count(node=pair.b)
    here = c.look(pair.a).count
    resolve(pair)
    assert c.look(pair.a).count == here
    pair.only_on("b", c)
    resolve(pair, rc=1)     # nothing is left to be resolved


def test_the_source_dies_with_the_grant(pair):
    """It has said so and cannot hear the answer; its frozen copy never runs again."""
    c = pair.counter("c")
    pair.move("c", *QUICK, check=False, receive=QUICK, env={"CORACLE_KILL_AT": "grant:sent"})
    c.wait_count(node=pair.b)
    here = c.look(pair.a).count
    assert pair.ids(pair.a) == {"c": "paused"}
    resolve(pair)
    assert c.look(pair.a).count == here
    pair.only_on("b", c)


def resolve(pair, rc=0):
    """The journal's address is that of a receiver that is gone: another one listens there."""
    pair.b.run(f"rm -f /share/{pair.sockets}")
    receiver = pair.b.start(["coracle", "receive", "--listen", f"unix:/share/{pair.sockets}", "--once"])
    end = time.monotonic() + 10
    while not os.path.exists(f"{pair.share}/{pair.sockets}"):
        assert time.monotonic() < end
        time.sleep(0.005)
    result = pair.a.run("coracle migrate --resolve c", check=False)
    receiver.kill()
    assert result.rc == rc, result.err
