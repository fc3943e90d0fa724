# SPDX-License-Identifier: GPL-2.0-or-later
"""coracle.py - drives the binary as its user would: command lines, exit statuses, output.

    coracle("list").out                       must succeed; Result(rc, out, err)
    coracle("start", "nobody", check=False)   may fail
    coracle.run(bundle).out                   in the foreground, to its end
    c = coracle.create(bundle); coracle("start", c); coracle.wait_status(c, "stopped"); coracle.output(c)
    p = coracle.popen("exec", c, "/init", "cat", stdin=PIPE)

A state directory of its own per driver; .close() removes all containers by `delete --force`.
"""
import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import tempfile
import time

from bed.node import CommandError, Result, Timeout

# A sanitizer's word anywhere is a failure, whatever the exit status.
REPORT = re.compile(r"ERROR: (Address|Leak|Memory|Thread)Sanitizer|runtime error: |UndefinedBehaviorSanitizer")

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
NOBODY = 65534      # a user without rights
PASSED_ON = ("CORACLE_CRIU", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH", "GCOV_PREFIX")


class SanitizerReport(Exception):
    """The binary was built with sanitizers, and one spoke."""


class Coracle:
    def __init__(self, binary, directory):
        self.binary = binary
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.root = os.path.join(self.directory, "state")
        self.options = []       # global options, before the command
        self._numbers = itertools.count(1)
        self.ids = []

    def environment(self, extra=None):
        return {**ENV, **{k: os.environ[k] for k in PASSED_ON if k in os.environ}, **(extra or {})}

    def argv(self, *args):
        return [self.binary, "--root", self.root, *self.options, *map(str, args)]

    def new_id(self):
        """An id no other container of this driver has."""
        name = f"t{os.getpid()}-{next(self._numbers)}"
        self.ids.append(name)
        return name

    # --- commands ---

    def __call__(self, *args, input=None, check=True, timeout=30, env=None, cwd=None, pass_fds=(), log=None):
        """Run one command line to its end.  stdin is `input`, or empty.

        Output goes through files: a container that stays may hold them for as long as it likes.  log: a path to
        keep them at, as LOG.out and LOG.err.
        """
        what = "coracle " + " ".join(map(str, args))
        with contextlib.ExitStack() as stack:
            def file(suffix):
                return stack.enter_context(open(log + suffix, "w+b") if log else tempfile.TemporaryFile())
            out, err, stdin = file(".out"), file(".err"), subprocess.DEVNULL
            if input is not None:
                stdin = stack.enter_context(tempfile.TemporaryFile())
                stdin.write(input.encode() if isinstance(input, str) else input)
                stdin.seek(0)
            process = subprocess.Popen(self.argv(*args), stdin=stdin, stdout=out, stderr=err, cwd=cwd,
                                       env=self.environment(env), pass_fds=pass_fds, start_new_session=True)
            try:
                rc = process.wait(timeout)
                late = False
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                rc = process.wait()
                late = True
            out.seek(0)
            err.seek(0)
            result = Result(rc if rc >= 0 else 128 - rc, out.read(), err.read())
        if REPORT.search(result.err):
            raise SanitizerReport(f"{what}:\n{result.err}")
        if late:
            raise Timeout(f"{what}: not within {timeout} s", result)
        if check and result.rc:
            raise CommandError(what, result)
        return result

    def popen(self, *args, env=None, **options):
        """Start a command line; options as subprocess.Popen's.  The caller waits for it."""
        return subprocess.Popen(self.argv(*args), env=self.environment(env), **options)

    def run(self, bundle, *options, id=None, **how):
        """`coracle run` of the bundle; returns its Result.  With --detach see output() and ids[-1]."""
        return self._on_bundle("run", bundle, options, self._own(id), how)

    def try_create(self, bundle, *options, id=None, **how):
        """`coracle create` that may fail; returns its Result."""
        return self._on_bundle("create", bundle, options, self._own(id), {"check": False, **how})

    def create(self, bundle, *options, id=None, **how):
        """`coracle create` that must succeed; returns the id.  For what the container writes see output()."""
        id = self._own(id)
        self._on_bundle("create", bundle, options, id, how)
        return id

    def _on_bundle(self, command, bundle, options, id, how):
        bundle.save()
        return self(command, *options, "--bundle", bundle.path, id, log=self._log(id), **how)

    def started(self, bundle, *options, **how):
        """create and start; returns the id."""
        id = self.create(bundle, *options, **how)
        self("start", id)
        return id

    def _own(self, id):
        if id is None:
            return self.new_id()
        if id not in self.ids:
            self.ids.append(id)
        return id

    def _log(self, id):
        return os.path.join(self.directory, id)

    def output(self, id):
        """What a container made by create() or run() has written to stdout until now."""
        with open(self._log(id) + ".out", encoding="utf-8", errors="replace") as f:
            return f.read()

    def errors(self, id):
        """The same of stderr."""
        with open(self._log(id) + ".err", encoding="utf-8", errors="replace") as f:
            return f.read()

    # --- what is known of a container ---

    def state(self, id):
        """The OCI state, or None when there is no such container."""
        result = self("state", id, check=False)
        return json.loads(result.out) if result.rc == 0 else None

    def wait_until(self, condition, what, seconds=20):
        """Poll until the condition holds; for what no event tells."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}")
            time.sleep(0.01)

    def wait_status(self, id, status, seconds=20):
        self.wait_until(lambda: (self.state(id) or {}).get("status") == status, f"{id} is {status}", seconds)

    def wait_output(self, id, text, seconds=20):
        self.wait_until(lambda: text in self.output(id), f"{id} says {text!r}", seconds)

    def group(self, id):
        """The cgroup directory of a running container, found by its process as the kernel tells it."""
        with open(f"/proc/{self.state(id)['pid']}/cgroup", encoding="utf-8") as f:
            line = next(x for x in f if x.startswith("0::"))
        return "/sys/fs/cgroup" + line[3:].rstrip("\n")

    def knob(self, id, name):
        """A file of the container's cgroup, without the newline."""
        with open(os.path.join(self.group(id), name), encoding="utf-8") as f:
            return f.read().rstrip("\n")

    # --- the end ---

    def close(self):
        """Remove every container this driver made."""
        for id in self.ids:
            self("delete", "--force", id, check=False)
        self.ids.clear()
