# SPDX-License-Identifier: GPL-2.0-or-later
"""test_wire_steps.py - every step of wiring fails once, or its process is killed there, and nothing is left.

The steps are read from the lists in runtime/create.c (those of the network) and runtime/network_attach.c (the
helper's). What a killed runtime leaves is removed by `delete --force`; what a killed helper leaves, by the
runtime that it worked for.
"""
import json
import os
import re
import signal
import subprocess

import pytest

pytestmark = pytest.mark.needs("node", "faults")

RUNTIME = os.path.join(os.path.dirname(__file__), "../../runtime")


def steps(file):
    with open(os.path.join(RUNTIME, file), encoding="utf-8") as f:
        text = re.search(r"const struct step \w+\[\] = \{(.*?)\n\};", f.read(), re.S).group(1)
    return re.findall(r'\{ "([^"]+)", WHO_\w+,', text)


FACTS = [("set", "bridge", n) for n in ("held", "policed", "guarded", "macs", "bound4", "bound6")] + \
        [("set", "inet", n) for n in ("local4", "local6")] + [("map", "inet", n) for n in ("anywhere4", "anywhere6")]
CREATE = [s for s in steps("create.c") if "network" in s]
HELPER = steps("network_attach.c")


@pytest.fixture
def wired(coracle, tmp_path):
    """The driver with a switch "s"; wired.left() is what there is beyond it."""
    coracle.options = ["--switch-dir", str(tmp_path / "switches")]
    coracle("switch", "create", "s", "--subnet", "10.5.0.0/24", "--nat")
    subprocess.run(["ip", "link", "add", "nd0", "type", "veth", "peer", "name", "nd1"], check=True)

    def look():
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        names = {line.split(":")[1].split("@")[0].strip() for line in links.splitlines()}
        leases = json.loads(coracle("switch", "leases", "--format", "json").out)
        # one by one: Debian 12's nft falls over "list ruleset"
        rules = [subprocess.run(["nft", "list", kind, family, "coracle", name], capture_output=True, text=True,
                                check=True).stdout for kind, family, name in FACTS]
        hosts = open(tmp_path / "switches/.hosts/s").read().replace(" ", "").replace("\n", "") \
            if (tmp_path / "switches/.hosts/s").exists() else ""
        return names, leases, rules, "10.5.0" in hosts
    before = look()
    coracle.left = lambda: [(a, b) for a, b in zip(before, look()) if a != b]
    yield coracle
    for id in coracle.ids:
        coracle("delete", "--force", id, check=False)
    coracle("switch", "rm", "--force", "s")
    subprocess.run(["ip", "link", "del", "nd1"], check=False, stderr=subprocess.DEVNULL)


def bundle_for(bundle, step):
    b = bundle("sleep", "100")
    b.config["annotations"] = {"org.coracle.switch": "s:rate=10mbit", "org.coracle.publish": "8080:80"}
    if step == "move devices":
        b.linux["netDevices"] = {"nd0": {"name": "in0"}}
    if "hooks" in step:
        b.config["hooks"] = {"createRuntime": [{"path": "/bin/true"}]}
    return b


def nothing_is_left(coracle):
    coracle.wait_until(lambda: not coracle.left(), f"nothing is left: {coracle.left()}")
    assert [n for n in os.listdir(coracle.root) if not n.startswith(".")] == []


def is_active(step):
    return step != "wait for network"       # covered by "(hooks)": the same function


@pytest.mark.parametrize("step", [*CREATE, *HELPER])
def test_fails_at(wired, bundle, step):
    made = wired.try_create(bundle_for(bundle, step), env={"CORACLE_FAIL_AT": step})
    assert made.rc == 1 and "injected failure" in made.err and step in made.err
    nothing_is_left(wired)


@pytest.mark.parametrize("when", ["CORACLE_KILL_AT", "CORACLE_KILL_AFTER"])
# A link that is in the namespace when the helper is killed goes with it, or back to the host, as the kernel does it.
@pytest.mark.parametrize("step", [s for s in [*CREATE, *HELPER] if s != "move devices"])
def test_killed_at(wired, bundle, step, when):
    made = wired.try_create(bundle_for(bundle, step), env={when: step})
    if step in CREATE:
        assert made.rc == 128 + signal.SIGKILL
    elif (step, when) == ("confirm", "CORACLE_KILL_AFTER"):
        assert made.rc == 0         # all was done
    else:
        assert made.rc == 1 and "network helper ended unexpectedly" in made.err
    assert wired("delete", "--force", wired.ids[-1]).rc == 0
    nothing_is_left(wired)
    again = wired.create(bundle_for(bundle, step), id=wired.ids[-1])     # the second time as the first
    wired("delete", "--force", again)
    nothing_is_left(wired)
