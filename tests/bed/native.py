# SPDX-License-Identifier: GPL-2.0-or-later
"""native.py - a node as namespaces of this machine: up in a fifth of a second, on this machine's kernel.

NativeNode stands on one of the Debian trees, HostNode on the machine's own root: coracle is tested there as
the machine's user would use it, but in private namespaces, and what is written to the root is thrown away.
Both have their own mount, pid, net, uts, ipc and cgroup namespaces (no user namespace: root is root), a /dev
of their own, and cgroup v2 on /sys/fs/cgroup whatever the machine has there.

The work is native.sh's, which also lives on to clean up.  A node dies with this process, however it ends: it
holds the one writing end of the pipe that the node's pid 1 reads.  Needs root.  Nests.
"""
import contextlib
import os
import select
import signal
import subprocess
import tempfile
import threading

from . import trees
from .node import BedError, Link, Node, Process

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = {"mnt": "mount", "net": "net", "uts": "uts", "ipc": "ipc", "pid": "pid", "cgroup": "cgroup"}


class NativeProcess(Process):
    """A command in a node, through nsenter."""

    # Output that comes later than this after the command's own end is a daemon's that kept the pipes.
    LATE_SECONDS = 0.2

    def __init__(self, what, argv, stdin, env):
        super().__init__(what)
        self._popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=env, start_new_session=True)
        readers = [threading.Thread(target=self._read, args=a, daemon=True)
                   for a in (("out", self._popen.stdout), ("err", self._popen.stderr))]
        for thread in readers:
            thread.start()
        threading.Thread(target=self._write, args=(stdin,), daemon=True).start()
        threading.Thread(target=self._await, args=(readers,), daemon=True).start()

    def _read(self, name, pipe):
        while data := os.read(pipe.fileno(), 65536):
            self._feed(name, data)
        pipe.close()

    def _write(self, stdin):
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(stdin)
            self._popen.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.close()

    def _await(self, readers):
        rc = self._popen.wait()
        for thread in readers:
            thread.join(self.LATE_SECONDS)
        self._over(rc if rc >= 0 else 128 - rc)

    def kill(self):
        if self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)


class NativeNode(Node):
    """A node over the tree `tree` (a name in trees.TREES, or a directory).

    binds: {path here: path there}, read-only, or path there with ":rw" behind.
    """

    def __init__(self, name="node", tree="native", binds=None):
        self.name = name
        self._undo = contextlib.ExitStack()
        self._up = False
        self._links = 0
        try:
            lower = tree if os.path.isabs(tree) else self._undo.enter_context(trees.in_use(tree))
            self._boot(lower, binds or {})
        except BaseException:
            self._undo.close()
            raise

    # --- up and down ---

    def _boot(self, lower, binds):
        bind_words = []
        for source, target in binds.items():
            path, _, how = target.partition(":")
            bind_words.append(f"{os.path.realpath(source)}:{path}:{how or 'ro'}")
        scratch = tempfile.mkdtemp(prefix="coracle-bed-", dir="/run")
        log = self._undo.enter_context(tempfile.TemporaryFile())
        ready, ready_end = os.pipe()
        self._undo.callback(os.close, ready)
        life_end, self._life = os.pipe()
        try:
            self._keeper = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", HERE + "/native.sh", self.name, lower, scratch,
                 *bind_words],
                stdin=life_end, stdout=log, stderr=log, pass_fds=(ready_end,), start_new_session=True,
                env={**os.environ, "BED_READY": str(ready_end)})
        finally:
            os.close(ready_end)
            os.close(life_end)
        self._undo.callback(self._shut_down)
        # the line, or the end of the file when native.sh gave up
        line = b""
        while not line.endswith(b"\n"):
            data = os.read(ready, 4096) if select.select([ready], [], [], 60)[0] else b""
            if not data:
                log.seek(0)
                raise BedError(f"node {self.name} did not come up:\n{log.read().decode(errors='replace')}")
            line += data
        pid, group = line.decode().split()
        self._hold(int(pid), group)
        self._up = True

    def _hold(self, pid, group):
        """Open what identifies the node: a number could be another process's later."""
        def keep(path, flags):
            fd = os.open(path, flags | os.O_CLOEXEC)
            self._undo.callback(os.close, fd)
            return f"/proc/{os.getpid()}/fd/{fd}"
        self._pidfd = os.pidfd_open(pid)
        self._undo.callback(os.close, self._pidfd)
        self._namespaces = {kind: keep(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in KINDS}
        self._group = keep(f"/proc/{self._keeper.pid}/root{group}", os.O_PATH)
        self.root = keep(f"/proc/{pid}/root", os.O_PATH)      # the node's files, seen from outside

    def _shut_down(self):
        os.close(self._life)
        self._keeper.wait()

    def pull_plug(self):
        if self._up:
            self._up = False
            # killing a pid namespace's first process kills all of it before the first is reaped
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            self._keeper.wait()

    def close(self):
        if self._up:
            self.pull_plug()
        self._undo.close()

    # --- commands and networks ---

    def command(self, argv, cwd="/"):
        """The words that run argv in the node from here: for those who want to spawn it themselves."""
        if not self._up:
            raise BedError(f"node {self.name} is down")
        flags = [f"--{option}={self._namespaces[kind]}" for kind, option in KINDS.items()]
        place = ["env", "-C", cwd] if cwd != "/" else []
        # into the node's cgroup first, from outside: from inside the cgroup namespace it is not allowed
        return ["sh", "-c", 'echo 0 >"$1" && shift && exec "$@"', "enter", self._group + "/init/cgroup.procs",
                "nsenter", *flags, "--", *place, *argv]

    def _start(self, argv, stdin, env, cwd):
        return NativeProcess(f"{self.name}: {' '.join(argv)[:200]}", self.command(argv, cwd), stdin, env)

    def call(self, argv, env=None, cwd="/"):
        """Run with this process's own stdin, output and terminal; returns the exit status."""
        rc = subprocess.call(self.command(argv, cwd), env=env)
        return rc if rc >= 0 else 128 - rc

    def ip(self, *words):
        """ip(8) of the machine, in the node's network."""
        done = subprocess.run(["nsenter", f"--net={self._namespaces['net']}", "ip", *words],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise BedError(f"{self.name}: ip {' '.join(words)}: {done.stdout.decode().strip()}")
        return done.stdout.decode()

    def join_to(self, other, subnet):
        names = f"eth{self._links}", f"eth{other._links}"
        self.ip("link", "add", names[0], "type", "veth", "peer", "name", names[1],
                "netns", other._namespaces["net"])
        addresses = f"10.77.{subnet}.1", f"10.77.{subnet}.2"
        for node, name, address in zip((self, other), names, addresses):
            node.ip("addr", "add", address + "/24", "dev", name)
            node.ip("link", "set", name, "up")
            node._links += 1
        return NativeLink((self, other), names, addresses)


class NativeLink(Link):
    """A veth pair."""

    def cut(self):
        self.nodes[0].ip("link", "set", self.interfaces[0], "down")

    def mend(self):
        self.nodes[0].ip("link", "set", self.interfaces[0], "up")


class HostNode(NativeNode):
    """The machine's own system, but private: a node over the machine's root."""

    def __init__(self, name="host", binds=None):
        super().__init__(name, "/", binds)
