# SPDX-License-Identifier: GPL-2.0-or-later
"""test_cgroup_limits.py - linux.resources on the kernel: what stands in the files, and what it does."""
import glob
import json
import os

import pytest

MIB = 1 << 20

memory = pytest.mark.needs("memory-controller")
cpu = pytest.mark.needs("cpu-controller")
cpuset = pytest.mark.needs("cpuset-controller")
pids = pytest.mark.needs("pids-controller")
io = pytest.mark.needs("io-controller")
hugetlb = pytest.mark.needs("hugetlb-controller")


@pytest.fixture
def limited(coracle, bundle):
    """limited({"pids": …}) starts a container with these resources; returns its id."""
    def start(resources, *args):
        b = bundle(*(args or ("pause",)))
        b.resources.update(resources)
        return coracle.started(b)
    return start


def knobs(coracle, id, *names):
    return [coracle.knob(id, name) for name in names]


def update(coracle, id, resources, **how):
    return coracle("update", "--resources", "-", id, input=json.dumps(resources), **how)


# --- memory ---

@memory
@pytest.mark.parametrize("limits, files", [
    ({"limit": 64 * MIB}, [str(64 * MIB), "max", "0"]),
    ({"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB}, [str(64 * MIB), str(32 * MIB), str(32 * MIB)]),
    ({"limit": 64 * MIB, "swap": 64 * MIB}, [str(64 * MIB), "0", "0"]),
    ({"limit": 64 * MIB, "swap": -1}, [str(64 * MIB), "max", "0"]),
    ({"limit": -1}, ["max", "max", "0"]),
    ({"limit": 0, "swap": 0, "kernel": 0, "disableOOMKiller": False}, ["max", "max", "0"]),
])
def test_memory(coracle, limited, limits, files):
    c = limited({"memory": limits})
    assert knobs(coracle, c, "memory.max", "memory.swap.max", "memory.low") == files


@memory
def test_more_memory_than_allowed_is_death(coracle, bundle):
    b = bundle("eat", "64")
    b.resources["memory"] = {"limit": 16 * MIB, "swap": 16 * MIB}
    assert coracle.run(b, check=False).rc == 137
    b = bundle("eat", "8")
    b.resources["memory"] = {"limit": 16 * MIB, "swap": 16 * MIB}
    assert coracle.run(b).out == f"eaten {8 * MIB}\n"


@memory
def test_an_update_of_memory_takes_what_is_there_into_account(coracle, limited):
    c = limited({"memory": {"limit": 64 * MIB}})
    update(coracle, c, {"memory": {"swap": 96 * MIB}})      # both together; the memory's part is set already
    assert knobs(coracle, c, "memory.max", "memory.swap.max") == [str(64 * MIB), str(32 * MIB)]
    update(coracle, c, {"memory": {"limit": 128 * MIB, "swap": 128 * MIB}})
    assert knobs(coracle, c, "memory.max", "memory.swap.max") == [str(128 * MIB), "0"]
    update(coracle, c, {"memory": {"limit": 32 * MIB, "swap": 128 * MIB}})
    assert knobs(coracle, c, "memory.max", "memory.swap.max") == [str(32 * MIB), str(96 * MIB)]
    result = update(coracle, c, {"memory": {"swap": 16 * MIB}}, check=False)
    assert result.rc == 1 and "memory.swap" in result.err
    update(coracle, c, {"memory": {"limit": -1}})
    assert knobs(coracle, c, "memory.max", "memory.swap.max") == ["max", "max"]


@memory
def test_a_check_before_an_update_saves_the_container(coracle, limited):
    c = limited({}, "eat", "32", "--", "pause")
    coracle.wait_output(c, "eaten")
    result = update(coracle, c, {"memory": {"limit": 8 * MIB, "checkBeforeUpdate": True}}, check=False)
    assert result.rc == 1 and "in use" in result.err
    assert coracle.knob(c, "memory.max") == "max"
    assert coracle.state(c)["status"] == "running"
    update(coracle, c, {"memory": {"limit": 256 * MIB, "checkBeforeUpdate": True}})
    assert coracle.knob(c, "memory.max") == str(256 * MIB)


# --- processor ---

@cpu
@pytest.mark.parametrize("limits, files", [
    ({"shares": 1024}, ["100", "max 100000"]),
    ({"shares": 2}, ["1", "max 100000"]),
    ({"shares": 262144}, ["10000", "max 100000"]),
    ({"shares": 512, "quota": 50000, "period": 20000}, ["59", "50000 20000"]),
    ({"quota": 70000}, ["100", "70000 100000"]),
    ({"period": 50000}, ["100", "max 50000"]),
    ({"quota": -1, "shares": 0, "realtimePeriod": 0, "realtimeRuntime": 0}, ["100", "max 100000"]),
])
def test_cpu(coracle, limited, limits, files):
    c = limited({"cpu": limits})
    assert knobs(coracle, c, "cpu.weight", "cpu.max") == files


@cpu
def test_cpu_burst_idle_and_updates_of_a_part(coracle, limited):
    c = limited({"cpu": {"quota": 50000, "period": 100000, "burst": 10000}})
    assert knobs(coracle, c, "cpu.max", "cpu.max.burst") == ["50000 100000", "10000"]
    update(coracle, c, {"cpu": {"period": 60000}})
    assert coracle.knob(c, "cpu.max") == "50000 60000"
    update(coracle, c, {"cpu": {"quota": 30000}})
    assert coracle.knob(c, "cpu.max") == "30000 60000"
    update(coracle, c, {"cpu": {"quota": 80000, "burst": 70000}})      # the burst has to wait for the quota
    assert knobs(coracle, c, "cpu.max", "cpu.max.burst") == ["80000 60000", "70000"]
    update(coracle, c, {"cpu": {"quota": 20000, "burst": 5000}})       # and here to go first
    assert knobs(coracle, c, "cpu.max", "cpu.max.burst") == ["20000 60000", "5000"]
    update(coracle, c, {"cpu": {"idle": 1}})
    assert coracle.knob(c, "cpu.idle") == "1"
    update(coracle, c, {"cpu": {"idle": 0, "shares": 2048}})
    assert knobs(coracle, c, "cpu.idle", "cpu.weight") == ["0", "174"]


@cpu
def test_a_quota_is_felt(coracle, bundle):
    b = bundle("spin", "1")
    b.resources["cpu"] = {"quota": 10000, "period": 100000}
    assert int(coracle.run(b).out.split()[1]) < 600     # of 1000 ms; 100 are its share


@cpuset
def test_cpuset(coracle, limited):
    c = limited({"cpu": {"cpus": "0", "mems": "0"}})
    assert knobs(coracle, c, "cpuset.cpus", "cpuset.mems", "cpuset.cpus.effective") == ["0", "0", "0"]


# --- processes ---

@pids
@pytest.mark.parametrize("limit, file", [(50, "50"), (0, "0"), (1, "1"), (-1, "max")])
def test_pids(coracle, limited, limit, file):
    """0 and 1 are less than it takes to set a container up."""
    c = limited({"pids": {"limit": limit}})
    assert coracle.knob(c, "pids.max") == file
    assert coracle.state(c)["status"] == "running"


@pids
def test_no_more_processes_than_allowed(coracle, bundle):
    b = bundle("forks", "20")
    b.resources["pids"] = {"limit": 10}
    assert coracle.run(b).out == "made 9 EAGAIN\n"


@pids
@pytest.mark.needs("userns")
def test_one_process_in_a_user_namespace(coracle, bundle):
    """The process that makes the namespaces counts as well while it is there."""
    b = bundle("forks", "2")
    b.namespace("user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    b.resources["pids"] = {"limit": 2}
    assert coracle.run(b).out == "made 1 EAGAIN\n"


# --- block I/O ---

def block_device():
    for path in sorted(glob.glob("/sys/block/*/dev")):
        with open(path, encoding="ascii") as f:
            return [int(x) for x in f.read().split(":")]
    pytest.skip("no block device")


@io
def test_io_throttles(coracle, limited):
    major, minor = block_device()
    device = {"major": major, "minor": minor}
    c = limited({"blockIO": {"throttleReadBpsDevice": [{**device, "rate": 1048576}],
                             "throttleWriteBpsDevice": [{**device, "rate": 2097152}],
                             "throttleReadIOPSDevice": [{**device, "rate": 100}],
                             "throttleWriteIOPSDevice": [{**device, "rate": 200}]}})
    assert coracle.knob(c, "io.max") == f"{major}:{minor} rbps=1048576 wbps=2097152 riops=100 wiops=200"
    update(coracle, c, {"blockIO": {"throttleReadBpsDevice": [{**device, "rate": 0}]}})
    assert coracle.knob(c, "io.max") == f"{major}:{minor} rbps=max wbps=2097152 riops=100 wiops=200"


@io
def test_io_weight(coracle, bundle):
    b = bundle("pause")
    b.resources["blockIO"] = {"weight": 500}
    c = coracle.new_id()
    result = coracle.try_create(b, id=c)
    if result.rc:       # neither BFQ nor iocost in this kernel: said, and nothing left (the fixture looks)
        assert "blockIO.weight" in result.err and "io.weight" in result.err
        return
    group = coracle.group(c)
    if os.path.exists(group + "/io.bfq.weight"):
        assert coracle.knob(c, "io.bfq.weight") == "default 500"
    else:
        assert coracle.knob(c, "io.weight") == "default 4950"


# --- huge pages ---

@hugetlb
def test_huge_pages(coracle, limited):
    c = limited({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]})
    assert knobs(coracle, c, "hugetlb.2MB.max", "hugetlb.2MB.rsvd.max") == [str(4 * MIB)] * 2
    update(coracle, c, {"hugepageLimits": [{"pageSize": "2MB", "limit": 8 * MIB}]})
    assert knobs(coracle, c, "hugetlb.2MB.max", "hugetlb.2MB.rsvd.max") == [str(8 * MIB)] * 2


@hugetlb
def test_an_update_gets_the_controller_it_needs(coracle, limited):
    c = limited({})
    group = coracle.group(c)
    update(coracle, c, {"hugepageLimits": [{"pageSize": "2MB", "limit": 2 * MIB}]})
    with open(group + "/hugetlb.2MB.max", encoding="ascii") as f:
        assert f.read() == f"{2 * MIB}\n"


@hugetlb
def test_a_page_size_the_kernel_does_not_have_is_named(coracle, bundle):
    b = bundle("true")
    b.resources["hugepageLimits"] = [{"pageSize": "3MB", "limit": MIB}]
    result = coracle.run(b, check=False)
    assert result.rc and "hugetlb.3MB.max" in result.err


# --- unified ---

def test_unified_keys_of_every_group(coracle, limited):
    c = limited({"unified": {"cgroup.max.depth": "3", "cgroup.max.descendants": "9"}})
    assert knobs(coracle, c, "cgroup.max.depth", "cgroup.max.descendants") == ["3", "9"]


@memory
@pids
def test_unified_keys_have_the_last_word(coracle, limited):
    c = limited({"memory": {"limit": 64 * MIB}, "unified": {"memory.max": str(32 * MIB), "memory.high": str(16 * MIB),
                                                           "pids.max": "77"}})
    assert knobs(coracle, c, "memory.max", "memory.high", "pids.max") == [str(32 * MIB), str(16 * MIB), "77"]


@pytest.mark.parametrize("key", ["../x", "../cgroup.max.depth", "/cgroup.max.depth", "a/b.c", "..", "", "cgroup.procs",
                                 "cgroup.kill", "cgroup.freeze", "cgroup.subtree_control", "nonsense.max", "memory"])
def test_unified_keys_that_are_no_files_of_the_group_are_refused(coracle, bundle, key):
    b = bundle("true")
    b.resources["unified"] = {key: "1"}
    result = coracle.run(b, check=False)
    assert result.rc and "unified" in result.err


# --- what is not there ---

@pytest.mark.parametrize("resources, key, controller", [
    ({"memory": {"limit": 64 * MIB}}, "memory.limit", "memory"),
    ({"memory": {"limit": -1, "reservation": MIB}}, "memory.reservation", "memory"),
    ({"cpu": {"shares": 512}}, "cpu.shares", "cpu"),
    ({"cpu": {"cpus": "0"}}, "cpu.cpus", "cpuset"),
    ({"pids": {"limit": 100}}, "pids.limit", "pids"),
    ({"blockIO": {"weight": 100}}, "blockIO.weight", "io"),
    ({"unified": {"memory.high": "1000000"}}, "unified", "memory"),
])
def test_a_controller_that_is_not_there_is_named(coracle, bundle, resources, key, controller):
    with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as f:
        if controller in f.read().split():
            pytest.skip(f"the {controller} controller is here")
    b = bundle("true")
    b.resources.update(resources)
    result = coracle.run(b, check=False)
    assert result.rc and f"linux.resources.{key}" in result.err and f"the {controller} controller" in result.err


def test_what_sets_no_limit_needs_no_controller(coracle, bundle):
    """What engines send when nothing was asked for."""
    b = bundle("true")
    b.resources.update({"memory": {"limit": -1, "swap": -1, "disableOOMKiller": False, "kernel": 0},
                        "cpu": {"shares": 0, "quota": 0, "realtimeRuntime": 0}, "pids": {"limit": -1},
                        "blockIO": {"weight": 0}, "hugepageLimits": []})
    assert coracle.run(b).rc == 0


@pytest.mark.parametrize("resources, key", [
    ({"memory": {"swappiness": 10}}, "memory.swappiness"),
    ({"memory": {"disableOOMKiller": True}}, "memory.disableOOMKiller"),
    ({"memory": {"kernel": MIB}}, "memory.kernel"),
    ({"cpu": {"realtimeRuntime": 1000}}, "cpu.realtimeRuntime"),
    ({"blockIO": {"leafWeight": 10}}, "blockIO.leafWeight"),
    ({"network": {"classID": 1}}, "network"),
])
def test_what_only_version_1_has_is_refused(coracle, bundle, resources, key):
    b = bundle("true")
    b.resources.update(resources)
    result = coracle.run(b, check=False)
    assert result.rc and key in result.err
