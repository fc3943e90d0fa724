# SPDX-License-Identifier: GPL-2.0-or-later
"""contestants.py - who is measured, with which config.json, by which commands.

A case is a list of steps: a step is the words of a command, or REAP: "wait until no process is left".  All paths
are the node's; /bench is the work directory.
"""
import json
import os
import signal
import time

ROOTFS = "/bench/rootfs"
GROUPS = "/sys/fs/cgroup/contest"
REAP = ["reap"]
PROFILES = ["plain", "seccomp"]

CAPS = """CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
AUDIT_WRITE""".split()
MASKED = """/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug
/proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware""".split()
READONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()


def config(cgroup, args, seccomp):
    """The benchmark's config.json: what engines and `spec` commands give by default.  bare.c does just this."""
    caps = ["CAP_" + c for c in CAPS]
    safe = ["nosuid", "noexec", "nodev"]

    def mount(destination, fstype, source, options):
        return {"destination": destination, "type": fstype, "source": source, "options": options}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/",
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": ROOTFS},
        "hostname": "bench",
        "mounts": [
            mount("/proc", "proc", "proc", safe),
            mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", "devpts",
                  ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("/dev/shm", "tmpfs", "shm", safe + ["mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", "mqueue", safe),
            mount("/sys", "sysfs", "sysfs", safe + ["ro"]),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", safe + ["relatime", "ro"]),
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": MASKED,
            "readonlyPaths": READONLY,
            **({"seccomp": seccomp} if seccomp else {}),
        },
    }


def filter_lines(seccomp):
    """A linux.seccomp as filter.c reads it"""
    yield f"default {seccomp['defaultErrnoRet']}"
    for arch in seccomp["architectures"]:
        yield "arch " + arch.removeprefix("SCMP_ARCH_").lower()
    for rule in seccomp["syscalls"]:
        action = 0 if rule["action"] == "SCMP_ACT_ALLOW" else rule["errnoRet"]
        arg = ""
        if "args" in rule:
            a, = rule["args"]
            arg = f" {a['index']} {a['op'].removeprefix('SCMP_CMP_')} {a['value']} {a.get('valueTwo', 0)}"
        for name in rule["names"]:
            yield f"rule {name} {action}{arg}"


class Runtime:
    """An OCI runtime with runc's command line."""

    cases = ["run", "cycle", "exec"]
    profiles = PROFILES

    def __init__(self, name):
        self.name, self.path = name, "/bench/bin/" + name

    def bundle(self, kind):
        return f"/bench/bundles/{self.name}-{kind}"

    def write_bundles(self, work, seccomp):
        for profile in PROFILES:
            for kind, args in ((profile, ["/bin/true"]), ("held-" + profile, ["/bin/true", "wait"])):
                directory = f"{work}/bundles/{self.name}-{kind}"
                os.makedirs(directory)
                with open(directory + "/config.json", "w", encoding="ascii") as f:
                    json.dump(config(f"/contest/{self.name}-{kind}", args, seccomp if profile == "seccomp" else None),
                              f)

    def run(self, profile):
        return [[self.path, "run", "--bundle", self.bundle(profile), "bench"]]

    def cycle(self, profile):
        return [[self.path, "create", "--bundle", self.bundle(profile), "bench"], [self.path, "start", "bench"], REAP,
                [self.path, "delete", "bench"]]

    def exec(self, profile):
        return [[self.path, "exec", "held-" + profile, "/bin/true"]]

    def hold(self, node, profile):
        """Start the container that `exec` enters."""
        node.run([self.path, "create", "--bundle", self.bundle("held-" + profile), "held-" + profile])
        node.run([self.path, "start", "held-" + profile])

    def release(self, node, profile):
        node.run([self.path, "delete", "--force", "held-" + profile])


class Bare(Runtime):
    """bare.c; its `cycle` is its `run`: the same container without a runtime's three commands"""

    def __init__(self):
        super().__init__("bare")
        self.held = {}

    def words(self, profile, *words):
        return [self.path, *(["-s", "/bench/filter"] if profile == "seccomp" else []), *words]

    def run(self, profile):
        return [self.words(profile, "run", ROOTFS, f"{GROUPS}/bare", "/bin/true")]

    cycle = run

    def hold(self, node, profile):
        group = f"bare-held-{profile}"
        node.spawn(self.words(profile, "run", ROOTFS, f"{GROUPS}/{group}", "/bin/true", "wait"))
        self.held[profile] = first_process(node, group)

    def exec(self, profile):
        return [self.words(profile, "exec", self.held[profile][1], f"{GROUPS}/bare-held-{profile}", "/bin/true")]

    def release(self, node, profile):
        os.kill(int(self.held[profile][0]), signal.SIGKILL)


class Nsenter(Runtime):
    """util-linux's nsenter into the container that bare holds: no cgroup, no confinement, no seccomp"""

    cases = ["exec"]
    profiles = ["plain"]

    def __init__(self, bare):
        super().__init__("nsenter")
        self.bare = bare

    def exec(self, profile):
        return [[self.path, "-t", self.bare.held[profile][1], "-m", "-u", "-i", "-n", "-p", "-C", "/bin/true"]]

    def hold(self, node, profile):
        pass

    def release(self, node, profile):
        pass


def first_process(node, group, deadline_s=10):
    """The payload that comes up in a group: its pid here, its pid in the node (as text)"""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        try:
            with open(f"{node.root}{GROUPS}/{group}/cgroup.procs", encoding="ascii") as f:
                pid = f.read().split()[0]
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            if status["Name"] == "true":
                # one pid for each namespace, ours first; the node's is the one before the container's own
                return pid, status["NSpid"].split()[-2]
        except (FileNotFoundError, IndexError, ProcessLookupError):
            pass
        time.sleep(0.01)
    raise RuntimeError(f"nothing came up in the group {group}")
