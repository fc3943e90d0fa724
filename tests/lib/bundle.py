# SPDX-License-Identifier: GPL-2.0-or-later
"""bundle.py - bundles for tests: a root with one static program (tests/init.c) and a config.json.

    b = Bundle(tmp_path / "b", payload, "echo", "hello")     runs /init echo hello
    b.config["hostname"] = "box"                             the config is a plain dict
    b.mount("/data", "bind", "/srv", ["rbind", "ro"])
    b.save()                                                 the driver (lib/coracle.py) does this by itself
"""
import copy
import hashlib
import json
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))

CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]

# What an engine would write for a container without wishes: the default of the OCI tools.
DEFAULT = {
    "ociVersion": "1.0.2",
    "process": {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": ["/init", "true"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        "cwd": "/",
        "capabilities": {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")},
        "noNewPrivileges": True,
    },
    "root": {"path": "rootfs", "readonly": False},
    "hostname": "coracle",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
         "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs",
         "options": ["nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
    ],
    "linux": {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
        "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
                        "/proc/scsi"],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
}


def build_payload(directory):
    """The static program of tests/init.c, compiled into `directory` unless it is there already."""
    source = os.path.join(os.path.dirname(HERE), "init.c")
    with open(source, "rb") as f:
        key = hashlib.sha256(f.read()).hexdigest()[:12]
    path = os.path.join(directory, f"init-{key}")
    if not os.path.exists(path):
        os.makedirs(directory, exist_ok=True)
        unfinished = f"{path}.{os.getpid()}"
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-s", "-o", unfinished, source], check=True)
        os.rename(unfinished, path)
    return path


class Bundle:
    """A bundle's directory.  Change .config and .rootfs as you like, then use or save() it."""

    def __init__(self, path, payload, *args):
        self.path = str(path)
        self.rootfs = os.path.join(self.path, "rootfs")
        self.config = copy.deepcopy(DEFAULT)
        # a root has these; without them a read-only root could not be mounted on
        for name in ("proc", "dev", "sys", "tmp", "etc"):
            os.makedirs(os.path.join(self.rootfs, name))
        shutil.copy(payload, os.path.join(self.rootfs, "init"))
        if args:
            self.args(*args)

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    @property
    def resources(self):
        return self.config["linux"]["resources"]

    def args(self, *args):
        """What the container runs: words for /init (see tests/init.c)."""
        self.process["args"] = ["/init", *map(str, args)]
        return self

    def mount(self, destination, kind, source, options=()):
        self.config["mounts"].append({"destination": destination, "type": kind, "source": str(source),
                                      "options": list(options)})
        return self

    def namespace(self, kind, path=None):
        """Add the namespace, or set the path at which it is joined."""
        self.drop_namespace(kind)
        entry = {"type": kind, "path": str(path)} if path else {"type": kind}
        self.linux["namespaces"].append(entry)
        return self

    def drop_namespace(self, kind):
        self.linux["namespaces"] = [n for n in self.linux["namespaces"] if n["type"] != kind]
        return self

    def file(self, path, text="", mode=0o644):
        """Put a file into the root; returns its path outside."""
        outside = os.path.join(self.rootfs, path.lstrip("/"))
        os.makedirs(os.path.dirname(outside), exist_ok=True)
        with open(outside, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(outside, mode)
        return outside

    def read(self, path):
        """A file of the root, read from outside."""
        with open(os.path.join(self.rootfs, path.lstrip("/")), encoding="utf-8") as f:
            return f.read()

    def save(self):
        with open(os.path.join(self.path, "config.json"), "w", encoding="utf-8") as f:
            json.dump(self.config, f, indent=1)
        return self
