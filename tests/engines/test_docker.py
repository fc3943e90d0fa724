# SPDX-License-Identifier: GPL-2.0-or-later
"""test_docker.py - Docker 26 with coracle as an added runtime (docs/engines.md has the configuration)."""
import json

import pytest

from .conftest import containers_of_coracle

pytestmark = pytest.mark.needs("root", "engines")

DAEMON = {"runtimes": {"coracle": {"path": "/usr/local/sbin/coracle"}}, "default-runtime": "coracle",
          "exec-opts": ["native.cgroupdriver=cgroupfs"]}


@pytest.fixture(scope="module")
def docker(machine):
    machine.write("/etc/docker/daemon.json", json.dumps(DAEMON))
    machine.run("systemctl restart docker && docker import /root/box.tar box", timeout=180)

    def call(line, **how):
        return machine.run("docker " + line, timeout=120, **how)
    yield call
    machine.run("docker ps -aq | xargs -r docker rm -f; systemctl stop docker docker.socket", timeout=120)
    assert containers_of_coracle(machine) == ""


def test_the_daemon_takes_it_as_default_runtime(docker):
    assert docker("info --format '{{.DefaultRuntime}}'").out == "coracle\n"


def test_run_gives_output_and_exit_codes(docker):
    assert docker("run --rm box echo hello").out == "hello\n"
    assert docker("run --rm box sh -c 'exit 7'", check=False).rc == 7
    assert docker("run --rm box /not-there", check=False).rc == 127
    assert docker("run --rm box /etc", check=False).rc == 126


def test_a_container_through_its_life(docker):
    docker("run -d --name life --memory 64m --cpus 0.5 box sh -c 'trap \"exit 3\" TERM; echo started; while :; do sleep 0.1; done'")
    assert "sh -c" in docker("exec life ps").out
    assert docker("exec -u 1000 -e WORD=w life sh -c 'id -u; echo $WORD'").out == "1000\nw\n"
    assert "64MiB" in docker("stats --no-stream life").out
    docker("update --memory 80m --memory-swap 80m life")
    assert docker("exec life cat /sys/fs/cgroup/memory.max").out == f"{80 << 20}\n"
    docker("pause life")
    assert docker("inspect --format '{{.State.Status}}' life").out == "paused\n"
    docker("unpause life")
    docker("stop -t 20 life")
    assert docker("inspect --format '{{.State.ExitCode}}' life").out == "3\n"
    assert docker("logs life").out == "started\n"
    docker("rm life")


@pytest.mark.slow
def test_out_of_memory_is_seen(docker):
    docker("run --name oom --memory 16m --memory-swap 16m box sh -c 'head -c 64m /dev/zero | tail -c 60m >/dev/null; sleep 100'", check=False)
    assert docker("inspect --format '{{.State.OOMKilled}}' oom").out == "true\n"
    docker("rm -f oom")


@pytest.mark.slow
def test_the_default_profile_of_seccomp_is_there(docker):
    assert docker("run --rm box sh -c 'grep Seccomp: /proc/self/status'").out.split() == ["Seccomp:", "2"]
    assert docker("run --rm box unshare -m true", check=False).rc != 0
