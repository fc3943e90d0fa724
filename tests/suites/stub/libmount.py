# SPDX-License-Identifier: GPL-2.0-or-later
"""libmount.py - as much of libmount's Python binding, which Debian has no more, as crun's tests ask for."""


class Mount:
    def __init__(self, fields):
        self.target, self.vfs_options, self.fs_options = fields[4], fields[5], fields[-1]


class Table:
    """A file in mountinfo's format."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self._mounts = [Mount(line.split()) for line in f if line.strip()]

    def find_target(self, target):
        return next((m for m in reversed(self._mounts) if m.target == target), None)
