# SPDX-License-Identifier: GPL-2.0-or-later
"""Over ssh, as an administrator does it: the machine's ssh in one node, Debian's sshd in the other.  needs: tree, ssh

The server, its key and the login's key are the test's own; nothing of this machine's configuration is read.
"""
import os
import re
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.needs("tree", "ssh")

PORT = 2222
SERVER = f"""
Port {PORT}
HostKey /etc/ssh/coracle_host
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes yes
SetEnv PATH=/bed/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""
CLIENT = """
BatchMode yes
IdentitiesOnly yes
StrictHostKeyChecking yes
UpdateHostKeys no
"""


def borrow_ssh(node, scratch):
    """The machine's ssh, with the machine's libraries: it wants the OpenSSL that it was built with."""
    program = os.path.realpath(shutil.which("ssh"))
    told = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", told)
    loader = next(path for path in libraries if "/ld-" in path)
    for path in program, *libraries:
        shutil.copy(os.path.realpath(path), scratch / os.path.basename(path))
    node.put(scratch, "/opt/ssh")
    node.write("/usr/bin/ssh", f'#!/bin/sh\nexec /opt/ssh/{os.path.basename(loader)} --library-path /opt/ssh '
                               f'/opt/ssh/{os.path.basename(program)} "$@"\n', 0o755)


@pytest.fixture
def server(pair, tmp_path):
    """sshd in node b, which root@a may log in to; gives the words that coracle is told."""
    if pair.a.run("command -v ssh", check=False).rc:
        borrow_ssh(pair.a, tmp_path)
    pair.a.run("""mkdir -p /root/.ssh && chmod 700 /root/.ssh && cd /root/.ssh && rm -f id_ed25519* host* stranger* &&
        for key in id_ed25519 host stranger; do ssh-keygen -q -t ed25519 -N '' -C "$key" -f "$key"; done""")
    host = pair.link.addresses[1]
    pair.a.write("/root/.ssh/config", CLIENT, 0o600)
    pair.a.write("/root/.ssh/known_hosts", f"[{host}]:{PORT} " + pair.a.read("/root/.ssh/host.pub"), 0o600)
    pair.b.write("/etc/ssh/coracle_host", pair.a.read("/root/.ssh/host"), 0o600)
    pair.b.write("/etc/ssh/coracle_sshd", SERVER)
    pair.b.run("mkdir -p /root/.ssh /run/sshd && chmod 700 /root/.ssh")
    pair.b.write("/root/.ssh/authorized_keys", pair.a.read("/root/.ssh/id_ed25519.pub"), 0o600)
    sshd = pair.b.start(["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/coracle_sshd"])
    sshd.expect("Server listening on 0.0.0.0")
    yield f"ssh://root@{host}:{PORT}"
    sshd.kill()
    sshd.wait()


def migrate(pair, *words, check=True):
    return pair.a.run(["coracle", "migrate", "--progress", "none", *words], check=check)


def test_moves_by_ssh(pair, server):
    c = pair.counter("c")
    before = c.look()
    migrate(pair, "c", server)
    assert pair.only_on("b", c).count > before.count


def test_dry_run_by_ssh(pair, server):
    c = pair.counter("c")
    pair.b.run("mkdir -p /var/lib/coracle/containers/c")
    result = migrate(pair, "--dry-run", "c", server, check=False)
    assert result.rc == 1 and "/var/lib/coracle/containers/c already" in result.err
    pair.b.run("rmdir /var/lib/coracle/containers/c")
    pair.only_on("a", c)


@pytest.mark.parametrize("change, words", [
    ("cp stranger id_ed25519 && cp stranger.pub id_ed25519.pub", "Permission denied (publickey)"),
    ("sed -i \"s|ssh-ed25519 .*|$(cut -d' ' -f1,2 stranger.pub)|\" known_hosts", "Host key verification failed"),
], ids=["not our key there", "not their key here"])
def test_a_wrong_key_moves_nothing(pair, server, change, words):
    c = pair.counter("c")
    pair.a.run("cd /root/.ssh && " + change)
    result = migrate(pair, "c", server, check=False)
    assert result.rc == 1 and words in result.err, result.err
    pair.only_on("a", c)


def test_what_ssh_says_of_a_node_without_coracle(pair, server):
    c = pair.counter("c")
    result = migrate(pair, "--receiver", "no-such-program receive", "c", server, check=False)
    assert result.rc == 1 and "no-such-program" in result.err, result.err
    pair.only_on("a", c)
