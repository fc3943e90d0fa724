#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""criu.py - a CRIU of a newer Debian suite in a directory of its own, beside whatever the machine has.

CRIU has to know the kernel it runs on (4.2 for Linux 6.18), and Debian stable's may not.  A prefix holds
    bin/criu        a script: starts bin/criu.bin by the prefix's own dynamic linker and libraries
    lib/            that linker and every library that criu.bin names; nothing of the machine's is replaced
The packages come from the archive that the machine's own apt names (trees.py), of the suite of the tree "criu".

As a program:   criu.py PREFIX     make it unless it is there; prints the path of bin/criu
"""
import os
import re
import shutil
import subprocess
import sys

if __package__:
    from . import trees
else:
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from bed import trees

SCRIPT = """#!/bin/sh
prefix=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$prefix/lib/%s" --library-path "$prefix/lib" --argv0 criu "$prefix/bin/criu.bin" "$@"
"""


def tree():
    """A tree that has CRIU: that of the bed's nodes where it is made already, else a small one."""
    if os.path.isdir(trees.tree_path("native")):
        return "native"
    return "criu"


def libraries(root):
    """(linker, libraries) of the tree's CRIU as paths in the tree, as its own linker finds them."""
    told = subprocess.run(["chroot", root, "/usr/bin/ldd", "/usr/sbin/criu"], check=True, stdout=subprocess.PIPE,
                          text=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}).stdout
    paths = re.findall(r"(/[^ ]+) \(0x", told)
    linker = next(p for p in paths if os.path.basename(p).startswith("ld-linux"))
    return linker, paths


def inside(root, path):
    """The file behind a path of the tree, its links followed in the tree."""
    for _ in range(40):
        outside = os.path.join(root, path.lstrip("/"))
        parts, there = path.strip("/").split("/"), root
        for i, part in enumerate(parts):
            there = os.path.join(there, part)
            if os.path.islink(there):
                target = os.readlink(there)
                path = os.path.normpath(os.path.join("/", *parts[:i], target, *parts[i + 1:]))
                break
        else:
            return outside
    raise trees.TreeError(f"{path}: too many links")


def make(prefix):
    """The path of a CRIU in `prefix`, having made it if it was not there."""
    criu = os.path.join(prefix, "bin", "criu")
    if os.path.exists(criu):
        return criu
    with trees.in_use(tree()) as root, trees.locked("criu-prefix.lock"):
        if os.path.exists(criu):
            return criu
        unfinished = prefix.rstrip("/") + ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        os.makedirs(unfinished + "/bin")
        os.makedirs(unfinished + "/lib")
        linker, paths = libraries(root)
        for path in paths:
            shutil.copy(inside(root, path), os.path.join(unfinished, "lib", os.path.basename(path)))
        shutil.copy(inside(root, "/usr/sbin/criu"), unfinished + "/bin/criu.bin")
        with open(unfinished + "/bin/criu", "w", encoding="ascii") as f:
            f.write(SCRIPT % os.path.basename(linker))
        os.chmod(unfinished + "/bin/criu", 0o755)
        shutil.rmtree(prefix, ignore_errors=True)
        os.rename(unfinished, prefix)
    return criu


def for_tests():
    """The one that the tests use, kept with the trees."""
    return make(os.path.join(trees.cache_dir(), "criu-" + trees.tree_key(tree())))


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    try:
        print(make(os.path.abspath(sys.argv[1])))
    except trees.TreeError as e:
        sys.exit(f"criu.py: {e}")
