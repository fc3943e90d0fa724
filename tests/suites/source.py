# SPDX-License-Identifier: GPL-2.0-or-later
"""source.py - the upstream source of a Debian source package, unpacked in the bed's cache.

Fetched with apt's own client from the archive that this machine's apt uses (bed/trees.py), checked by the digest that
apt's index tells; the .dsc is not needed, for some mirrors serve only the tarballs.  Nothing of it is part of coracle.
"""
import glob
import os
import re
import shutil
import subprocess
import tempfile

from bed import trees


def _apt(scratch, suite):
    """apt's options for a configuration that knows one archive's sources and nothing else."""
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        os.makedirs(f"{scratch}/{folder}")
    with open(scratch + "/etc/sources.list", "w", encoding="utf-8") as f:
        f.write("deb-src" + trees.source_line(suite).removeprefix("deb") + "\n")
    return ["-o", f"Dir::Etc::sourcelist={scratch}/etc/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
            "-o", f"Dir::State::lists={scratch}/lists", "-o", f"Dir::Cache={scratch}/cache",
            "-o", "Acquire::Check-Valid-Until=false", "-o", "APT::Sandbox::User=root"]


def _call(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise trees.TreeError(f"{' '.join(argv[:1])} failed: {done.stderr[-500:]}")
    return done.stdout


def _orig_tarball(index):
    """(directory, name, sha256) of the newest version in what `apt-cache showsrc` printed."""
    stanza = index.strip().split("\n\n")[-1]
    directory = re.search(r"^Directory: (\S+)", stanza, re.M).group(1)
    digest, name = re.search(r"^Checksums-Sha256:.*?^ ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.\w+)$", stanza, re.M | re.S).groups()
    return directory, name, digest


def fetch(package, suite="trixie"):
    """The directory of the unpacked source; fetched once."""
    place = os.path.join(trees.cache_dir(), "sources", f"{package}-{suite}")
    with trees.locked(f"source-{package}.lock"):
        if not os.path.isdir(place):
            with tempfile.TemporaryDirectory() as scratch:
                options = _apt(scratch, suite)
                _call("apt-get", *options, "update")
                directory, name, digest = _orig_tarball(_call("apt-cache", *options, "showsrc", package))
                uri = trees.main_archive()[0].rstrip("/")
                _call("/usr/lib/apt/apt-helper", "download-file", f"{uri}/{directory}/{name}", f"{scratch}/{name}", "SHA256:" + digest)
                os.makedirs(place + ".new", exist_ok=True)
                _call("tar", "-C", place + ".new", "--no-same-owner", "-xf", f"{scratch}/{name}")
            os.rename(place + ".new", place)
    return glob.glob(place + "/*")[0]


def copy(package, to, suite="trixie"):
    """A copy that may be changed and built in."""
    return shutil.copytree(fetch(package, suite), to, symlinks=True)
