# SPDX-License-Identifier: GPL-2.0-or-later
"""test_containerd.py - containerd 1.7 by ctr with coracle as the binary of its runc shim (docs/engines.md)."""
import json

import pytest

from .conftest import containers_of_coracle

pytestmark = pytest.mark.needs("root", "engines")

IMAGE = "localhost/box:latest"


@pytest.fixture(scope="module")
def ctr(machine):
    machine.run(f"systemctl start containerd && {{ podman image exists box || podman import -q /root/box.tar box; }} && "
                f"podman save -q --format oci-archive -o /root/box.oci {IMAGE} && ctr image import /root/box.oci", timeout=180)

    def call(line, **how):
        return machine.run("ctr " + line, timeout=120, **how)
    yield call
    assert containers_of_coracle(machine) == ""


RUN = "run --runc-binary /usr/local/sbin/coracle"


def test_run_gives_output_and_exit_codes(ctr):
    assert ctr(f"{RUN} --rm {IMAGE} c1 echo hello").out == "hello\n"
    assert ctr(f"{RUN} --rm {IMAGE} c2 sh -c 'exit 7'", check=False).rc == 7
    assert "no such file or directory" in ctr(f"{RUN} --rm {IMAGE} c3 /not-there", check=False).err


def test_tasks_through_their_life(ctr):
    ctr(f"{RUN} -d --memory-limit 67108864 {IMAGE} life sh -c 'while :; do sleep 0.1; done'")
    assert "sh -c" in ctr("task exec --exec-id e1 life ps").out
    assert len(ctr("task ps life").out.splitlines()) >= 2
    metrics = json.loads(ctr("task metrics --format json life").out)
    assert int(metrics["memory"]["usage_limit"]) == 64 << 20
    ctr("task pause life")
    assert "PAUSED" in ctr("task ls").out
    ctr("task resume life")
    ctr("task kill --signal KILL life")
    ctr("task delete life", check=False)
    ctr("container delete life")
