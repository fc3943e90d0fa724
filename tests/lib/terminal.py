# SPDX-License-Identifier: GPL-2.0-or-later
"""terminal.py - a person at a terminal: runs a command line under a pty that is its controlling terminal.

    with Terminal(coracle.argv("run", ...), coracle.environment()) as t:
        t.expect("rows 24"); t.type("hello\n"); t.resize(40, 100); assert t.wait() == 0
"""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

LIMIT = 20  # seconds


class Screen:
    """The master's side of a terminal: what came, and what is typed."""

    def __init__(self, master):
        self.master = master
        self.seen = ""

    def _read(self, until):
        left = until - time.monotonic()
        if left <= 0 or not select.select([self.master], [], [], left)[0]:
            raise AssertionError(f"not within {LIMIT} s; on the screen: {self.seen!r}")
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other side any more
            data = b""
        self.seen += data.decode(errors="replace")
        return bool(data)

    def expect(self, text, count=1):
        """Read until the text has come (that often, since the start)."""
        end = time.monotonic() + LIMIT
        while self.seen.count(text) < count:
            if not self._read(end):
                raise AssertionError(f"the end came before {text!r}; on the screen: {self.seen!r}")

    def rest(self):
        """All until the end."""
        end = time.monotonic() + LIMIT
        while self._read(end):
            pass
        return self.seen

    def type(self, text):
        os.write(self.master, text.encode())

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def size(self):
        return struct.unpack("HHHH", fcntl.ioctl(self.master, termios.TIOCGWINSZ, bytes(8)))[:2]


class Terminal(Screen):
    def __init__(self, argv, env, rows=24, cols=80):
        master, slave = pty.openpty()
        super().__init__(master)
        self.resize(rows, cols)
        self.slave = slave          # kept: its settings are looked at after the command has left
        self.before = termios.tcgetattr(slave)
        self.pid = os.fork()
        if not self.pid:
            os.login_tty(slave) if hasattr(os, "login_tty") else self._login(slave)
            os.closerange(3, 256)
            os.execve(argv[0], argv, env)
        self.status = None

    @staticmethod
    def _login(slave):
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def wait(self):
        """The exit code, 128 and the signal where one ended it; reads on meanwhile."""
        end = time.monotonic() + LIMIT
        while self.status is None:
            if select.select([self.master], [], [], 0.01)[0]:
                self._read(end)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            elif time.monotonic() > end:
                raise AssertionError(f"still running; on the screen: {self.seen!r}")
        while select.select([self.master], [], [], 0)[0]:
            self._read(end)
        return os.WEXITSTATUS(self.status) if os.WIFEXITED(self.status) else 128 + os.WTERMSIG(self.status)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.slave)
        os.close(self.master)
