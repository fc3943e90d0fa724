# SPDX-License-Identifier: GPL-2.0-or-later
"""Podman's container checkpoint and restore, and containerd's, with coracle underneath."""
import pytest

pytestmark = pytest.mark.needs("root", "engines")

COUNT = "sh -c 'i=0; while :; do i=$((i+1)); echo $i >/n; sleep 0.05; done'"
PODMAN = "podman --runtime /usr/local/sbin/coracle --cgroup-manager cgroupfs "


@pytest.fixture
def counting(machine):
    """A container that counts; its count must never begin anew."""
    machine.run("podman image exists box || podman import -q /root/box.tar box", timeout=120)
    machine.run(PODMAN + f"run -d --name counting box {COUNT}", timeout=120)

    def call(line, **how):
        return machine.run(PODMAN + line, timeout=120, **how)
    call("exec counting sh -c 'until [ -s /n ] && [ $(cat /n) -gt 5 ]; do sleep 0.05; done'")
    yield call
    call("rm -f -t 0 counting imported", check=False)


def count(podman, name="counting"):
    return int(podman(f"exec {name} sh -c 'until [ -s /n ]; do :; done; cat /n'").out)


def test_podman_checkpoints_and_restores_in_place(counting):
    before = count(counting)
    counting("container checkpoint counting")
    assert counting("inspect --format '{{.State.Checkpointed}} {{.State.Running}}' counting").out == "true false\n"
    counting("container restore counting")
    assert count(counting) >= before


@pytest.mark.slow
def test_podman_with_a_checkpoint_before(counting):
    before = count(counting)
    counting("container checkpoint --pre-checkpoint counting")
    counting("container checkpoint --with-previous --print-stats --file-locks --tcp-established counting")
    counting("container restore --print-stats --file-locks --tcp-established counting")
    assert count(counting) >= before


@pytest.mark.slow
def test_podman_exports_and_imports_under_another_name(counting):
    before = count(counting)
    counting("container checkpoint --leave-running --export /root/one.tar.zst --compress zstd counting")
    assert count(counting) >= before
    counting("rm -f -t 0 counting")
    counting("container restore --import /root/one.tar.zst --name imported")
    assert count(counting, "imported") >= before
