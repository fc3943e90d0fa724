# SPDX-License-Identifier: GPL-2.0-or-later
"""elsewhere.py TREE COMPILER - builds this checkout in a node of another Debian, from autogen.sh to `make check`.

TREE is a name of trees.py with the tools to build.  What git would commit is copied in; nothing comes back but
the output and the exit status.  Warnings are errors.
"""
import os
import sys
import tempfile

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    __package__ = "bed"

from . import trees
from .native import NativeNode
from .node import BedError
from .source import copy_source
from .vm import follow

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


def main(tree, compiler):
    with tempfile.TemporaryDirectory() as scratch, NativeNode("build", tree) as node:
        node.put(copy_source(os.path.join(scratch, "source")), "/root/source")
        return follow(node.start(SCRIPT, env={"CC": compiler}), 900)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (BedError, trees.TreeError) as e:
        sys.exit(f"elsewhere.py: {e}")
