# SPDX-License-Identifier: GPL-2.0-or-later
"""test_vm.py - the virtual machines do what tests rely on."""
import os
import time

import pytest

from bed.node import BedError, CommandError, Timeout, join

pytestmark = pytest.mark.needs("root", "vm")


def test_vm_runs_commands_with_input_output_and_status(vm):
    result = vm.run("cat; echo $WORD >&2; pwd; exit 3", input="in", check=False, env={"WORD": "w"}, cwd="/usr")
    assert (result.rc, result.out, result.err) == (3, "in/usr\n", "w\n")
    assert vm.run(["printf", "%s|", "a b", "$c"]).out == "a b|$c|"
    with pytest.raises(CommandError, match="exit status 1"):
        vm.run("false")
    assert vm.run("kill -9 $$", check=False).rc == 137
    assert vm.run(["no-such-program"], check=False).rc == 127
    assert vm.run("sleep 1000 & echo $!").out.strip().isdigit()


def test_vm_has_a_stock_kernel_and_all_of_cgroup_v2(vm):
    assert "deb13" in vm.read("/proc/sys/kernel/osrelease")
    assert vm.read("/proc/sys/kernel/hostname") == "vm\n"
    controllers = vm.read("/sys/fs/cgroup/cgroup.controllers").split()
    assert {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} <= set(controllers)
    assert vm.read("/proc/self/cgroup") == "0::/init\n"
    vm.run("mkdir /sys/fs/cgroup/x && echo 64M >/sys/fs/cgroup/x/memory.max")
    assert vm.read("/sys/fs/cgroup/x/memory.max") == f"{64 << 20}\n"
    assert abs(float(vm.run("date +%s").out) - time.time()) < 60


def test_vm_takes_and_gives_files(vm, tmp_path):
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "f").write_bytes(os.urandom(3 << 20))
    os.symlink("sub/f", tmp_path / "tree" / "link")
    vm.put(tmp_path / "tree", "/root/deep/er")
    vm.run("cmp /root/deep/er/sub/f /root/deep/er/link")
    vm.get("/root/deep/er", tmp_path / "back")
    assert (tmp_path / "back" / "sub" / "f").read_bytes() == (tmp_path / "tree" / "sub" / "f").read_bytes()
    assert os.readlink(tmp_path / "back" / "link") == "sub/f"


def test_vm_runs_commands_beside_each_other_and_kills_them(vm):
    several = [vm.start(["sh", "-c", f"echo ready; read x; echo got $x {n}; sleep 1000"], input="word\n")
               for n in range(4)]
    for n, process in enumerate(several):
        process.expect(f"got word {n}")
        assert process.poll() is None
    for process in several:
        process.kill()
        assert process.wait().rc == 137
    with pytest.raises(Timeout):
        vm.run("sleep 1000", timeout=1)
    # input that nobody reads is in nobody's way
    assert vm.run("exec <&-; sleep 0.1; echo on", input=b"x" * (1 << 20)).out == "on\n"
    assert vm.run("cat", input=b"x" * (1 << 20)).out == "x" * (1 << 20)


def test_vms_are_joined_cut_and_mended(vms):
    a, b = vms("a", "b")
    link = join(a, b)
    ping = ["ping", "-c", "1", "-W", "3", link.addresses[1]]
    a.run(ping)
    link.cut()
    assert a.run(ping, check=False).rc != 0
    link.mend()
    a.run(ping)


def test_vm_is_gone_when_the_plug_is_pulled(vms):
    victim = vms("victim")
    sleeper = victim.start("echo up; sleep 1000")
    sleeper.expect("up")
    victim.pull_plug()
    assert sleeper.wait(10).rc == 255
    with pytest.raises(BedError, match="down"):
        victim.run("true")
    directory = victim.directory
    victim.close()
    assert not os.path.exists(directory)
