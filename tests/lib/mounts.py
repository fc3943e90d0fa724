# SPDX-License-Identifier: GPL-2.0-or-later
"""mounts.py - mountinfo as tests read it.

    m = mounts.of(text)["/proc"]     the mount seen at /proc: the last that is listed there
    m.type, m.options, m.super, m.source, m.root, m.propagation     options and super are sets of words
"""
import dataclasses


@dataclasses.dataclass
class Mount:
    number: str
    parent: str
    device: str
    root: str
    at: str
    options: set
    propagation: set
    type: str
    source: str
    super: set


def parse(text):
    """All mounts, in order."""
    found = []
    for line in text.splitlines():
        front, _, back = line.partition(" - ")
        words, (kind, source, super_options) = front.split(), back.split(" ", 2)
        found.append(Mount(*words[:5], set(words[5].split(",")), set(words[6:]), kind, source,
                           set(super_options.split(","))))
    return found


def of(text):
    return {m.at: m for m in parse(text)}


def host():
    """The mounts of this process's own namespace, as lines."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return f.read()
