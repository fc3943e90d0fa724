# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - the decoy of the security tests (lib/decoy.py)."""
import pytest

from lib.decoy import Decoy


@pytest.fixture
def decoy(tmp_path):
    """Something of the host's; after the test it must be as it was."""
    made = Decoy(tmp_path / "decoy")
    yield made
    made.check()
