# SPDX-License-Identifier: GPL-2.0-or-later
"""vm.py - a node as a virtual machine: Debian's stock kernel, all of cgroup v2, memory tracking.

qemu emulates the processor (no KVM is asked for), so all is eight to twenty times slower than natively.
A boot takes ten seconds; so the machine is booted once, warmed up, and its state saved beside the image
(image.py).  A VmNode is that state loaded: ready in about three seconds, always the same instant anew.

Commands go over virtio-serial ports, each served by an agent (agent.c) in the machine: no network, no port of
this machine is used.  Two machines are joined by datagrams between unix sockets; the cable is a symlink.

As a program:
    vm.py build                          image and saved state, unless they are there
    vm.py run [--boot] COMMAND           in a new machine; --boot does not load the state
    vm.py pytest BINARY XML ARGUMENT...  the tests of this checkout, in a new machine; pytest's exit status
"""
import contextlib
import glob
import hashlib
import json
import os
import queue
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    __package__ = "bed"

from . import image, trees
from .node import BedError, Link, Node, Process
from .source import copy_source

PORTS = 8                   # commands at once
MEMORY_MIB = 2048
MTU = 60000                 # what limits the network is the number of packets

# What the first test would wait for is done once before the state is saved: programs read, modules loaded.
WARM_UP = """
mkdir -p /tmp/w/rootfs && cd /tmp/w && cp /bed/busybox rootfs && runc spec &&
jq '.process.terminal=false|.process.args=["/busybox","true"]|del(.linux.resources)' config.json >c && mv c config.json
for r in crun runc; do $r run w </dev/null; done
cd /tmp && printf 'def test_it(tmp_path):\\n    assert 1\\n' >test_w.py && python3 -B -m pytest -q -p no:cacheprovider test_w.py
criu check; iptables-save; nft list ruleset; tar --version; ip addr; ps ax; redis-cli --version
rm -rf /tmp/*; sync
"""

WARM_UP_SYSTEMD = """
systemctl is-system-running --wait
for program in podman docker containerd ctr crun busctl; do command -v $program >/dev/null && $program --version; done
sync
"""


class VmProcess(Process):
    """A command in the machine; a thread reads what its agent sends."""

    PIECE = 65536

    def __init__(self, what, node, argv, stdin, env, cwd):
        super().__init__(what)
        self._node = node
        self._port = node.take_port()
        self._sending = threading.Lock()
        self._stdin = memoryview(stdin)
        words = [cwd, *(f"{k}={v}" for k, v in env.items()), "", *argv]
        self._send(b"C", b"".join(w.encode() + b"\0" for w in words))
        self._send_input()
        threading.Thread(target=self._read, daemon=True).start()

    def _send(self, kind, data=b""):
        with self._sending, contextlib.suppress(OSError):       # the reader notices that it is gone
            self._port.sendall(kind + struct.pack("<I", len(data)) + data)

    def _send_input(self):
        if self._stdin is not None:
            piece, self._stdin = self._stdin[:self.PIECE], self._stdin[self.PIECE:]
            if not piece:
                self._stdin = None
            self._send(b"I", bytes(piece))

    def _receive(self, length):
        data = bytearray()
        while len(data) < length:
            piece = self._port.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _read(self):
        try:
            while True:
                kind, length = struct.unpack("<cI", self._receive(5))
                data = self._receive(length)
                if kind == b"A":
                    self._send_input()
                elif kind in b"OE":
                    self._feed("out" if kind == b"O" else "err", data)
                elif kind == b"X":
                    status, = struct.unpack("<i", data)
                    break
        except (EOFError, OSError):
            self._feed("err", f"\n{self._node.failed('the machine is gone')}\n".encode())
            self._over(255)
            return
        with self._changed:
            self._rc = os.waitstatus_to_exitcode(status)
            self._rc = 128 - self._rc if self._rc < 0 else self._rc
            # given back before anyone knows of the end, so that a signal cannot reach the port's next command
            self._node.give_port(self._port)
            self._changed.notify_all()

    def kill(self):
        with self._changed:
            if self._rc is None:
                self._send(b"S", struct.pack("<I", 9))


class Qmp:
    """qemu's control socket."""

    def __init__(self, path, alive):
        self._socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self._socket.connect(path)
                break
            except OSError:
                if not alive():
                    raise BedError("qemu ended") from None
                time.sleep(0.01)
        self._file = self._socket.makefile("rw")
        self._file.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        for line in self._file:
            reply = json.loads(line)
            if "error" in reply:
                raise BedError(f"qemu: {command}: {reply['error'].get('desc')}")
            if "return" in reply:
                return reply["return"]
        raise BedError(f"qemu ended at {command}")

    def close(self):
        self._file.close()
        self._socket.close()


def qemu_command(tree):
    """qemu of a Debian tree, run on this machine with the tree's own libraries.

    Debian stable's on every machine: one emulator to know.  (Debian 12's 7.2 crashed one guest in six at boot, with
    rubbish in the flags register; of 10.0 some 40 boots on the same machine were whole.)
    """
    return [tree + "/usr/lib64/ld-linux-x86-64.so.2", "--library-path", tree + "/usr/lib/x86_64-linux-gnu",
            tree + "/usr/bin/qemu-system-x86_64", "-L", tree + "/usr/share/qemu", "-L", tree + "/usr/share/seabios"]


def state_path(directory, flavour="bare"):
    """The saved state: only the qemu that saved it, with the same devices, can load it.  The key of the tree "vm"
    stands for the qemu, this file for the devices."""
    with open(__file__, "rb") as f:
        key = hashlib.sha256(f.read() + trees.tree_key("vm").encode()).hexdigest()[:12]
    return os.path.join(directory, f"state-{flavour}-{key}")


class VmNode(Node):
    """A virtual machine of the tree `tree`.  flavour: what is pid 1, "bare" (vm-init.sh) or "systemd"."""

    def __init__(self, name="vm", flavour="bare", boot=False, tree="vm"):
        self.name = name
        self.flavour = flavour
        self._ports = queue.Queue()
        self._up = False
        self._undo = contextlib.ExitStack()
        try:
            directory = image.build(tree) if boot else prepare(tree, flavour)
            self._start_qemu(directory, None if boot else state_path(directory, flavour))
            self._connect(boot)
            self._settle()
        except BaseException:
            self.close()
            raise

    # --- up and down ---

    def _start_qemu(self, directory, state):
        # every socket's path is relative to the machine's directory: they must be short, and alike when loaded
        self.directory = tempfile.mkdtemp(prefix="coracle-vm-", dir="/run")
        self._undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
        tree = self._undo.enter_context(trees.in_use("vm"))
        argv = ["setpriv", "--pdeathsig", "KILL", *qemu_command(tree),
                "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "1",
                "-m", str(MEMORY_MIB), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-serial", "file:console", "-qmp", "unix:qmp,server=on,wait=off",
                "-kernel", directory + "/vmlinux", "-initrd", directory + "/initramfs",
                "-append", f"console=ttyS0 panic=-1 quiet mitigations=off bed.flavour={self.flavour}",
                "-device", "virtio-rng-pci", "-device", "vmgenid,guid=auto",
                "-drive", f"if=none,id=root,format=raw,readonly=on,file={directory}/root.img",
                "-device", "virtio-blk-pci,drive=root",
                "-netdev", "dgram,id=net,local.type=unix,local.path=net,remote.type=unix,remote.path=peer",
                "-device", "virtio-net-pci,netdev=net,mac=52:54:00:0a:00:00", "-device", "virtio-serial-pci"]
        for n in range(PORTS):
            argv += ["-chardev", f"socket,id=port{n},path=port{n},server=on,wait=off",
                     "-device", f"virtserialport,chardev=port{n},name=bed.{n}"]
        if state:
            argv += ["-incoming", "exec:cat " + state]
        with open(self.directory + "/log", "wb") as log:
            self._qemu = subprocess.Popen(argv, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, start_new_session=True)
        self._undo.callback(self._end_qemu)
        self._up = True

    def _end_qemu(self):
        self._up = False
        self._qemu.kill()
        self._qemu.wait()

    def _alive(self):
        return self._qemu.poll() is None

    def failed(self, what):
        told = []
        for name in ("log", "console"):
            with contextlib.suppress(OSError), open(f"{self.directory}/{name}", errors="replace") as f:
                told.append(f.read()[-3000:])
        return BedError(f"{self.name}: {what}\n" + "\n".join(told))

    def _connect(self, boot):
        self.qmp = Qmp(self.directory + "/qmp", self._alive)
        self._undo.callback(self.qmp.close)
        end = time.monotonic() + 180
        while not self._is_ready(boot):
            if not self._alive() or time.monotonic() > end:
                raise self.failed("did not come up")
            time.sleep(0.02)
        for n in range(PORTS):
            port = socket.socket(socket.AF_UNIX)
            self._undo.callback(port.close)
            port.connect(f"{self.directory}/port{n}")
            self._ports.put(port)

    def _is_ready(self, boot):
        if not boot:
            return self.qmp("query-status")["status"] == "running"
        with open(self.directory + "/console", errors="replace") as f:
            return "bed: up after" in f.read()

    def _settle(self):
        """What differs between machines from one state: the time, the name."""
        self.run(f"date -s @{time.time():.3f} && echo {self.name} >/proc/sys/kernel/hostname")

    def pull_plug(self):
        if self._up:
            self._end_qemu()

    def close(self):
        self._undo.close()

    def save_state(self, path):
        """Stop the machine and write its state."""
        self.qmp("migrate-set-parameters", **{"max-bandwidth": 10 << 30})
        self.qmp("migrate", uri="exec:cat >" + path)
        while (status := self.qmp("query-migrate").get("status")) != "completed":
            if status == "failed":
                raise self.failed("its state could not be saved")
            time.sleep(0.05)
        self.pull_plug()

    # --- commands and networks ---

    def take_port(self):
        if not self._up:
            raise BedError(f"node {self.name} is down")
        return self._ports.get(timeout=60)

    def give_port(self, port):
        self._ports.put(port)

    def _start(self, argv, stdin, env, cwd):
        return VmProcess(f"{self.name}: {' '.join(argv)[:200]}", self, argv, stdin, env, cwd)

    def join_to(self, other, subnet):
        for node in (self, other):
            if os.path.lexists(node.directory + "/peer"):
                raise BedError(f"{node.name} is joined already: a machine has one interface")
        link = VmLink((self, other), ("eth0", "eth0"), (f"10.77.{subnet}.1", f"10.77.{subnet}.2"))
        for n, node in enumerate(link.nodes):
            node.run(f"""i=$(basename "$(dirname "$(ls -d /sys/class/net/*/device)")"); ip link set $i down &&
                ip link set $i name eth0 && ip link set eth0 address 52:54:00:0a:{subnet % 256:02x}:{n:02x} mtu {MTU} &&
                ip addr flush dev eth0 && ip addr add {link.addresses[n]}/24 dev eth0 && ip link set eth0 up""")
        link.mend()
        return link


class VmLink(Link):
    """qemu sends each packet to the socket `peer`, by name."""

    def mend(self):
        for node, other in (self.nodes, self.nodes[::-1]):
            with contextlib.suppress(FileExistsError):
                os.symlink(other.directory + "/net", node.directory + "/peer")

    def cut(self):
        for node in self.nodes:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(node.directory + "/peer")


def prepare(tree="vm", flavour="bare", log=sys.stderr):
    """Make image and saved state unless they are there; returns their directory."""
    directory = image.build(tree, log=log)
    state = state_path(directory, flavour)
    if not os.path.exists(state):
        with trees.locked("state.lock"):
            if not os.path.exists(state):
                print("bed: booting the machine, to save its state", file=log, flush=True)
                start = time.monotonic()
                with VmNode("saved", flavour, boot=True, tree=tree) as node:
                    node.run(WARM_UP if flavour == "bare" else WARM_UP_SYSTEMD, timeout=300, check=False)
                    node.save_state(state + ".unfinished")
                for old in glob.glob(f"{directory}/state-{flavour}-*[!d]"):
                    os.unlink(old)
                os.rename(state + ".unfinished", state)
                print(f"bed: state saved after {time.monotonic() - start:.0f} s", file=log, flush=True)
    return directory


def follow(process, timeout):
    """Wait for a command, passing on its output as it comes."""
    shown = {"out": 0, "err": 0}
    end = time.monotonic() + timeout
    while True:
        over = process.poll() is not None
        result = process.so_far()
        for name, text, stream in (("out", result.out, sys.stdout), ("err", result.err, sys.stderr)):
            stream.write(text[shown[name]:])
            stream.flush()
            shown[name] = len(text)
        if over:
            return process.poll()
        if time.monotonic() > end:
            process.kill()
            raise BedError(f"{process.what}: not within {timeout} s")
        time.sleep(0.2)


# What tests beside them drive, where it is built.
TEST_PROGRAMS = "tests/pages/mover", "tests/pages/load", "tests/files/treecopy"


def run_pytest(binary, xml, arguments):
    """The tests of this checkout in a machine; the JUnit file is fetched.  Returns pytest's exit status."""
    from lib.bundle import build_payload
    from lib.workload import build_workload
    with VmNode("vm") as node:
        with tempfile.TemporaryDirectory() as packed:
            # all of the source: some tests read the tables they test
            node.put(copy_source(packed + "/source"), "/bed/source")
        node.put(binary, "/bed/bin/coracle")
        node.put(os.path.join(os.path.dirname(binary), "coracle-node"), "/bed/bin/coracle-node")
        treecopy = os.path.join(os.path.dirname(binary), "tests/files/treecopy")
        if os.path.exists(treecopy):
            node.put(treecopy, "/bed/bin/tests/files/treecopy")
        node.put(build_payload(os.path.join(trees.cache_dir(), "payload")), "/bed/bin/payload")
        node.put(build_workload(os.path.join(trees.cache_dir(), "payload")), "/bed/bin/workload")
        for program in TEST_PROGRAMS:
            if os.path.exists(built := os.path.join(os.path.dirname(binary), program)):
                node.put(built, "/bed/bin/" + program)
        process = node.start(
            ["python3", "-B", "-m", "pytest", "-q", "--junitxml=/bed/results.xml", *arguments, "."], cwd="/bed/source/tests",
            env={"CORACLE": "/bed/bin/coracle", "CORACLE_TEST_PAYLOAD": "/bed/bin/payload",
                 "CORACLE_TEST_WORKLOAD": "/bed/bin/workload",
                 "CORACLE_TEST_PLACE": "vm"})
        rc = follow(process, 1500)
        with contextlib.suppress(Exception):
            node.get("/bed/results.xml", xml)
        return rc


def main(argv):
    if argv == ["build"]:
        prepare()
    elif argv[:1] == ["run"] and len(argv) > 1:
        boot = argv[1] == "--boot"
        with VmNode("vm", boot=boot) as node:
            return follow(node.start(" ".join(argv[2 if boot else 1:])), 3600)
    elif argv[:1] == ["pytest"] and len(argv) >= 3:
        return run_pytest(argv[1], argv[2], argv[3:])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BedError, trees.TreeError) as e:
        sys.exit(f"vm.py: {e}")
