# SPDX-License-Identifier: GPL-2.0-or-later
"""sockets.py - the caller's ends of --console-socket, --pidfd-socket and NOTIFY_SOCKET.

    with Receiver() as r:                    a listening unix socket at a short path
        coracle.create(b, "--console-socket", r.path)
        with r.take() as fds: ...            what came in the one message: r.text, the descriptors

    with Manager() as m:                     a service manager's datagram socket
        coracle.run(b, env=m.env); m.next() -> {"READY": "1", "MAINPID": "7"}
"""
import array
import os
import shutil
import socket
import tempfile

LIMIT = 20  # seconds; only a broken runtime makes anyone wait that long


class _Place:
    """A directory with a short name: a unix socket's path has 107 bytes."""

    def __init__(self, kind):
        self.directory = tempfile.mkdtemp(prefix="coracle-sock-")
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "s")
        self.sock = socket.socket(socket.AF_UNIX, kind)
        self.sock.bind(self.path)
        self.sock.settimeout(LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()
        shutil.rmtree(self.directory)


class Receiver(_Place):
    """Takes one connection and what comes over it until its end."""

    def __init__(self):
        super().__init__(socket.SOCK_STREAM)
        self.sock.listen(4)
        self.text, self.messages = b"", 0

    def take(self):
        """The descriptors that came over one connection; .text and .messages tell the rest."""
        self.text, self.messages, fds = b"", 0, array.array("i")
        connection, _ = self.sock.accept()
        with connection:
            connection.settimeout(LIMIT)
            while True:
                data, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(64))
                for level, kind, payload in control:
                    assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                    fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
                if not data and not control:
                    return list(fds)
                self.text += data
                self.messages += 1

    def nothing_came(self):
        self.sock.setblocking(False)
        try:
            self.sock.accept()
        except BlockingIOError:
            return True
        return False


class Manager(_Place):
    """A service manager: what it is told by sd_notify(3)."""

    def __init__(self):
        super().__init__(socket.SOCK_DGRAM)
        os.chmod(self.path, 0o777)

    @property
    def env(self):
        return {"NOTIFY_SOCKET": self.path}

    def next(self):
        return dict(line.split("=", 1) for line in self.sock.recv(65536).decode().splitlines())

    def silent(self):
        self.sock.setblocking(False)
        try:
            self.sock.recv(65536)
        except BlockingIOError:
            return True
        return False
