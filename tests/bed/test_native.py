# SPDX-License-Identifier: GPL-2.0-or-later
"""test_native.py - the native nodes do what tests rely on."""
import os
import signal
import subprocess
import sys

import pytest

from bed.node import BedError, CommandError, Timeout, join

pytestmark = pytest.mark.needs("root", "tree")


def test_node_runs_commands_with_input_output_and_status(node):
    result = node.run("cat; echo $WORD >&2; pwd; exit 3", input="in", check=False, env={"WORD": "w"}, cwd="/usr")
    assert (result.rc, result.out, result.err) == (3, "in/usr\n", "w\n")
    assert node.run(["printf", "%s|", "a b", "$c"]).out == "a b|$c|"
    with pytest.raises(CommandError, match="exit status 1"):
        node.run("false")
    assert node.run("kill -9 $$", check=False).rc == 137


def test_node_has_a_system_of_its_own(node):
    assert node.read("/proc/sys/kernel/hostname") == "node\n"
    assert node.run("cat /proc/1/comm").out == "bash\n"
    assert node.run("ls /sys/class/net").out == "lo\n"
    assert node.run("readlink /proc/self/ns/cgroup").out.strip() != os.readlink("/proc/self/ns/cgroup")
    assert "forky" in node.read("/etc/os-release")
    node.run("echo gone >/etc/motd; mkdir /new")
    assert not os.path.exists("/new")


def test_node_processes_sit_below_the_root_of_their_cgroup_view(node):
    assert "0::/init\n" in node.read("/proc/self/cgroup")
    assert node.read("/sys/fs/cgroup/cgroup.procs") == ""
    node.run("mkdir /sys/fs/cgroup/x; echo $$ >/sys/fs/cgroup/x/cgroup.procs")


def test_node_dev_is_its_own(node):
    node.run("chown 7:7 /dev/null")
    assert node.run("stat -c %u /dev/null").out == "7\n"
    assert os.stat("/dev/null").st_uid == 0


def test_node_takes_and_gives_files(node, tmp_path):
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "f").write_bytes(bytes(range(256)) * 4096)
    os.symlink("sub/f", tmp_path / "tree" / "link")
    node.put(tmp_path / "tree", "/root/deep/er")
    node.run("cmp /root/deep/er/sub/f /root/deep/er/link")
    node.get("/root/deep/er", tmp_path / "back")
    assert (tmp_path / "back" / "sub" / "f").read_bytes() == (tmp_path / "tree" / "sub" / "f").read_bytes()
    assert os.readlink(tmp_path / "back" / "link") == "sub/f"
    node.get("/etc/os-release", tmp_path / "release")
    assert "forky" in (tmp_path / "release").read_text()


def test_node_runs_in_the_background(node):
    process = node.start("echo ready; read x; echo got $x; sleep 1000", input="word\n")
    process.expect("got word")
    assert process.poll() is None
    process.kill()
    assert process.wait().rc == 137


def test_node_does_not_wait_for_daemons(node):
    assert node.run("sleep 1000 & echo $!").out.strip().isdigit()


def test_node_ends_a_command_that_takes_too_long(node):
    with pytest.raises(Timeout):
        node.run("sleep 1000", timeout=0.2)
    assert "sleep" not in node.run("ps -e -o comm").out


def test_nodes_are_joined_cut_and_mended(nodes):
    a, b = nodes("a", "b")
    link = join(a, b)
    ping = ["ping", "-c", "1", "-W", "1", link.addresses[1]]
    a.run(ping)
    link.cut()
    assert a.run(ping, check=False).rc != 0
    link.mend()
    a.run(ping)
    second = join(b, a)
    assert set(second.addresses).isdisjoint(link.addresses)
    a.run(["ping", "-c", "1", "-W", "1", second.addresses[0]])


def test_node_is_gone_when_the_plug_is_pulled(nodes):
    node = nodes("victim")
    sleeper = node.start("echo up; setsid sleep 31557600")
    sleeper.expect("up")
    node.pull_plug()
    assert "31557600" not in subprocess.run(["ps", "ax"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert not [d for d in os.listdir("/sys/fs/cgroup") if d.endswith("-victim")]
    with pytest.raises(BedError, match="down"):
        node.run("true")


def test_node_goes_with_its_maker():
    script = ("from bed.native import NativeNode; import sys\n"
              "n = NativeNode('orphan'); n.start('setsid sleep 31557601'); print('up', flush=True)\n"
              "sys.stdin.read()")
    maker = subprocess.Popen([sys.executable, "-B", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    assert maker.stdout.readline() == b"up\n"
    group = next(d for d in os.listdir("/sys/fs/cgroup") if d.endswith("-orphan"))
    # the keeper outlives the maker and says by its end that all is removed
    keeper = int(group.split("-")[2])
    waiting = os.pidfd_open(keeper)
    os.kill(maker.pid, signal.SIGKILL)
    maker.wait()
    import select
    assert select.select([waiting], [], [], 20)[0]
    os.close(waiting)
    assert not os.path.exists("/sys/fs/cgroup/" + group)
    assert "31557601" not in subprocess.run(["ps", "ax"], stdout=subprocess.PIPE, text=True, check=True).stdout


def test_node_that_cannot_start_says_why():
    from bed.native import NativeNode
    before = set(os.listdir("/sys/fs/cgroup")), set(os.listdir("/run"))
    with pytest.raises(BedError, match="/no/such/tree|does not exist"):
        NativeNode("never", "/no/such/tree")
    assert (set(os.listdir("/sys/fs/cgroup")), set(os.listdir("/run"))) == before
