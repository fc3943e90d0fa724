# SPDX-License-Identifier: GPL-2.0-or-later
"""elsewhere.py TREE COMPILER - builds this checkout in a node of another Debian, from autogen.sh to `make check`.

TREE is a name of trees.py with the tools to build.  What git would commit is copied in; nothing comes back but
the output and the exit status.  Warnings are errors.
"""
import os
import shutil
import subprocess
import sys
import tempfile

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    __package__ = "bed"

from . import trees
from .native import NativeNode
from .node import BedError
from .vm import follow

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SCRIPT = """
set -eu
cd /root/source
./autogen.sh
mkdir build
cd build
../configure --enable-werror CC="$CC"
make -j"$(nproc)"
make -j"$(nproc)" check || { cat tests/unit/*/*.log; exit 1; }
./coracle --version
"""


def source_files():
    """What belongs to the source: what git knows, and what is new but not ignored; all where git is missing."""
    try:
        listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", CHECKOUT, "ls-files", "-z", "-co",
                                 "--exclude-standard"], stdout=subprocess.PIPE, check=True).stdout
        return [f for f in listed.decode().split("\0") if f and os.path.lexists(os.path.join(CHECKOUT, f))]
    except (OSError, subprocess.CalledProcessError):
        return [os.path.relpath(os.path.join(d, f), CHECKOUT) for d, ds, fs in os.walk(CHECKOUT) for f in fs
                if not os.path.relpath(d, CHECKOUT).startswith(("build", ".git/"))]


def main(tree, compiler):
    with tempfile.TemporaryDirectory() as scratch, NativeNode("build", tree) as node:
        copy = os.path.join(scratch, "source")
        for file in source_files():
            os.makedirs(os.path.dirname(os.path.join(copy, file)), exist_ok=True)
            shutil.copy2(os.path.join(CHECKOUT, file), os.path.join(copy, file), follow_symlinks=False)
        node.put(copy, "/root/source")
        return follow(node.start(SCRIPT, env={"CC": compiler}), 900)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (BedError, trees.TreeError) as e:
        sys.exit(f"elsewhere.py: {e}")
