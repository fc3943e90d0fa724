# SPDX-License-Identifier: GPL-2.0-or-later
"""lib - what the tests share: bundles, the driver of the binary, a look at what is left, needs."""
