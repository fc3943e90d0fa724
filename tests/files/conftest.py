# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - file systems to copy from and to, and the program that copies."""
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import treetool  # noqa: E402


@pytest.fixture
def treecopy(binary):
    path = os.path.join(os.path.dirname(binary), "tests/files/treecopy")
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path} is not built")
    return path


def mounted(kind, at, *options):
    os.makedirs(at, exist_ok=True)
    subprocess.run(["mount", "-t", kind, *options, kind, at], check=True)
    return at


@pytest.fixture
def disks(tmp_path):
    """Two file systems of their own, for the source and the destination."""
    made = [mounted("tmpfs", str(tmp_path / name)) for name in ("a", "b")]
    for at in made:
        os.makedirs(at + "/tree")
    yield [at + "/tree" for at in made]
    for at in made:
        subprocess.run(["umount", "-l", at], check=True)


@pytest.fixture
def copy(treecopy):
    def start(source, destination, *options):
        return treetool.Copy(treecopy, source, destination, *options)
    return start
