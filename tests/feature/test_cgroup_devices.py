# SPDX-License-Identifier: GPL-2.0-or-later
"""test_cgroup_devices.py - the device allow-list as the kernel carries it out.

Nodes are of drivers that are not there (major 250): allowed they are ENXIO, forbidden EPERM.
"""
import ctypes
import os

import pytest

ALL = {"allow": False, "access": "rwm"}
ODD = {"path": "/dev/odd", "type": "c", "major": 250, "minor": 77}
ODD_BLOCK = {"path": "/dev/odd-block", "type": "b", "major": 250, "minor": 77}


def rule(allow, access, kind="c", major=250, minor=77):
    found = {"allow": allow, "access": access, "type": kind, "major": major, "minor": minor}
    return {k: v for k, v in found.items() if v is not None}


def opened(coracle, b, *words):
    """The errno of opening a device in a container, or "" when it could be opened."""
    return (coracle.run(b.args("open", *words), check=False).err.split() or [""])[-1]


@pytest.fixture
def odd(bundle):
    def make(*rules):
        b = bundle("true")
        b.linux["devices"] = [dict(ODD), dict(ODD_BLOCK)]
        b.resources["devices"] = list(rules)
        return b
    return make


def test_default_devices_work_whatever_the_engine_says(coracle, odd):
    for name in ("null", "zero", "full", "random", "urandom"):
        assert opened(coracle, odd(ALL), f"/dev/{name}", "rw") == ""


@pytest.mark.parametrize("rules, how, error", [
    ([], "r", "EPERM"),                                 # nothing said is nothing allowed
    ([ALL], "r", "EPERM"),
    ([ALL, rule(True, "r")], "r", "ENXIO"),
    ([ALL, rule(True, "r")], "w", "EPERM"),
    ([ALL, rule(True, "r")], "rw", "EPERM"),
    ([ALL, rule(True, "r"), rule(True, "w")], "rw", "ENXIO"),
    ([ALL, rule(True, "rwm", minor=None)], "rw", "ENXIO"),
    ([ALL, rule(True, "rwm", major=None, minor=None)], "rw", "ENXIO"),
    ([ALL, rule(True, "rwm", minor=78)], "r", "EPERM"),
    ([ALL, rule(True, "rwm", kind="b")], "r", "EPERM"),
    ([ALL, rule(True, "rwm"), rule(False, "w")], "r", "ENXIO"),
    ([ALL, rule(True, "rwm"), rule(False, "w")], "rw", "EPERM"),
    ([ALL, rule(False, "w"), rule(True, "rwm")], "rw", "ENXIO"),
    ([rule(True, "rwm"), ALL], "r", "EPERM"),
    ([{"allow": True, "access": "rwm"}], "rw", "ENXIO"),
    ([{"allow": True, "access": "rwm"}, rule(False, "r")], "r", "EPERM"),
    ([{"allow": True, "access": "rwm"}, rule(False, "r")], "w", "ENXIO"),
])
def test_the_last_rule_that_matches_decides(coracle, odd, rules, how, error):
    assert opened(coracle, odd(*rules), "/dev/odd", how) == error


def test_block_devices_have_rules_of_their_own(coracle, odd):
    b = odd(ALL, rule(True, "rw", kind="b"))
    assert opened(coracle, b, "/dev/odd-block") == "ENXIO"
    assert opened(coracle, b, "/dev/odd") == "EPERM"


def test_nodes_may_be_made_but_not_used(coracle, bundle):
    b = bundle("mknod", "/dev/made", "c", "250", "1", "--", "open", "/dev/made")
    for kind in ("bounding", "effective", "permitted"):
        b.process["capabilities"][kind] = ["CAP_MKNOD"]
    result = coracle.run(b, check=False)
    assert "open /dev/made: EPERM" in result.err and "mknod" not in result.err


def test_many_rules(coracle, odd):
    many = [rule(i % 2 == 0, "rwm", major=i % 200, minor=i) for i in range(300)]
    assert opened(coracle, odd(ALL, *many, rule(True, "rw")), "/dev/odd", "rw") == "ENXIO"
    assert opened(coracle, odd(ALL, *many), "/dev/odd", "rw") == "EPERM"


def programs(path):
    """How many device programs hang on the group itself (BPF_PROG_QUERY, the attribute whole and zeroed)."""
    class Attribute(ctypes.Structure):
        _fields_ = [("target_fd", ctypes.c_uint32), ("attach_type", ctypes.c_uint32), ("flags", ctypes.c_uint32 * 2),
                    ("ids", ctypes.c_uint64), ("count", ctypes.c_uint32), ("rest", ctypes.c_uint8 * 228)]
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        attribute = Attribute(target_fd=fd, attach_type=6)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(321, 16, ctypes.byref(attribute), ctypes.sizeof(attribute)) < 0:
            raise OSError(ctypes.get_errno(), "bpf")
        return attribute.count
    finally:
        os.close(fd)


@pytest.mark.needs("x86-64")
def test_one_program_hangs_on_the_group_however_often_it_is_updated(coracle, odd):
    b = odd(ALL)
    c = coracle.started(b.args("pause"))
    assert programs(coracle.group(c)) == 1
    for access in ("r", "rw", "rwm"):
        coracle("update", "--resources", "-", c, input=f'{{"devices": [{{"allow": true, "type": "c", "major": 250, '
                f'"minor": 77, "access": "{access}"}}]}}')
        assert programs(coracle.group(c)) == 1
    assert "ENXIO" in coracle("exec", c, "/init", "open", "/dev/odd", "rw", check=False).err


@pytest.mark.needs("x86-64")
def test_a_container_that_may_use_all_needs_no_program(coracle, odd):
    c = coracle.started(odd({"allow": True, "access": "rwm"}).args("pause"))
    assert programs(coracle.group(c)) == 0
    coracle("update", "--resources", "-", c, input='{"devices": [{"allow": false, "access": "rwm"}]}')
    assert programs(coracle.group(c)) == 1
    assert "EPERM" in coracle("exec", c, "/init", "open", "/dev/odd", check=False).err
