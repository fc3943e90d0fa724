# SPDX-License-Identifier: GPL-2.0-or-later
"""snapshots.py - a container that is dumped and restored, for tests of what stands around CRIU"""
import subprocess

from bed.node import CommandError, Result


class Snapshot:
    """A container that pauses for ever; its bundle, its images."""

    def __init__(self, coracle, bundle, tmp_path, *words):
        self.coracle = coracle
        self.bundle = bundle(*(words or ("pause",)))
        self.config = self.bundle.config
        self.images = str(tmp_path / "images")
        self.id = coracle.new_id()

    def call(self, *words, check=True):
        """With nothing but /dev/null for its output: a file outside of the container cannot be restored."""
        done = subprocess.run(self.coracle.argv(*words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=self.coracle.environment(), timeout=30, check=False)
        if check and done.returncode:
            raise CommandError(" ".join(map(str, words)), Result(done.returncode, b"", b""))

    def start(self):
        self.bundle.save()
        self.call("run", "--detach", "--bundle", self.bundle.path, self.id)

    def exec(self, *words):
        """A process beside the first: options of exec, then two words."""
        self.call("exec", "--detach", *words[:-2], self.id, *words[-2:])

    def checkpoint(self, *options, check=True):
        return self.coracle("checkpoint", "--image-path", self.images, *options, self.id, check=check)

    def take(self, *options):
        self.start()
        return self.checkpoint(*options)

    def restore(self, *options, check=True):
        self.bundle.save()
        return self.coracle("restore", "--detach", "--image-path", self.images, "--bundle", self.bundle.path, *options,
                            self.id, check=check)

    def status(self):
        return self.coracle.state(self.id)["status"]

    def gone(self):
        """True if no container of the id is known any more."""
        return self.coracle("state", self.id, check=False).rc != 0
