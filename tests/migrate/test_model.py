# SPDX-License-Identifier: GPL-2.0-or-later
"""The model of a migration's end holds, and would notice what it is there for: each guard taken out breaks it."""
import os
import shutil
import subprocess

import pytest

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "model")

pytestmark = pytest.mark.skipif(not shutil.which("spin"), reason="needs spin")


def check(path):
    return subprocess.run([os.path.join(MODEL, "check"), path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)


def test_never_two_never_none():
    done = check(os.path.join(MODEL, "migrate.pml"))
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split()[0]) > 1000


@pytest.mark.parametrize("guard, without", [
    # a source that dies after the grant lets its copy run on
    ("source_story && wire -> guard = false", "source_story && wire -> skip"),
    # a source that hears nothing goes on by itself
    ("!wire && empty(to_source) -> skip }", "!wire && empty(to_source) -> here = RUNS; never_two() }"),
    # a granted target that runs is told to have refused
    (":: there == RUNS -> target = running", ":: there == RUNS -> target = refused"),
])
def test_each_guard_is_needed(tmp_path, guard, without):
    with open(os.path.join(MODEL, "migrate.pml"), encoding="utf-8") as f:
        text = f.read()
    assert guard in text
    (tmp_path / "m.pml").write_text(text.replace(guard, without))
    assert check(str(tmp_path / "m.pml")).returncode == 1
