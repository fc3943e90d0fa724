# SPDX-License-Identifier: GPL-2.0-or-later
"""image.py - from a Debian tree to what qemu boots: vmlinux, an initramfs, a root image.

All three go to CACHE/vm/KEY, where KEY is a hash of the tree's and of what goes into the initramfs.
  vmlinux    the kernel without its decompressor: qemu starts it by its PVH note, which saves seconds
  initramfs  busybox, vm-init.sh, the agent, and the modules that the machine always has loaded
  root.img   the tree as an erofs image, read-only
"""
import glob
import hashlib
import lzma
import os
import shutil
import stat
import subprocess
import sys

from . import trees
from .node import BedError

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = 1

# Loaded at boot, so that the saved state has them: loading takes long under emulation.
MODULES = """overlay virtio_net virtio_blk erofs loop fuse tun veth bridge br_netfilter macvlan vxlan dummy
nf_tables nft_compat nft_chain_nat nft_ct nft_masq xt_mark nf_conntrack_netlink
inet_diag tcp_diag udp_diag raw_diag unix_diag netlink_diag af_packet_diag""".split()


def image_dir(tree="vm"):
    text = f"{RECIPE} {trees.tree_key(tree)} {' '.join(MODULES)}".encode()
    for name in ("agent.c", "vm-init.sh", "image.py"):
        with open(os.path.join(HERE, name), "rb") as f:
            text += f.read()
    return os.path.join(trees.cache_dir(), "vm", f"{tree}-{hashlib.sha256(text).hexdigest()[:12]}")


def build(tree="vm", log=sys.stderr):
    """Return the directory with the three files, having made them if they were not there."""
    path = image_dir(tree)
    if os.path.isdir(path):
        return path
    with trees.in_use(tree) as root, trees.locked("image.lock"):
        if os.path.isdir(path):
            return path
        print(f"bed: making the machine image of {tree}", file=log, flush=True)
        unfinished = path + ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        os.makedirs(unfinished)
        kernel, = glob.glob(root + "/boot/vmlinuz-*")
        _write(unfinished + "/vmlinux", extract_kernel(kernel))
        _write(unfinished + "/initramfs", initramfs(root, os.path.basename(kernel)[len("vmlinuz-"):]))
        # uncompressed, and data apart from inodes: emulation makes decompression dear
        subprocess.run(["mkfs.erofs", "--quiet", "-x-1", "-Enoinline_data", unfinished + "/root.img", root],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for old in glob.glob(os.path.join(os.path.dirname(path), tree + "-*")):
            if old != unfinished:
                shutil.rmtree(old, ignore_errors=True)
        os.rename(unfinished, path)
    return path


def _write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def extract_kernel(path):
    """The ELF file that is packed into a bzImage, whichever way it is packed."""
    with open(path, "rb") as f:
        image = f.read()
    packings = ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"\x1f\x8b\x08", "gzip"))
    for magic, program in packings:
        at = image.find(magic)
        while at >= 0:
            unpacked = subprocess.run([program, "-dc"], input=image[at:], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL).stdout     # rubbish follows: it complains
            if unpacked[:4] == b"\x7fELF" and len(unpacked) > 1 << 20:
                return unpacked
            at = image.find(magic, at + 1)
    raise BedError(f"{path}: no kernel found in it")


def initramfs(root, release):
    files = [("bin/busybox", 0o755, _read(root + "/usr/bin/busybox")),
             ("init", 0o755, _read(HERE + "/vm-init.sh")),
             ("agent", 0o755, _agent())]
    modules = _with_dependencies(f"{root}/usr/lib/modules/{release}")
    files += [("modules/" + name, 0o644, data) for name, data in modules]
    files.append(("modules/order", 0o644, "".join(f"{name}\n" for name, _ in modules).encode()))
    return _cpio(["bin", "modules", "proc", "sys", "dev", "image", "writes", "root"],
                 [("bin/sh", "busybox")], files)


def _read(path):
    with open(path, "rb") as f:
        return f.read()


def _agent():
    out = os.path.join(trees.cache_dir(), f"agent.{os.getpid()}")
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-s", "-o", out, HERE + "/agent.c"], check=True)
    data = _read(out)
    os.unlink(out)
    return data


def _with_dependencies(directory):
    """(file name, contents) of MODULES and of what they need, each after what it needs; unpacked."""
    needs = {}
    with open(directory + "/modules.dep", encoding="ascii") as f:
        for line in f:
            path, _, rest = line.partition(":")
            needs[path] = rest.split()
    by_name = {os.path.basename(p).split(".")[0].replace("-", "_"): p for p in needs}
    builtin = {os.path.basename(p.strip()).split(".")[0].replace("-", "_")
               for p in open(directory + "/modules.builtin", encoding="ascii")}
    found = {}

    def add(path):
        if path in found:
            return
        for need in reversed(needs[path]):
            add(need)
        data = _read(os.path.join(directory, path))
        found[path] = lzma.decompress(data) if path.endswith(".xz") else data
    for module in MODULES:
        if module in by_name:
            add(by_name[module])
        elif module not in builtin:
            raise BedError(f"{directory}: no module {module}")
    return [(os.path.basename(p).removesuffix(".xz"), data) for p, data in found.items()]


def _cpio(directories, links, files):
    """An archive of the "newc" kind, as the kernel unpacks it."""
    entries = [(d, stat.S_IFDIR | 0o755, b"") for d in directories]
    entries += [(name, stat.S_IFLNK | 0o777, target.encode()) for name, target in links]
    entries += [(name, stat.S_IFREG | mode, data) for name, mode, data in files]
    entries.append(("TRAILER!!!", 0, b""))
    out = bytearray()
    for inode, (name, mode, data) in enumerate(entries, 1):
        fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)
