# SPDX-License-Identifier: GPL-2.0-or-later
"""test_podman.py - Podman 5 as root with coracle underneath (docs/engines.md has the configuration)."""
import json

import pytest

from .conftest import containers_of_coracle

pytestmark = pytest.mark.needs("root", "engines")


@pytest.fixture(scope="module")
def podman(machine):
    machine.run("podman import -q /root/box.tar box", timeout=120)

    def call(line, **how):
        return machine.run("podman --runtime /usr/local/sbin/coracle --cgroup-manager cgroupfs " + line, timeout=120, **how)
    yield call
    assert containers_of_coracle(machine) == ""


def test_run_gives_output_and_exit_codes(podman):
    assert podman("run --rm box echo hello").out == "hello\n"
    assert podman("run --rm box sh -c 'exit 7'", check=False).rc == 7
    assert podman("run --rm box /not-there", check=False).rc == 127
    assert podman("run --rm box /etc", check=False).rc == 126
    assert podman("run --rm --no-such-option box", check=False).rc == 125


def test_a_container_through_its_life(podman):
    podman("run -d --name life --memory 64m --pids-limit 50 box sh -c 'trap \"exit 3\" TERM; echo started; while :; do sleep 0.1; done'")
    assert "sh -c" in podman("exec life ps").out
    assert podman("exec --user user life id -u").out == "1000\n"
    assert "COMMAND" in podman("top life").out
    stats = json.loads(podman("stats --no-stream --format json life").out)[0]
    assert stats["name"] == "life" and "67.11MB" in stats["mem_usage"]
    podman("update --memory 128m life")
    assert podman("exec life cat /sys/fs/cgroup/memory.max").out == f"{128 << 20}\n"
    podman("pause life")
    assert podman("inspect --format '{{.State.Status}}' life").out == "paused\n"
    podman("unpause life")
    podman("stop -t 20 life")
    assert podman("inspect --format '{{.State.ExitCode}}' life").out == "3\n"
    assert podman("logs life").out == "started\n"
    podman("start life")
    podman("kill life")
    podman("rm -f life")


@pytest.mark.slow
def test_run_with_a_terminal(podman):
    told = podman("run --rm -t box sh -c 'tty; test -t 0 && echo is a terminal'").out.replace("\r", "")
    assert told.startswith("/dev/pts/") or told.startswith("/dev/console")
    assert "is a terminal" in told


@pytest.mark.slow
def test_read_only_volumes_and_init(podman, machine):
    machine.run("mkdir -p /root/vol && echo inside >/root/vol/file")
    out = podman("run --rm --read-only --init -v /root/vol:/vol:ro box sh -c "
                 "'cat /vol/file; touch /x 2>&1; touch /tmp/y && echo tmp; ps | head -3'").out
    assert "inside" in out and "Read-only file system" in out and "tmp\n" in out


@pytest.mark.slow
def test_user_namespaces(podman):
    out = podman("run --rm --userns=auto:size=4096 box sh -c 'cat /proc/self/uid_map; id -u; touch /tmp/x && echo wrote'").out
    assert out.split()[2] == "4096" and out.endswith("0\nwrote\n")


@pytest.mark.slow
def test_a_pod_shares_its_network(podman):
    podman("pod create --name pair")
    try:
        podman("run -d --pod pair --name one box sleep 1000")
        podman("run -d --pod pair --name two box sleep 1000")
        links = {kind: {podman(f"exec {name} readlink /proc/self/ns/{kind}").out for name in ("one", "two")}
                 for kind in ("net", "mnt")}
        assert len(links["net"]) == 1 and len(links["mnt"]) == 2
    finally:
        podman("pod rm -f -t 0 pair")
