# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - move(...): a process's memory through tracker, page server, store and CRIU; see mover.c."""
import json
import os

import pytest

from lib import needs


@pytest.fixture
def programs(binary):
    """The paths of mover and load."""
    found = [os.path.join(os.path.dirname(binary), "tests/pages", name) for name in ("mover", "load")]
    for path in found:
        if not os.access(path, os.X_OK):
            pytest.skip(f"{path} is not built")
    return found


@pytest.fixture
def place(request, programs, tmp_path):
    """Where CRIU is: (run, directory, mover, load). A native node of Debian testing, or the virtual machine itself."""
    if needs.place() == "vm":
        import subprocess
        return (lambda argv: subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False),
                str(tmp_path), *programs)
    if sentence := needs.missing("tree"):
        pytest.skip(sentence)
    node = request.getfixturevalue("nodes")("pages", binds={os.path.dirname(programs[0]): "/bed/pages"})

    class Done:
        def __init__(self, result):
            self.returncode, self.stdout, self.stderr = result.rc, result.out, result.err
    return (lambda argv: Done(node.run(argv, check=False, timeout=120)), "/run", "/bed/pages/mover", "/bed/pages/load")


@pytest.fixture
def move(place):
    run, directory, mover, load = place
    count = iter(range(1000))

    def start(options, kinds="", mib=8, rate=1000):
        """Move `load` with `options` of mover and kinds of memory; returns what mover tells."""
        there = f"{directory}/move{next(count)}"
        run(["mkdir", there])
        done = run([mover, *options.split(), there, load, str(mib), str(rate), *kinds.split()])
        log = run(["sh", "-c", f"tail -n 5 {there}/*/*.log"]).stdout if done.returncode else ""
        assert done.returncode == 0, done.stderr + log
        return json.loads(done.stdout)
    return start
