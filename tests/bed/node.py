# SPDX-License-Identifier: GPL-2.0-or-later
"""node.py - what a test may do with a node, whatever the node is made of.

    with NativeNode("a") as a, NativeNode("b") as b:
        a.run("redis-cli ping").out                 a shell line, or a list of words
        a.run(["cat"], input="x", check=False).rc
        server = a.start("redis-server --port 1")   in the background; server.wait(), .kill()
        a.put("file", "/root/file"); a.get("/etc/os-release", "here")
        link = join(a, b)                           link.addresses, link.cut(), link.mend()
        b.pull_plug()                               everything on it is gone at once, nothing is told

A subclass gives _start() (a Process), join_to() (a Link), pull_plug() and close().
"""
import io
import itertools
import os
import shlex
import subprocess
import tarfile
import tempfile
import threading


class BedError(Exception):
    """The bed itself failed: a node did not come up, or went away."""


class CommandError(Exception):
    """A command that had to succeed did not.  .result has all of it."""

    def __init__(self, what, result):
        super().__init__(f"{what}: exit status {result.rc}\n{result.out[-2000:]}{result.err[-4000:]}".rstrip())
        self.result = result


class Timeout(CommandError):
    """A command ran longer than it may; it was killed."""


class Result:
    """How a command ended: rc (128 + n for signal n), out and err as text, raw_out as bytes."""

    def __init__(self, rc, out, err):
        self.rc = rc
        self.raw_out = out
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")

    def __repr__(self):
        return f"Result(rc={self.rc}, out={self.out!r}, err={self.err!r})"


class Process:
    """A command under way in a node.  Its output is collected by a thread of the subclass, which calls _feed
    for each piece and _over when the command has ended."""

    def __init__(self, what):
        self.what = what
        self._rc = None
        self._parts = {"out": [], "err": []}
        self._changed = threading.Condition()

    def _feed(self, name, data):
        with self._changed:
            self._parts[name].append(data)
            self._changed.notify_all()

    def _over(self, rc):
        with self._changed:
            if self._rc is None:
                self._rc = rc
            self._changed.notify_all()

    def _until(self, condition, timeout):
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                self.kill()
                raise Timeout(f"{self.what}: not within {timeout} s; killed, so far", self.so_far())

    def so_far(self):
        """What is known now, as a Result; its rc is None while the command runs."""
        with self._changed:
            return Result(self._rc, b"".join(self._parts["out"]), b"".join(self._parts["err"]))

    def poll(self):
        """The exit status, or None while it runs."""
        return self._rc

    def wait(self, timeout=60):
        """Its Result; raises Timeout, having killed it, when it takes longer."""
        self._until(lambda: self._rc is not None, timeout)
        return self.so_far()

    def expect(self, text, timeout=60):
        """Wait until `text` has come on its output or error output; CommandError if it ends without."""
        def there():
            now = self.so_far()
            return text in now.out or text in now.err
        self._until(lambda: there() or self._rc is not None, timeout)
        if not there():
            raise CommandError(f"{self.what}: ended without saying {text!r}", self.so_far())

    def kill(self):
        """SIGKILL for the command and its process group."""
        raise NotImplementedError


PATH = "/bed/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENV = {"PATH": PATH, "HOME": "/root", "TERM": "dumb", "LC_ALL": "C.UTF-8"}


class Node:
    """A Debian system to run commands on; a context manager."""

    name = "node"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- what a kind of node must give ---

    def _start(self, argv, stdin, env, cwd):
        raise NotImplementedError

    def join_to(self, other, subnet):
        raise NotImplementedError

    def pull_plug(self):
        """Power off at once: every process of the node is gone when this returns."""
        raise NotImplementedError

    def close(self):
        """pull_plug, and remove what the node was made of.  May be called twice."""
        raise NotImplementedError

    # --- the same for all ---

    def start(self, command, input=None, env=None, cwd="/"):
        """Start a command; a str is a line for bash, a list is taken as it is."""
        argv = ["bash", "-c", command] if isinstance(command, str) else [os.fspath(a) for a in command]
        stdin = input.encode() if isinstance(input, str) else input or b""
        return self._start(argv, stdin, {**ENV, **(env or {})}, cwd)

    def run(self, command, input=None, timeout=60, check=True, env=None, cwd="/"):
        """Run a command to its end and return its Result; with check, a failure raises CommandError."""
        process = self.start(command, input, env, cwd)
        try:
            result = process.wait(timeout)
        except BaseException:
            process.kill()
            raise
        if check and result.rc:
            text = command if isinstance(command, str) else shlex.join(map(str, command))
            raise CommandError(f"{self.name}: {text}", result)
        return result

    def put(self, source, destination):
        """Copy a file or a tree of the caller's to the path `destination` in the node."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(source, arcname=os.path.basename(destination.rstrip("/")) or ".")
        parent = os.path.dirname(destination.rstrip("/")) or "/"
        self.run(["sh", "-c", 'mkdir -p "$1" && exec tar -C "$1" --no-same-owner -xf -', "put", parent],
                 input=archive.getvalue())

    def get(self, source, destination):
        """Copy a file or a tree of the node to the caller's path `destination`."""
        parent, base = os.path.split(self.run(["readlink", "-e", "--", source]).out.rstrip("\n"))
        packed = self.run(["tar", "-C", parent, "-cf", "-", "--", base]).raw_out
        with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(destination))) as scratch:
            subprocess.run(["tar", "-C", scratch, "-xf", "-"], input=packed, check=True)
            os.rename(os.path.join(scratch, base), destination)

    def write(self, path, text, mode=0o644):
        """Make a file of the node from text."""
        self.run(["sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"', "write", path,
                  f"{mode:o}"], input=text)

    def read(self, path):
        return self.run(["cat", "--", path]).out


class Link:
    """A cable between two nodes.  addresses: of the first and of the second; interfaces likewise."""

    def __init__(self, nodes, interfaces, addresses):
        self.nodes, self.interfaces, self.addresses = nodes, interfaces, addresses

    def cut(self):
        """From now on nothing passes."""
        raise NotImplementedError

    def mend(self):
        """Undo cut."""
        raise NotImplementedError


def join(a, b):
    """Connect two nodes of one kind by a network of their own; returns a Link.

    The addresses are 10.77.N.1 and 10.77.N.2 in a /24 that no other pair of this process has.
    """
    if type(a) is not type(b):
        raise BedError(f"cannot join {a.name} and {b.name}: nodes of two kinds")
    return a.join_to(b, next(_subnets))


_subnets = itertools.count()
