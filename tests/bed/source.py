# SPDX-License-Identifier: GPL-2.0-or-later
"""source.py - the checkout that these tests belong to, as a copy without what was built in it."""
import os
import shutil
import subprocess

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def source_files():
    """What belongs to the source: what git knows, and what is new but not ignored; all where git is missing."""
    try:
        listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", CHECKOUT, "ls-files", "-z", "-co",
                                 "--exclude-standard"], stdout=subprocess.PIPE, check=True).stdout
        return [f for f in listed.decode().split("\0") if f and os.path.lexists(os.path.join(CHECKOUT, f))]
    except (OSError, subprocess.CalledProcessError):
        return [os.path.relpath(os.path.join(d, f), CHECKOUT) for d, ds, fs in os.walk(CHECKOUT) for f in fs
                if not os.path.relpath(d, CHECKOUT).startswith(("build", ".git/"))]


def copy_source(directory):
    """Copy it to `directory`, which is made; returns that."""
    for file in source_files():
        copy = os.path.join(directory, file)
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copy2(os.path.join(CHECKOUT, file), copy, follow_symlinks=False)
    return directory
