#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Make ./configure out of configure.ac; only needed in a checkout, a release tarball has it.
set -e
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf --force --install --warnings=all,no-obsolete "$@"
