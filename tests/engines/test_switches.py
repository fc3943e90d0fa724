# SPDX-License-Identifier: GPL-2.0-or-later
"""test_switches.py - containerd's containers on a switch of coracle: by CNI, and by an annotation."""
import json

import pytest

from .test_containerd import IMAGE, RUN, ctr        # noqa: F401 # pylint: disable=unused-import

pytestmark = pytest.mark.needs("root", "engines")

CONFIG = {"cniVersion": "1.0.0", "name": "cninet",
          "plugins": [{"type": "coracle", "switch": "web", "capabilities": {"portMappings": True}}]}


@pytest.fixture(scope="module")
def web(machine):
    """A switch "web", and coracle as containerd finds a plugin."""
    machine.run("coracle switch create web --subnet 10.5.0.0/24 --nat && mkdir -p /etc/cni/net.d /opt/cni/bin && "
                "ln -sf /usr/local/libexec/coracle/coracle-node /opt/cni/bin/coracle && rm -f /etc/cni/net.d/*")
    machine.write("/etc/cni/net.d/10-web.conflist", json.dumps(CONFIG))
    yield
    machine.run("rm /etc/cni/net.d/10-web.conflist && coracle switch rm web")


def leases(machine):
    return json.loads(machine.run("coracle switch leases --format json").out)


def test_ctr_by_cni(machine, ctr, web):             # noqa: F811
    out = ctr(f"{RUN} --rm --cni {IMAGE} net1 sh -c 'for i in 1 2 3 4 5 6 7 8 9; do ip addr show eth0 && break; "
              "sleep 0.2; done; ip route; ping -c 1 -W 5 10.5.0.1'").out
    assert "inet 10.5.0." in out and "default via 10.5.0.1" in out and "1 packets received" in out
    assert leases(machine) == []
    assert machine.run("find /run/coracle-cni -mindepth 2").out == ""


def test_ctr_by_an_annotation(machine, ctr, web):   # noqa: F811
    """No network is asked for of the engine; the runtime has it there before the program begins."""
    out = ctr(f"{RUN} --rm --annotation org.coracle.switch=web:ip=10.5.0.77 {IMAGE} net2 "
              "sh -c 'ip addr show eth0; ping -c 1 -W 5 10.5.0.1; cat /etc/hosts'").out
    assert "inet 10.5.0.77/24" in out and "1 packets received" in out and "10.5.0.77 net2" in out
    assert leases(machine) == []
