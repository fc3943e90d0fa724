# SPDX-License-Identifier: GPL-2.0-or-later
"""Rounds of memory while the container runs: they shrink, or it is said that they do not.  needs: tree

Written pages are found by write protection, which works on this kernel; throttling takes the cpu controller, so
its test is between virtual machines: test_move_vm.py.
"""
import json

import pytest


def rounds_of(pair, path="/share/r.json"):
    return json.loads(pair.a.read(path))


@pytest.mark.needs("tree")
def test_a_slow_writer_converges(pair):
    """The first round carries everything, the others what was written: then little is left."""
    c = pair.counter("c", mb=64, rate=300)
    pair.move("c", "--report", "/share/r.json")
    told = rounds_of(pair)
    assert told["tracking"] == "wp"
    first, *others = told["rounds"]
    assert others and first["pagesSent"] > 64 * 256 * 0.9
    # the last round is CRIU's: it looks at every page, and sends what is not there yet
    assert others[-1]["pagesSent"] < first["pagesSent"] / 10
    assert others[-1]["pagesSame"] > 64 * 256 * 0.9
    pair.only_on("b", c)


@pytest.mark.needs("tree")
def test_a_writer_faster_than_the_link_does_not(pair):
    """It is given up, with what to do; the container runs on.  With --force it is moved all the same."""
    c = pair.counter("c", mb=32, rate=6000)
    options = ("--bandwidth", "20M", "--max-rounds", "4", "--downtime-limit", "200")
    result = pair.move("c", *options, check=False)
    assert result.rc == 1
    assert "raise --downtime-limit, or use --auto-converge or --force" in result.err
    pair.only_on("a", c)
    pair.move("c", *options, "--force", "--report", "/share/r.json")
    assert len(rounds_of(pair)["rounds"]) <= 5
    pair.only_on("b", c)


@pytest.mark.needs("tree")
@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed(pair, codec):
    c = pair.counter("c", mb=32)
    pair.move("c", "--compress", codec, "--report", "/share/r.json", "--force")
    told = rounds_of(pair)
    assert told["wireBytesOut"] < told["rounds"][0]["wireBytes"] / 2    # a word in thirty-two is not zero
    pair.only_on("b", c)
