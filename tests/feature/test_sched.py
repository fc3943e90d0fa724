# SPDX-License-Identifier: GPL-2.0-or-later
"""test_sched.py - process.scheduler, ioPriority, execCPUAffinity; linux.personality, memoryPolicy."""
import json
import os

import pytest

pytestmark = [pytest.mark.needs("root", "node")]

OTHER, FIFO, RR, BATCH, IDLE = 0, 1, 2, 3, 5


def told(out):
    """Lines "key value..." as a dict."""
    return dict(line.partition(" ")[::2] for line in out.splitlines())


@pytest.mark.parametrize("scheduler, policy, priority, nice", [
    ({"policy": "SCHED_OTHER", "nice": 7}, OTHER, 0, 7),
    ({"policy": "SCHED_BATCH", "nice": -3}, BATCH, 0, -3),
    ({"policy": "SCHED_IDLE"}, IDLE, 0, 0),
    ({"policy": "SCHED_FIFO", "priority": 10}, FIFO, 10, 0),
    ({"policy": "SCHED_RR", "priority": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, RR | 0x40000000, 1, 0),
])
def test_scheduler(coracle, bundle, scheduler, policy, priority, nice):
    b = bundle("sched")
    b.process["scheduler"] = scheduler
    t = told(coracle.run(b).out)
    assert (int(t["policy"]), int(t["priority"]), int(t["nice"])) == (policy, priority, nice)


def test_deadline(coracle, bundle):
    b = bundle("sched")
    b.process["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 10000000, "period": 10000000}
    result = coracle.run(b, check=False)
    if "EBUSY" in result.err or "Device or resource busy" in result.err:
        pytest.skip("the kernel's bandwidth for real-time tasks is taken, or the bed's cpuset is not a whole machine")
    assert told(result.out)["policy"] == "6"


@pytest.mark.parametrize("given, value", [
    ({"class": "IOPRIO_CLASS_BE", "priority": 6}, 2 << 13 | 6),
    ({"class": "IOPRIO_CLASS_RT", "priority": 1}, 1 << 13 | 1),
    ({"class": "IOPRIO_CLASS_IDLE", "priority": 0}, 3 << 13),
])
def test_io_priority(coracle, bundle, given, value):
    b = bundle("sched")
    b.process["ioPriority"] = given
    assert told(coracle.run(b).out)["ioprio"] == str(value)


def test_both_in_a_user_namespace_where_the_process_could_not(coracle, bundle):
    b = bundle("sched").namespace("user")
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    b.linux.update(uidMappings=maps, gidMappings=maps)
    os.chmod(b.path, 0o755)
    b.process["scheduler"] = {"policy": "SCHED_RR", "priority": 3}
    b.process["ioPriority"] = {"class": "IOPRIO_CLASS_RT", "priority": 2}
    t = told(coracle.run(b).out)
    assert (t["policy"], t["priority"], t["ioprio"]) == (str(RR), "3", str(1 << 13 | 2))


@pytest.mark.parametrize("key, value, said", [
    ("scheduler", {"policy": "SCHED_NO"}, 'process.scheduler.policy: unknown value "SCHED_NO"'),
    ("scheduler", {"nice": 1}, "process.scheduler.policy: missing"),
    ("scheduler", {"policy": "SCHED_OTHER", "nice": 20}, "process.scheduler.nice: 20 is out of range"),
    ("scheduler", {"policy": "SCHED_FIFO"}, "process.scheduler.priority: a real-time policy needs one"),
    ("scheduler", {"policy": "SCHED_OTHER", "flags": ["X"]}, 'process.scheduler.flags[0]: unknown value "X"'),
    ("scheduler", {"policy": "SCHED_OTHER", "runtime": 5}, "process.scheduler: runtime, deadline and period go with"),
    ("ioPriority", {"class": "NO"}, 'process.ioPriority.class: unknown value "NO"'),
    ("ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}, "process.ioPriority.priority: 8 is out of range"),
    ("execCPUAffinity", {"initial": "0-"}, 'process.execCPUAffinity.initial: "0-" is no list'),
    ("execCPUAffinity", {"final": "3-1"}, 'process.execCPUAffinity.final: "3-1" is no list'),
])
def test_what_cannot_be_is_refused_by_its_path(coracle, bundle, key, value, said):
    b = bundle("true")
    b.process[key] = value
    result = coracle.run(b, check=False)
    assert result.rc == 1 and said in result.err


def test_exec_affinity(coracle, bundle, tmp_path):
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("one CPU")
    b = bundle("pause")
    c = coracle.started(b)

    def affinity(**given):
        process = {**b.process, "args": ["/init", "sched"], "execCPUAffinity": given}
        (tmp_path / "p").write_text(json.dumps(process))
        return told(coracle("exec", "--process", tmp_path / "p", c).out)["affinity"]
    everything = " ".join(map(str, allowed))
    assert affinity(initial=str(allowed[0]), final=str(allowed[1])) == str(allowed[1])
    assert affinity(final=str(allowed[0])) == str(allowed[0])
    assert affinity(initial=str(allowed[0])) == everything      # the container's own again
    assert affinity() == everything
    # the config's own process is what exec's flags start from; init is not touched
    b = bundle("sched", "--", "pause")
    b.process["execCPUAffinity"] = {"final": str(allowed[1])}
    c = coracle.started(b)
    coracle.wait_output(c, "affinity " + everything)
    assert told(coracle("exec", c, "/init", "sched").out)["affinity"] == str(allowed[1])


def test_cpus_that_are_not_there(coracle, bundle, tmp_path):
    b = bundle("pause")
    c = coracle.started(b)
    for key in ("initial", "final"):
        (tmp_path / "p").write_text(json.dumps({**b.process, "execCPUAffinity": {key: "8000"}}))
        result = coracle("exec", "--process", tmp_path / "p", c, check=False)
        assert result.rc == 255 and f"process.execCPUAffinity.{key}: run on CPUs 8000: Invalid argument" in result.err


def test_personality(coracle, bundle):
    b = bundle("uname", "--", "cat", "/proc/self/personality")
    b.linux["personality"] = {"domain": "LINUX32"}
    out = coracle.run(b).out
    assert out.endswith("00000008\n")
    if os.uname().machine == "x86_64":
        assert told(out)["machine"] == "i686"
    b.linux["personality"] = {"domain": "LINUX"}
    assert coracle.run(b).out.endswith("00000000\n")
    b = bundle("pause")
    b.linux["personality"] = {"domain": "LINUX32"}
    assert coracle("exec", coracle.started(b), "/init", "cat", "/proc/self/personality").out == "00000008\n"


@pytest.mark.parametrize("value, said", [({"domain": "BSD"}, 'linux.personality.domain: unknown value "BSD"'),
                                         ({}, "linux.personality.domain: missing"),
                                         ({"domain": "LINUX", "flags": ["X"]}, "linux.personality.flags[0]: unknown")])
def test_no_such_personality(coracle, bundle, value, said):
    b = bundle("true")
    b.linux["personality"] = value
    result = coracle.run(b, check=False)
    assert result.rc == 1 and said in result.err


@pytest.mark.parametrize("policy, seen", [
    ({"mode": "MPOL_BIND", "nodes": "0"}, " bind:0 "),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, " bind=static:0 "),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, " interleave:0 "),
    ({"mode": "MPOL_PREFERRED", "nodes": "0"}, " prefer:0 "),
    ({"mode": "MPOL_PREFERRED_MANY", "nodes": "0"}, " prefer (many):0 "),
    ({"mode": "MPOL_LOCAL"}, " local "),
    ({"mode": "MPOL_DEFAULT"}, " default "),
])
def test_memory_policy(coracle, bundle, policy, seen):
    if not os.path.exists("/proc/self/numa_maps"):
        pytest.skip("the kernel has no NUMA")
    b = bundle("cat", "/proc/self/numa_maps")
    b.linux["memoryPolicy"] = policy
    assert seen in coracle.run(b).out


@pytest.mark.parametrize("policy, said", [
    ({"mode": "MPOL_NO"}, 'linux.memoryPolicy.mode: unknown value "MPOL_NO"'),
    ({"nodes": "0"}, "linux.memoryPolicy.mode: missing"),
    ({"mode": "MPOL_BIND"}, "linux.memoryPolicy.nodes: this mode needs some"),
    ({"mode": "MPOL_LOCAL", "nodes": "0"}, "linux.memoryPolicy.nodes: this mode takes none"),
    ({"mode": "MPOL_BIND", "nodes": "0,"}, 'linux.memoryPolicy.nodes: "0," is no list'),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]},
     "linux.memoryPolicy.flags: static and relative nodes exclude each other"),
    ({"mode": "MPOL_BIND", "nodes": "900"}, 'linux.memoryPolicy: set mode 2, nodes "900": Invalid argument'),
])
def test_memory_policies_that_cannot_be(coracle, bundle, policy, said):
    b = bundle("true")
    b.linux["memoryPolicy"] = policy
    result = coracle.run(b, check=False)
    assert result.rc == 1 and said in result.err


def test_intel_rdt_needs_a_mount(coracle, bundle):
    """The classes themselves are tested on a tree that looks like the kernel's: tests/unit/cgroups/test_rdt.c."""
    b = bundle("true")
    b.linux["intelRdt"] = {"closID": "gold", "schemata": ["L3:0=f"], "enableMonitoring": True}
    result = coracle.run(b, check=False)
    assert result.rc == 1 and "linux.intelRdt: no resctrl file system is mounted" in result.err
    b.linux["intelRdt"] = {"closID": "../gold"}
    assert 'linux.intelRdt.closID: "../gold" is not the name of a group' in coracle.run(b, check=False).err
