# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - what tests of migration are given: `pair`, see lib/pair.py"""
import os

import pytest

from bed.node import join
from lib import needs
from lib.pair import Pair


@pytest.fixture(scope="module")
def two_nodes(request, binary, tmp_path_factory):
    """The nodes live as long as a file's tests."""
    for need in ("tree",):
        if sentence := needs.missing(need):
            pytest.skip(sentence)
    from bed.native import NativeNode
    share = str(tmp_path_factory.mktemp("share"))
    binds = {binary: "/bed/bin/coracle", share: "/share:rw",
             os.path.join(os.path.dirname(binary), "coracle-node"): "/bed/bin/coracle-node"}
    a, b = (NativeNode(name, "native", binds) for name in "ab")
    yield Pair(a, b, share, join(a, b))
    a.close()
    b.close()


@pytest.fixture
def pair(two_nodes):
    yield two_nodes
    two_nodes.clean()
