# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - where the tests run, what they are given, and when they are skipped.

As root, pytest runs itself again inside of a node made of this machine (bed/native.py, HostNode): private
mounts, processes, network and cgroup v2, with whatever is written to the root thrown away.  So tests may look
at /proc, /sys/fs/cgroup and mounts as if the machine were theirs, and nothing they do reaches the machine.
In the virtual machine and without root they run where they are.

Environment: CORACLE the binary (default: build/coracle, then coracle, in the checkout);
CORACLE_TEST_RESULTS a directory that stays writable for what the tests want to keep (--junitxml).
"""
import os
import sys

import pytest

from bed import trees
from lib import leftovers, needs
from lib.bundle import Bundle, build_payload
from lib.coracle import Coracle

TESTS = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(TESTS)


def pytest_addoption(parser):
    parser.addoption("--for-vm", action="store_true", help="only tests that are to run in the virtual machine: those "
                     "with a need that only it can meet, and of each file the first one marked also_in_vm")
    parser.addoption("--here", action="store_true", help="do not go into a node (leftovers are not looked for)")


# --- into a node -----------------------------------------------------------------------------------------------

@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if (os.geteuid() or needs.place() != "bare" or config.option.here or config.option.help
            or config.option.collectonly):
        return None
    from bed.native import HostNode
    binary = find_binary()
    cache, results = trees.cache_dir(), os.environ.get("CORACLE_TEST_RESULTS")
    os.makedirs(cache, exist_ok=True)
    binds = {CHECKOUT: CHECKOUT, cache: cache + ":rw"}
    if binary:
        binds[os.path.dirname(binary)] = os.path.dirname(binary)
    if results:
        binds[results] = results + ":rw"
    cwd = str(config.invocation_params.dir)
    capture = config.pluginmanager.getplugin("capturemanager")
    with HostNode("tests", binds) as node:
        capture.suspend_global_capture(in_=True)
        return node.call([sys.executable, "-B", "-m", "pytest", *map(str, config.invocation_params.args)],
                         env={**os.environ, needs.PLACE: "node", "CORACLE": binary or ""},
                         cwd=cwd if (cwd + "/").startswith(CHECKOUT + "/") else CHECKOUT)


def find_binary():
    given = os.environ.get("CORACLE")
    for path in [given] if given else [CHECKOUT + "/build/coracle", CHECKOUT + "/coracle"]:
        if os.access(path, os.X_OK):
            return os.path.realpath(path)
    return None


# --- which tests run here ----------------------------------------------------------------------------------------

def needs_of(item):
    return [need for mark in item.iter_markers("needs") for need in mark.args]


def pytest_collection_modifyitems(config, items):
    if not os.environ.get("CORACLE_TEST_ALL"):
        late = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=late)
        items[:] = [item for item in items if item not in late]
    if not config.option.for_vm:
        return
    for_vm, seen = [], set()
    for item in items:
        # the machine is slow, and what it need not show has run natively: one test stands for its file
        if any(map(needs.in_vm, needs_of(item))):
            for_vm.append(item)
        elif item.get_closest_marker("also_in_vm") and item.path not in seen:
            for_vm.append(item)
            seen.add(item.path)
    config.hook.pytest_deselected(items=[i for i in items if i not in for_vm])
    items[:] = for_vm


def pytest_runtest_setup(item):
    for need in needs_of(item):
        if sentence := needs.missing(need):
            pytest.skip(sentence)


def need_for(request, *wanted):
    """For fixtures: skip the test that asks for one which cannot be given here."""
    for need in wanted:
        if sentence := needs.missing(need):
            pytest.skip(sentence)


# --- what tests are given ------------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def payload():
    """The path of the static program that test containers run (tests/init.c)."""
    if given := os.environ.get("CORACLE_TEST_PAYLOAD"):
        return given
    cache = trees.cache_dir() if os.geteuid() == 0 else os.path.expanduser("~/.cache/coracle-bed")
    return build_payload(os.path.join(cache, "payload"))


@pytest.fixture(scope="session")
def binary():
    path = find_binary()
    if not path:
        pytest.exit(f"no binary to test: build it, or set CORACLE (now {os.environ.get('CORACLE')!r})", 3)
    return path


def beside(binary):
    """The other program, which coracle finds beside itself."""
    return os.path.join(os.path.dirname(binary), "coracle-node")


@pytest.fixture
def bundle(tmp_path, payload):
    """bundle("echo", "hi") makes a bundle that runs these words of tests/init.c; see lib/bundle.py."""
    made = []

    def make(*args):
        made.append(Bundle(tmp_path / f"bundle{len(made)}", payload, *args))
        return made[-1]
    return make


@pytest.fixture
def coracle(request, binary, tmp_path):
    """The driver of the binary (lib/coracle.py).  After the test nothing of its containers may be left."""
    need_for(request, "root")
    driver = Coracle(binary, tmp_path / "coracle")
    if needs.place() == "bare":
        yield driver
        driver.close()
        return
    records = (driver.root, "/run/coracle", "/dev/shm")
    kept = {what for mark in request.node.iter_markers("keeps") for what in mark.args}
    before = leftovers.look(*records)
    yield driver
    driver.close()
    if told := leftovers.settle({k: v for k, v in before.items() if k not in kept}, *records):
        leftovers.remove(before)
        pytest.fail("after the test and `delete --force` of its containers:\n" + "\n".join(told))


@pytest.fixture
def nodes(request, binary, payload):
    """nodes("a", "b") starts native nodes of Debian testing, with coracle in PATH and the payload as /bed/payload."""
    need_for(request, "tree")
    from bed.native import NativeNode
    made = []

    def start(*names, tree="native", binds=None):
        wanted = {binary: "/bed/bin/coracle", beside(binary): "/bed/bin/coracle-node", payload: "/bed/payload", **(binds or {})}
        new = [NativeNode(name, tree, wanted) for name in names]
        made.extend(new)
        return new if len(new) > 1 else new[0]
    yield start
    for node in made:
        node.close()


@pytest.fixture
def node(nodes):
    """One native node."""
    return nodes("node")


@pytest.fixture
def vms(request, binary, payload):
    """vms("a", "b") starts virtual machines of Debian stable, with coracle in PATH and the payload as /bed/payload."""
    need_for(request, "vm")
    from bed.vm import VmNode
    made = []

    def start(*names):
        for name in names:
            machine = VmNode(name)
            made.append(machine)
            machine.put(binary, "/bed/bin/coracle")
            machine.put(beside(binary), "/bed/bin/coracle-node")
            machine.put(payload, "/bed/payload")
        new = made[-len(names):]
        return new if len(new) > 1 else new[0]
    yield start
    for machine in made:
        machine.close()


@pytest.fixture
def vm(vms):
    """One virtual machine."""
    return vms("vm")
