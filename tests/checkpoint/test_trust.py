# SPDX-License-Identifier: GPL-2.0-or-later
"""What was restored may do no more than the config of who restores it allows: stricter ones are refused, and
nothing is left.  needs: root criu"""
import copy

import pytest

pytestmark = pytest.mark.needs("root", "node")


def test_a_config_that_is_the_same_is_taken(snapshot):
    snapshot.take()
    assert snapshot.restore().rc == 0
    assert snapshot.status() == "running"


STRICTER = {
    "bounding": (lambda c: c["process"]["capabilities"].update(bounding=["CAP_KILL"], permitted=["CAP_KILL"],
                                                                 effective=["CAP_KILL"]), "in its bounding set"),
    "permitted": (lambda c: c["process"]["capabilities"].update(permitted=["CAP_KILL"], effective=["CAP_KILL"]),
                  "in its permitted set"),
    "uid": (lambda c: c["process"]["user"].update(uid=1000), "uid is 0, the config's process.user is 1000"),
    "gid": (lambda c: c["process"]["user"].update(gid=1000), "gid is 0, the config's process.user is 1000"),
    "seccomp": (lambda c: c["linux"].update(seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}), "no seccomp filter, and the config has one"),
}


@pytest.mark.parametrize("what", STRICTER)
def test_a_stricter_config_refuses_the_restore(snapshot, what):
    change, sentence = STRICTER[what]
    snapshot.take()
    change(snapshot.config)
    told = snapshot.restore(check=False)
    assert told.rc != 0
    assert sentence in told.err, told.err
    assert snapshot.gone()


def test_no_new_privs_is_demanded(snapshot):
    snapshot.config["process"]["noNewPrivileges"] = False
    snapshot.take()
    snapshot.config["process"]["noNewPrivileges"] = True
    told = snapshot.restore(check=False)
    assert "no_new_privs is not set, and the config sets it" in told.err
    assert snapshot.gone()


def test_another_filter_is_not_the_configs(snapshot):
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
    snapshot.config["linux"]["seccomp"] = copy.deepcopy(profile)
    snapshot.take()
    snapshot.config["linux"]["seccomp"]["syscalls"].append({"names": ["swapoff"], "action": "SCMP_ACT_ERRNO"})
    told = snapshot.restore(check=False)
    assert "seccomp filter" in told.err and "not the one that the config's linux.seccomp makes" in told.err
    assert snapshot.gone()
    snapshot.config["linux"]["seccomp"] = profile
    assert snapshot.restore().rc == 0


def test_what_a_set_user_id_program_gives_is_taken_only_on_request(snapshot):
    """Root's process, and a config that now says user 1000: one that su(1) could have made."""
    snapshot.config["process"]["noNewPrivileges"] = False
    snapshot.take()
    snapshot.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    told = snapshot.restore(check=False)
    assert "uid is 0, the config's process.user is 1000" in told.err
    assert snapshot.gone()
    assert snapshot.restore("--raised").rc == 0
