# SPDX-License-Identifier: GPL-2.0-or-later
"""A container moves between two nodes: whole, once, and what is told of it.  needs: tree"""
import json
import re
import time

import pytest

pytestmark = pytest.mark.needs("tree")


def test_moves_whole(pair):
    c = pair.counter("c", mb=8, rate=500)
    before = c.look()
    result = pair.move("c", "--progress", "bar", "--force")
    view = pair.only_on("b", c)
    assert view.count > before.count
    assert re.search(r"c: completed in .* on the wire", result.err)
    assert re.search(r"stood still for .* freeze .* dump .* restore .* clocks", result.err)


def test_there_and_back_ten_times(pair):
    c = pair.counter("c", mb=1)
    last = 0
    for turn in range(10):
        pair.move("c", back=bool(turn % 2))
        # the bundle that it was first made from stays where its maker put it; it comes back into one of receive's
        c.root.clear()
        c.node = pair.a if turn % 2 else pair.b
        view = c.wait_count()
        assert view.count > last
        last = view.count
    pair.only_on("a", c)


def test_two_at_once_in_opposite_directions(pair):
    c = pair.counter("c")
    d = pair.counter("d", node=pair.b)
    to_b, at_b = pair.receive(pair.b)
    to_a, at_a = pair.receive(pair.a)
    one = pair.a.start(["coracle", "migrate", "--progress", "none", "c", at_b])
    two = pair.b.start(["coracle", "migrate", "--progress", "none", "d", at_a])
    for process in (one, two, to_a, to_b):
        assert process.wait(30).rc == 0
    assert pair.ids(pair.b) == {"c": "running"} and pair.ids(pair.a) == {"d": "running"}
    c.wait_count(node=pair.b)
    d.wait_count(node=pair.a)


def test_another_name_and_a_kept_copy(pair):
    c = pair.counter("c")
    pair.move("c", "--name", "e", "--keep")
    assert pair.ids(pair.b) == {"e": "running"}
    assert pair.ids(pair.a) == {"c": "stopped"}
    c.name = "e"
    c.wait_count(node=pair.b)


def test_files_that_change_meanwhile_arrive(pair):
    """Links, holes, owners, odd names; and a file that is written all the time is what it is at the end."""
    c = pair.counter("c")
    root = c.root[id(pair.a)]
    pair.a.run(f"""cd {root} && mkdir d empty && echo x > d/f && ln d/f d/g && ln -s /nowhere d/l && chown 7:8 d/f &&
        chmod 4711 d/f && truncate -s 50M d/hole && mkfifo d/p && touch -d '2001-02-03 04:05:06.789' d/f &&
        python3 -c 'import os; os.mkdir(b"d/\\xff\\n")' && setfattr -n user.k -v v d/f""")
    pair.move("c")
    there = f"/var/lib/coracle/containers/c/rootfs"
    look = "cd %s && stat -c '%%n %%a %%u %%g %%h %%s %%y %%F' d/f d/g d/hole d/p empty && readlink d/l && " \
           "getfattr -n user.k d/f && ls -b d && du -k d/hole | cut -f1"
    assert pair.b.run(look % there).out == pair.a.run(look % root).out
    pair.only_on("b", c)


def test_dry_run_lists_obstacles_and_changes_nothing(pair):
    def more(config):
        config["mounts"].append({"destination": "/data", "type": "bind", "source": "/srv", "options": ["bind"]})
        config["hooks"] = {"poststop": [{"path": "/bin/true"}]}
    c = pair.counter("c", config=more)
    pair.b.run("mkdir -p /var/lib/coracle/containers/c")
    result = pair.move("c", "--dry-run", check=False)
    assert result.rc == 1
    assert "/data is a bind mount of the source's files (say what is to become of it: --volume" in result.err
    assert "the config has poststop hooks" in result.err
    assert "/var/lib/coracle/containers/c already" in result.err
    pair.b.run("rmdir /var/lib/coracle/containers/c")
    pair.only_on("a", c)
    result = pair.move("c", "--dry-run", "--volume", "/data=drop", receive=("--allow-hooks",))
    pair.only_on("a", c)
    result = pair.move("c", "--volume", "/data=copy", receive=("--allow-hooks",))
    assert pair.b.run("coracle exec c /counter 0 || ls /var/lib/coracle/containers/c/volumes", timeout=5,
                      check=False) if False else True
    pair.only_on("b", c)


def test_name_that_is_taken(pair):
    c = pair.counter("c")
    pair.counter("c", node=pair.b)
    result = pair.move("c", check=False)
    assert result.rc == 1 and "has a container of the name c (delete it, or move with --name)" in result.err
    c.wait_count(node=pair.a)


def test_a_receiver_may_be_choosy(pair):
    c = pair.counter("c")
    result = pair.move("c", check=False, receive=("--allow", "d"))
    assert "does not take a container of the name c" in result.err
    result = pair.move("c", check=False, receive=("--memory-limit", "1M"))
    assert "of memory, the destination gives 1.0 MB" in result.err
    pair.only_on("a", c)


def test_expected_downtime_above_the_limit(pair):
    c = pair.counter("c", mb=64)
    result = pair.move("c", "--track", "none", "--downtime-limit", "90", check=False)
    assert "the limit is 90 ms: raise --downtime-limit, or use --force" in result.err
    pair.only_on("a", c)


def test_progress_for_programs_and_a_report(pair):
    pair.counter("c")
    result = pair.move("c", "--progress", "json", "--report", "/share/r.json")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert {"claim", "files", "memory", "freeze", "restore"} <= {line["phase"] for line in lines}
    last = lines[-1]
    assert last["status"] == "completed" and last["downtimeUs"] > 0
    assert sum(last["frozenUs"].values()) == pytest.approx(last["downtimeUs"], rel=0.2)
    assert last["rounds"][-1]["pagesSent"] > 0
    assert json.loads(pair.b.read("/share/r.json"))["status"] == "completed"
    assert abs(last["clock"]["offsetNs"]) <= last["clock"]["errorNs"]


def test_status_cancel_and_set_from_another_terminal(pair):
    c = pair.counter("c", mb=64)
    receiver, address = pair.receive(pair.b)
    # slow enough that there is something to cancel
    moving = pair.a.start(["coracle", "migrate", "--progress", "none", "--bandwidth", "300k", "--force", "c", address])
    end = time.monotonic() + 10
    while (status := pair.a.run("coracle migrate --status c", check=False)).rc:
        assert time.monotonic() < end and moving.poll() is None, moving.wait(1)
    assert json.loads(status.out)["status"] == "running"
    assert pair.a.run("coracle migrate --set downtime-limit=1234 c").rc == 0
    assert json.loads(pair.a.run("coracle migrate --status c").out)["downtimeLimitUs"] == 1234000
    assert "only downtime-limit" in pair.a.run("coracle migrate --set color=red c", check=False).err
    pair.a.run("coracle migrate --cancel c")
    result = moving.wait(20)
    assert result.rc == 1 and "cancelled" in result.err
    assert receiver.wait(20).rc == 1
    pair.only_on("a", c)
    assert "no migration of `c` is under way here" in pair.a.run("coracle migrate --status c", check=False).err


def test_over_a_command(pair):
    """exec: as ssh does it, with the connection as the receiver's stdin and stdout."""
    c = pair.counter("c")
    pid = pair.b.run("echo $$; cat /dev/null").out
    assert pid
    # a relay between the nodes stands for ssh
    relay = pair.b.start("rm -f /share/relay; socat UNIX-LISTEN:/share/relay EXEC:'coracle receive'")
    pair.a.run("while ! test -S /share/relay; do sleep 0.01; done")
    pair.a.run(["coracle", "migrate", "--progress", "none", "c", "exec:socat - UNIX-CONNECT:/share/relay"])
    relay.wait(20)
    pair.only_on("b", c)
    assert "exec: needs a command" in pair.b.run(["coracle", "migrate", "c", "exec:"], check=False).err
    assert "not a destination" in pair.b.run(["coracle", "migrate", "c", "http://b"], check=False).err
