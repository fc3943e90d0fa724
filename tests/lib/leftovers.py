# SPDX-License-Identifier: GPL-2.0-or-later
"""leftovers.py - what is on the machine that a container runtime may leave behind.

look() is taken before and after; the difference must be nothing.  It is only meaningful where nobody else
makes cgroups, mounts, processes and links meanwhile: in a node of the bed, where the tests run.
"""
import contextlib
import os
import signal
import time

CGROUP = "/sys/fs/cgroup"


def groups():
    return {d for d, _, _ in os.walk(CGROUP)}


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return {f"{w[0]} {w[4]}" for w in (line.split() for line in f)}


def processes():
    """'pid comm' of everything but kernel threads and what ended while we looked; zombies count."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                text = f.read()
            comm, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
            if rest[1] not in ("0", "2") or pid == "1":      # ppid: kernel threads have 0 or 2
                found.add(f"{pid} {comm}")
    return found


def links():
    with open("/proc/net/dev", encoding="utf-8") as f:
        return {line.split(":")[0].strip() for line in list(f)[2:]}


def files(*directories):
    """All that is below, but what is hidden at the top: no container's, but kept for all of them (a cache)."""
    return {os.path.join(d, n) for top in directories for d, ds, fs in os.walk(top) for n in ds + fs
            if not os.path.relpath(os.path.join(d, n), top).startswith(".")}


def look(*directories):
    """All of it; directories: those in which the runtime keeps its records."""
    return {"cgroup": groups(), "mount": mounts(), "process": processes(), "link": links(),
            "file": files(*directories)}


def compare(before, after):
    """Sentences on what is there that was not, and on what is missing (processes may end)."""
    told = []
    for kind, had in before.items():
        told += [f"{kind} left: {x}" for x in sorted(after[kind] - had)]
        if kind in ("cgroup", "mount", "link"):
            told += [f"{kind} gone: {x}" for x in sorted(had - after[kind])]
    return told


def settle(before, *directories, seconds=5):
    """The differences that stay: what is on its way out gets a moment to be gone (zombies await pid 1)."""
    end = time.monotonic() + seconds
    while (told := compare(before, look(*directories))) and time.monotonic() < end:
        time.sleep(0.02)
    return told


def remove(before):
    """Do away with what a failed test left, that the next may start clean.  Best effort."""
    for entry in processes() - before["process"]:
        with contextlib.suppress(OSError):
            os.kill(int(entry.split()[0]), signal.SIGKILL)
    for group in sorted(groups() - before["cgroup"], key=len, reverse=True):
        with contextlib.suppress(OSError):
            with open(group + "/cgroup.kill", "w", encoding="ascii") as f:
                f.write("1")
        for _ in range(50):
            with contextlib.suppress(OSError):
                os.rmdir(group)
            if not os.path.exists(group):
                break
            time.sleep(0.02)
    for entry in sorted(mounts() - before["mount"], reverse=True):
        os.system(f"umount -l '{entry.split()[1]}' 2>/dev/null")
