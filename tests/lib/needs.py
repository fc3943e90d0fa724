# SPDX-License-Identifier: GPL-2.0-or-later
"""needs.py - what a test may need of the place it runs in, and whether this place has it.

@pytest.mark.needs("root", "memory-controller"): where one is missing the test is skipped, saying which.
A need is a word in NEEDS, or "X-controller" for a cgroup v2 controller.
"""
import functools
import glob
import os
import platform
import shutil
import subprocess

from bed import trees

# Set by conftest.py in the pytest that runs inside of a node, and by the bed in the virtual machine.
PLACE = "CORACLE_TEST_PLACE"

# These can be had in the virtual machine: a test that needs one runs there when it cannot natively.
IN_VM = {"memory-track", "stock-kernel", "apparmor", "sys-resource"}


def place():
    """"node" in a node of the bed, "vm" in the virtual machine, "bare" elsewhere."""
    return os.environ.get(PLACE, "bare")


def _root():
    return os.geteuid() == 0 or "not root"


def _node():
    return place() in ("node", "vm") or "not in a node of the bed (that takes root)"


def _tree():
    if place() != "node":
        return "no nodes are made here"
    return os.path.isdir(trees.tree_path("native")) or f"{trees.tree_path('native')} is not made"


def _vm():
    if place() != "node":
        return "no virtual machines are started here"
    if os.environ.get("CORACLE_TEST_QUICK"):
        return "a quick run"
    return os.path.isdir(trees.tree_path("vm")) or f"{trees.tree_path('vm')} is not made"


def _engines():
    there = _vm()
    if there is not True:
        return there
    return os.path.isdir(trees.tree_path("engines")) or f"{trees.tree_path('engines')} is not made"


def _memory_track():
    """CRIU's dirty page tracking: the soft-dirty bit (55) of a page just written is set."""
    import ctypes
    import mmap
    page = mmap.mmap(-1, mmap.PAGESIZE)
    page[0] = 1
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    try:
        with open("/proc/self/pagemap", "rb") as f:
            f.seek(address // mmap.PAGESIZE * 8)
            entry = int.from_bytes(f.read(8), "little")
    except OSError as e:
        return f"/proc/self/pagemap: {e.strerror}"
    return bool(entry >> 55 & 1) or "the kernel has no MEM_SOFT_DIRTY"


def _stock_kernel():
    return place() == "vm" or "the machine's kernel, not Debian's"


def _userns():
    done = subprocess.run(["unshare", "-U", "true"], stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0 or "user namespaces are not allowed"


def _lsm(name):
    try:
        with open("/sys/kernel/security/lsm", encoding="ascii") as f:
            return name in f.read().split(",") or f"{name} is not among the kernel's security modules"
    except OSError:
        return "securityfs is not mounted"


def _capability(bit, name):
    with open("/proc/self/status", encoding="ascii") as f:
        bounding = next(int(x.split()[1], 16) for x in f if x.startswith("CapBnd"))
    return bool(bounding >> bit & 1) or f"{name} is not in the bounding set"


def _faults():
    """A build with --enable-fault-injection."""
    binary = os.environ.get("CORACLE")
    if not binary:
        return "no binary"
    done = subprocess.run([binary, "--version"], stdout=subprocess.PIPE, check=False)
    return b"+FAULTS" in done.stdout or "the binary is built without --enable-fault-injection"


NEEDS = {
    "faults": _faults,                      # CORACLE_FAIL_AT and its kin work
    "root": _root,                          # run by root
    "node": _node,                          # private namespaces: may look at all processes, mounts, cgroups
    "tree": _tree,                          # the fixtures `node` and `nodes`
    "vm": _vm,                              # the fixtures `vm` and `vms`
    "engines": _engines,                    # a virtual machine with Debian's engines (tests/engines)
    "memory-track": _memory_track,          # pre-copy: CRIU's memory tracking
    "stock-kernel": _stock_kernel,
    "userns": _userns,
    "apparmor": lambda: _lsm("apparmor"),
    "selinux": lambda: _lsm("selinux"),
    "sys-resource": lambda: _capability(24, "CAP_SYS_RESOURCE"),
    "gcc": lambda: bool(shutil.which("gcc")) or "no gcc",
    "strace": lambda: bool(shutil.which("strace")) or "no strace",
    "ssh": lambda: bool(shutil.which("ssh")) or "no ssh",
    "redis": lambda: bool(shutil.which("redis-server")) or "no redis-server",
    "loop": lambda: bool(glob.glob("/dev/loop[0-9]*")) or "no loop devices",
    "x86-64": lambda: platform.machine() == "x86_64" or "another architecture",
}


@functools.lru_cache(None)
def missing(need):
    """None where the need is met, else a sentence naming it."""
    if need.endswith("-controller"):
        name = need[:-len("-controller")]
        try:
            with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as f:
                have = f.read().split()
        except OSError:
            have = []
        return None if name in have else f"needs {need}: cgroup v2 here has {' '.join(have) or 'no controllers'}"
    if need not in NEEDS:
        raise ValueError(f"no such need: {need}; see tests/lib/needs.py")
    answer = NEEDS[need]()
    return None if answer is True else f"needs {need}: {answer}"


def in_vm(need):
    return need in IN_VM or need.endswith("-controller")
