# SPDX-License-Identifier: GPL-2.0-or-later
"""test_systemd.py - --systemd-cgroup, as root and as a user, with systemd as pid 1 of the machine."""
import json
import os

import pytest

pytestmark = pytest.mark.needs("root", "engines")

CONFIG = r"""
cd /root && rm -rf bundle && mkdir bundle && cd bundle && coracle spec && jq '
  .process.terminal=false | .process.args=["sleep","1000"] | .root={path:"/root/box",readonly:false} |
  .process.env=["PATH=/bin"] | .linux.cgroupsPath="machine.slice:test:one" | .annotations=ANNOTATIONS |
  .linux.resources += RESOURCES' config.json >c && mv c config.json
"""

RESOURCES = {
    "memory": {"limit": 64 << 20, "reservation": 32 << 20, "swap": 80 << 20},
    "cpu": {"shares": 2048, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"},
    "pids": {"limit": 40}, "blockIO": {"weight": 500}, "unified": {"memory.high": "60000000"},
}
SHOWN = {
    "MemoryMax": str(64 << 20), "MemoryLow": str(32 << 20), "MemorySwapMax": str(16 << 20), "MemoryHigh": "60000000",
    "CPUWeight": "174", "CPUQuotaPerSecUSec": "500ms", "CPUQuotaPeriodUSec": "100ms", "AllowedCPUs": "0",
    "AllowedMemoryNodes": "0", "TasksMax": "40", "Slice": "machine.slice", "Delegate": "yes",
    "MemoryAccounting": "yes", "CPUAccounting": "yes", "TasksAccounting": "yes", "IOAccounting": "yes",
    "ActiveState": "active", "CollectMode": "inactive-or-failed",
}


def show(machine, unit, *names, manager="systemctl"):
    out = machine.run(f"{manager} show {unit} " + " ".join("-p " + n for n in names)).out
    return dict(line.partition("=")[::2] for line in out.splitlines())


def configure(machine, resources, annotations=None):
    machine.run(CONFIG.replace("ANNOTATIONS", json.dumps(annotations or {})).replace("RESOURCES", json.dumps(resources)))


def scopes(machine):
    return machine.run("systemctl list-units --all --plain --no-legend '*test-one.scope' '*coracle-*.scope'").out


def test_a_scope_through_its_life(machine):
    configure(machine, RESOURCES, {"org.systemd.property.TimeoutStopUSec": "uint64 7000000"})
    machine.run("cd /root/bundle && coracle --systemd-cgroup run --detach one </dev/null >/dev/null 2>&1")
    try:
        shown = show(machine, "test-one.scope", *SHOWN, "TimeoutStopUSec", "ControlGroup")
        assert shown.pop("ControlGroup") == "/machine.slice/test-one.scope" and shown.pop("TimeoutStopUSec") == "7s"
        assert shown.pop("CPUWeight") in ("170", "174", "173")
        assert shown == {k: v for k, v in SHOWN.items() if k != "CPUWeight"}
        group = "/sys/fs/cgroup/machine.slice/test-one.scope"
        pid = json.loads(machine.run("coracle state one").out)["pid"]
        assert machine.read(f"/proc/{pid}/cgroup").endswith("/machine.slice/test-one.scope\n")
        assert machine.read(group + "/memory.max") == f"{64 << 20}\n" and machine.read(group + "/pids.max") == "40\n"
        # the container sees its own group as the root, and what a command starts in it is in the scope
        assert machine.run("coracle exec one cat /proc/self/cgroup").out == "0::/\n"
        # a limit that is changed is changed for systemd too, which else would bring the old one back
        machine.run("coracle update --memory 70M --pids-limit 41 one")
        assert show(machine, "test-one.scope", "MemoryMax", "TasksMax") == {"MemoryMax": str(70 << 20), "TasksMax": "41"}
        machine.run("systemctl daemon-reload")
        assert machine.read(group + "/memory.max") == f"{70 << 20}\n" and machine.read(group + "/pids.max") == "41\n"
        # devices are ours to allow, by a program that systemd leaves alone
        assert machine.run("coracle exec one dd if=/dev/zero of=/dev/null count=1", check=False).rc == 0
        machine.run("coracle pause one && coracle resume one")
    finally:
        machine.run("coracle delete --force one")
    assert scopes(machine) == "" and not machine.run(f"ls -d {group}", check=False).rc == 0


def test_in_the_foreground_nothing_stays(machine):
    out = machine.run("coracle --systemd-cgroup run --rootfs /root/box fore sh -c 'cat /proc/self/cgroup; exit 5'",
                      check=False)
    assert (out.rc, out.out) == (5, "0::/\n")
    assert scopes(machine) == ""


def test_few_tasks(machine):
    configure(machine, {"pids": {"limit": 2}})
    machine.run("cd /root/bundle && coracle --systemd-cgroup run --detach one </dev/null >/dev/null 2>&1")
    assert show(machine, "test-one.scope", "TasksMax") == {"TasksMax": "2"}
    machine.run("coracle delete --force one")


def test_a_failed_leftover_is_in_nobodys_way(machine):
    machine.run("systemd-run --scope --unit test-one -p RuntimeMaxSec=1 sleep 30", check=False)
    configure(machine, {})
    machine.run("cd /root/bundle && coracle --systemd-cgroup run --detach one </dev/null >/dev/null 2>&1")
    machine.run("coracle delete --force one")
    assert scopes(machine) == ""


def test_a_scope_that_runs_is_an_error_and_stays(machine):
    machine.run("systemd-run --scope --unit test-one sleep 1000 </dev/null >/dev/null 2>&1 & "
                "until systemctl is-active -q test-one.scope; do :; done")
    try:
        configure(machine, {})
        result = machine.run("cd /root/bundle && coracle --systemd-cgroup run --detach one", check=False)
        assert result.rc == 1 and "systemd scope test-one.scope: StartTransientUnit: " in result.err
        assert machine.run("systemctl is-active test-one.scope").out == "active\n"
        assert machine.run("coracle list --quiet").out == ""
    finally:
        machine.run("systemctl stop test-one.scope")


def test_annotations_are_not_a_way_in(machine):
    configure(machine, {}, {"org.systemd.property.SuccessAction": "'reboot'"})
    result = machine.run("cd /root/bundle && coracle --systemd-cgroup run --detach one", check=False)
    assert result.rc == 1 and "only harmless properties can be set by annotation" in result.err
    assert scopes(machine) == ""


def test_killed_runtimes_leave_what_delete_finds(machine):
    configure(machine, {})
    machine.run("cd /root/bundle && coracle --systemd-cgroup create one </dev/null >/dev/null 2>&1")
    machine.run("kill -9 $(coracle state one | jq .pid) && coracle delete --force one")
    assert scopes(machine) == ""


@pytest.fixture(scope="module")
def user(machine):
    """Run a line as a user with a systemd of his own."""
    machine.run("id boxer || useradd --create-home --shell /bin/bash boxer; loginctl enable-linger boxer; "
                "until [ -S /run/user/$(id -u boxer)/bus ]; do sleep 0.2; done; "
                "cp -r /root/box /home/boxer/box; chown -R boxer: /home/boxer", timeout=120)

    def run(line, **how):
        uid = machine.run("id -u boxer").out.strip()
        return machine.run(["setpriv", "--reuid", "boxer", "--regid", "boxer", "--init-groups", "env", "-i",
                            "PATH=/usr/local/sbin:/usr/bin:/bin", "HOME=/home/boxer", f"XDG_RUNTIME_DIR=/run/user/{uid}",
                            "sh", "-c", line], cwd="/home/boxer", **how)
    return run


def test_a_user_has_scopes_of_his_own(machine, user):
    user("coracle --systemd-cgroup run --detach --memory 64M --pids 30 --rootfs box mine sleep 1000 </dev/null >/dev/null 2>&1")
    try:
        shown = user("systemctl --user show coracle-mine.scope -p MemoryMax -p TasksMax -p ControlGroup").out
        assert f"MemoryMax={64 << 20}\n" in shown and "TasksMax=30\n" in shown
        group = shown.split("ControlGroup=")[1].split("\n")[0]
        assert group.startswith("/user.slice/") and group.endswith("/coracle-mine.scope")
        assert machine.read(f"/sys/fs/cgroup{group}/memory.max") == f"{64 << 20}\n"
        # from a group that is not his, his systemd moves it in
        assert user("coracle exec mine cat /proc/self/cgroup").out == "0::/\n"
        user("coracle update --memory 70M mine")
        assert "MemoryMax=73400320" in user("systemctl --user show coracle-mine.scope -p MemoryMax").out
    finally:
        user("coracle delete --force mine")
    assert user("systemctl --user list-units --all --plain --no-legend 'coracle-*.scope'").out == ""


def test_apparmor_in_the_machine(machine):
    """The profile is in force for the container, for exec, and nobody else (tests/feature/test_labels.py)."""
    if not os.path.exists("/usr/sbin/apparmor_parser"):
        pytest.skip("needs apparmor_parser (package apparmor)")
    machine.run("mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security")
    assert "apparmor" in machine.read("/sys/kernel/security/lsm")
    machine.put("/usr/sbin/apparmor_parser", "/usr/local/sbin/apparmor_parser")
    machine.run("printf 'profile coracle-test flags=(attach_disconnected,mediate_deleted) { network, capability, file, "
                "umount, mount, signal, ptrace, unix, pivot_root, deny /tmp/forbidden w, }' | apparmor_parser -r -K")
    configure(machine, {})
    machine.run("cd /root/bundle && jq '.process.apparmorProfile=\"coracle-test\"|.process.args=[\"sh\",\"-c\","
                "\"cat /proc/self/attr/current; echo x >/tmp/allowed; echo x >/tmp/forbidden; cat /tmp/allowed\"]' "
                "config.json >c && mv c config.json")
    out = machine.run("cd /root/bundle && coracle run one", check=False)
    assert "coracle-test (enforce)\n" in out.out and "/tmp/forbidden: Permission denied" in out.err + out.out
    assert out.out.endswith("x\n")
