# SPDX-License-Identifier: GPL-2.0-or-later
"""test_podman_systemd.py - Podman with the systemd manager, as root and as a user; the user also with cgroupfs."""
import pytest

pytestmark = [pytest.mark.needs("root", "engines"), pytest.mark.slow]

ROOT = "podman --runtime /usr/local/sbin/coracle --cgroup-manager systemd "


@pytest.fixture(scope="module")
def user(machine):
    """Run a line as a user with a session of his own and subordinate ids."""
    machine.run("id boxer || useradd --create-home --shell /bin/bash boxer; loginctl enable-linger boxer; "
                "grep -q boxer /etc/subuid || echo boxer:300000:65536 | tee -a /etc/subuid >>/etc/subgid; "
                "until [ -S /run/user/$(id -u boxer)/bus ]; do sleep 0.2; done; "
                "mkdir -p /home/boxer/.local; mount -t tmpfs -o mode=755 tmpfs /home/boxer/.local; "
                "cp /root/box.tar /home/boxer; chown -R boxer: /home/boxer", timeout=120)
    uid = machine.run("id -u boxer").out.strip()

    def run(line, **how):
        return machine.run(["setpriv", "--reuid", "boxer", "--regid", "boxer", "--init-groups", "env", "-i",
                            "PATH=/usr/local/sbin:/usr/bin:/bin", "HOME=/home/boxer", f"XDG_RUNTIME_DIR=/run/user/{uid}",
                            f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{uid}/bus", "sh", "-c", line],
                           cwd="/home/boxer", timeout=180, **how)
    run("podman import -q box.tar box")
    return run


def life(run, podman):
    assert run(podman + "run --rm --network none box echo hello").out == "hello\n"
    assert run(podman + "run --rm --network none box sh -c 'exit 7'", check=False).rc == 7
    run(podman + "run -d --network none --name life --memory 64m --pids-limit 50 box sleep 1000")
    assert run(podman + "exec life cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max").out == f"{64 << 20}\n50\n"
    assert "sleep 1000" in run(podman + "top life").out
    run(podman + "pause life")
    run(podman + "unpause life")
    run(podman + "stop -t 1 life")
    run(podman + "rm life")


def test_root(machine):
    machine.run("podman image exists box || podman import -q /root/box.tar box", timeout=180)
    life(lambda line, **how: machine.run(line, timeout=180, **how), ROOT)
    assert machine.run("systemctl list-units --all --plain --no-legend 'libpod-*.scope' | grep -v conmon || :").out == ""


def test_a_user_with_systemd(user):
    life(user, "podman --runtime /usr/local/sbin/coracle --cgroup-manager systemd ")


def test_a_user_with_cgroupfs(user):
    podman = "podman --runtime /usr/local/sbin/coracle --cgroup-manager cgroupfs "
    assert user(podman + "run --rm --network none box echo hello").out == "hello\n"
    assert user(podman + "run --rm --network none box sh -c 'id -u; exit 7'", check=False).rc == 7
    user(podman + "run -d --network none --name life box sleep 1000")
    assert "sleep 1000" in user(podman + "exec life ps").out
    user(podman + "stop -t 1 life")
    user(podman + "rm life")
