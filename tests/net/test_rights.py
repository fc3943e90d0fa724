# SPDX-License-Identifier: GPL-2.0-or-later
"""test_rights.py - switches without root: a clear error; in a user namespace that has the right, they work."""
import json
import os
import subprocess

import pytest

from lib.coracle import NOBODY

pytestmark = pytest.mark.needs("node", "userns")

IN_USERNS = r"""
set -e
mount -t tmpfs none /run
dir=/run/switches
coracle() { "$CORACLE" --switch-dir $dir "$@"; }
coracle switch create web --subnet 10.5.0.0/24 --nat 2>/dev/null
unshare -n sleep 1000 & pid=$!
until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
echo '{"cniVersion":"1.1.0","name":"web","type":"coracle","switchDir":"'$dir'"}' |
    CNI_COMMAND=ADD CNI_CONTAINERID=c CNI_IFNAME=eth0 CNI_NETNS=/proc/$pid/ns/net "$CORACLE-node" >/run/result
nsenter -t $pid -n ip -br addr show eth0 >&2
nsenter -t $pid -n sh -c 'echo >/dev/tcp/10.5.0.1/1' 2>&1 | grep -q refused || true
cat /run/result
coracle switch rm --force web
ip -br link >&2
kill $pid
"""


def test_as_another_user_it_is_said_who_may(binary, coracle):
    for words in (["switch", "create", "x"], ["switch", "rm", "x"], ["switch", "up"]):
        done = subprocess.run([binary, "--root", coracle.root, *words], user=NOBODY, group=NOBODY, extra_groups=[],
                              capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 1
        assert "virtual switches need root, or root of a user namespace" in done.stderr


def test_in_a_user_namespace_with_a_network_namespace(binary):
    done = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "--mount", "bash", "-c", IN_USERNS],
                          env={"CORACLE": binary, "PATH": os.environ["PATH"]}, capture_output=True, text=True,
                          check=False, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["ips"][0]["gateway"] == "10.5.0.1"
    assert result["ips"][0]["address"] in done.stderr and "sw-web" not in done.stderr
