# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - what the tests of single commands share."""
import os
import shutil
import subprocess
import tempfile

import pytest

from bed.node import Result
from lib.coracle import NOBODY


@pytest.fixture
def coracle_words(binary):
    """Run the binary with just these words: no --root before them.  For what needs no container."""
    def run(*words, user=None, cwd="/", env=None):
        done = subprocess.run([binary, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=30, cwd=cwd, user=user, env={"PATH": "/usr/bin:/bin", **(env or {})})
        return Result(done.returncode, done.stdout, done.stderr)
    return run


@pytest.fixture
def as_nobody(binary, coracle):
    """coracle with this test's state directory, as a user without rights, from where that user may read."""
    place = tempfile.mkdtemp(prefix="coracle-nobody-")
    os.chmod(place, 0o755)
    copy = shutil.copy(binary, place)

    def run(*words):
        done = subprocess.run([copy, "--root", coracle.root, *map(str, words)], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False, timeout=30, cwd="/", user=NOBODY, group=NOBODY,
                              extra_groups=[], env={"PATH": "/usr/bin:/bin"})
        return Result(done.returncode, done.stdout, done.stderr)
    yield run
    shutil.rmtree(place)
