# SPDX-License-Identifier: GPL-2.0-or-later
"""trees.py - Debian root trees for the test bed, each made once and kept outside the checkout.

A tree is a directory made by mmdebstrap from the machine's own Debian mirror: whatever URI and keyring
the machine's apt uses for Debian's main archive serve the other suites too.  Nothing here names a host.

The cache is /var/cache/coracle-bed, or $CORACLE_BED_CACHE.  In it:
    trees/NAME-KEY       a finished tree; KEY is a hash of suite and packages, so that a changed list
                         makes a new tree.  It appears by one rename: a tree that is there is whole.
    locks/NAME.lock      held while NAME is being made: two runs at once make it once.
    locks/NAME-KEY.use   held shared by whoever uses the tree: superseded trees are removed when unused.

Runs as root (mmdebstrap's root mode).  As a program:
    trees.py list                     what there is
    trees.py make NAME...             make it unless it is there; prints the path
    trees.py sources SUITE            the apt line that would be used
"""
import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

RECIPE = 1          # raise it when what is done to a tree changes, not only its list of packages

# What coracle's own binary needs at run time, also when built with sanitizers.
RUNTIME_LIBS = ("libseccomp2 libcap2 libyajl2 libmnl0 libnftnl11 libprotobuf-c1 libzstd1 liblz4-1 libssl3t64 "
                "libarchive13t64 libsystemd0 libasan8 libubsan1")

# Written to for building in another Debian than the machine's own.
BUILD = ("gcc libc6-dev make autoconf automake pkgconf clang libclang-rt-dev "
         "libseccomp-dev libcap-dev libyajl-dev libcmocka-dev libmnl-dev libnftnl-dev libprotobuf-c-dev "
         "protobuf-c-compiler libzstd-dev liblz4-dev libssl-dev libarchive-dev libsystemd-dev")

TREES = {
    # Nodes on this kernel: the newest CRIU copes with the newest kernels, hence testing.
    "native": ("forky", RUNTIME_LIBS + " criu crun runc redis-server nginx-light iproute2 iputils-ping "
               "nftables iptables kmod busybox-static procps psmisc socat jq python3 postgresql nodejs openssh-server "
               "openssl iperf3 tcpdump curl rsync acl attr"),
    # A CRIU for machines whose own does not know their kernel (criu.py), where the tree above is not wanted.
    "criu": ("forky", "criu"),
    # What tests/bench measures coracle against.
    "bench": ("forky", RUNTIME_LIBS + " crun runc strace criu libcriu2 redis-server iproute2 nftables iptables"),
    # ... and what tests/bench/net measures its switches against.
    "bench-net": ("forky", RUNTIME_LIBS + " netavark containernetworking-plugins iproute2 nftables iptables kmod"),
    # The virtual machine: Debian stable as it stands, with its kernel.  pytest runs inside.  The qemu that runs it
    # is taken from here too (vm.py): Debian 12's own breaks the guest's flags register now and then.
    "vm": ("trixie", RUNTIME_LIBS + " linux-image-cloud-amd64 qemu-system-x86 criu crun runc iproute2 iputils-ping "
           "nftables iptables kmod busybox-static procps psmisc socat jq python3 python3-pytest strace redis-server "
           "systemd systemd-sysv dbus dbus-user-session libpam-systemd uidmap openssl curl"),
    # Engines that call coracle, in a virtual machine with systemd.
    "engines": ("trixie", RUNTIME_LIBS + " linux-image-cloud-amd64 systemd systemd-sysv dbus dbus-user-session "
                "libpam-systemd uidmap podman crun runc containerd docker.io docker-cli containernetworking-plugins "
                "netavark aardvark-dns passt slirp4netns fuse-overlayfs criu iproute2 iptables nftables kmod "
                "busybox-static procps psmisc jq python3 catatonit ca-certificates login passwd"),
    # Builds suites of others that are written in Go (tests/suites).
    "suites": ("trixie", "golang-go golang-github-blang-semver-dev golang-github-google-uuid-dev "
               "golang-github-hashicorp-go-multierror-dev golang-github-mrunalp-fileutils-dev "
               "golang-github-opencontainers-selinux-dev golang-github-opencontainers-specs-dev "
               "golang-github-sirupsen-logrus-dev golang-github-urfave-cli-dev golang-github-xeipuuv-gojsonschema-dev "
               "golang-gocapability-dev golang-golang-x-sys-dev"),
    "build-trixie": ("trixie", BUILD),
    "build-bookworm": ("bookworm", BUILD),
}

# Suites whose Release file may be past its date on a mirror that is a snapshot.
LATE_SUITES = {"forky"}

MAIN_SUITES = {"bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable", "oldstable"}


class TreeError(Exception):
    """A tree could not be made; the message says why."""


def cache_dir():
    return os.environ.get("CORACLE_BED_CACHE") or "/var/cache/coracle-bed"


# --- where this machine gets Debian from ---------------------------------------------------------------

def _deb822(text):
    """The stanzas of a .sources file as dicts with lower-case keys."""
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields, key = {}, None
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in " \t" and key:
                fields[key] += "\n" + line.strip()
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields:
            yield fields


def _one_line(text):
    """The lines of a .list file in the same form as _deb822 gives."""
    for line in text.splitlines():
        match = re.match(r"\s*(deb)\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.split("#")[0])
        if not match:
            continue
        options = dict(o.split("=", 1) for o in (match.group(2) or "").split() if "=" in o)
        yield {"types": "deb", "uris": match.group(3), "suites": match.group(4),
               "components": match.group(5), "signed-by": options.get("signed-by", "")}


def apt_entries(root="/etc/apt"):
    """All entries of apt's configuration, whichever format they are written in."""
    for path in [root + "/sources.list"] + sorted(glob.glob(root + "/sources.list.d/*.list")):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                yield from _one_line(f.read())
    for path in sorted(glob.glob(root + "/sources.list.d/*.sources")):
        with open(path, encoding="utf-8") as f:
            yield from _deb822(f.read())


def main_archive(root="/etc/apt"):
    """(URI, keyring path or None) of Debian's main archive as this machine has it."""
    for entry in apt_entries(root):
        if entry.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        if "deb" not in entry.get("types", "").split() or "main" not in entry.get("components", "").split():
            continue
        if not MAIN_SUITES & set(entry.get("suites", "").split()):
            continue
        uri = entry["uris"].split()[0]
        return uri, _keyring(entry.get("signed-by", ""))
    raise TreeError(f"no entry for Debian's main archive in {root}")


def _keyring(signed_by):
    """A path for Signed-By, which may also hold the key itself; None is apt's default."""
    if not signed_by:
        default = "/usr/share/keyrings/debian-archive-keyring.gpg"
        return default if os.path.exists(default) else None
    if "BEGIN PGP" not in signed_by:
        return signed_by.split()[0]
    lines = ["" if line == "." else line for line in signed_by.splitlines()]
    path = os.path.join(cache_dir(), "keyring.asc")
    os.makedirs(cache_dir(), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write("\n".join(lines).strip() + "\n")
    return path


def source_line(suite):
    uri, keyring = main_archive()
    option = f"[signed-by={keyring}] " if keyring else ""
    return f"deb {option}{uri} {suite} main"


# --- making and finding trees --------------------------------------------------------------------------

def tree_key(name):
    suite, packages = TREES[name]
    text = f"{RECIPE} {suite} {' '.join(sorted(packages.split()))}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def tree_path(name):
    """Where the tree is or will be; it may not be there."""
    return os.path.join(cache_dir(), "trees", f"{name}-{tree_key(name)}")


@contextlib.contextmanager
def locked(name, how=fcntl.LOCK_EX):
    os.makedirs(os.path.join(cache_dir(), "locks"), exist_ok=True)
    with open(os.path.join(cache_dir(), "locks", name), "w", encoding="ascii") as f:
        fcntl.flock(f, how)
        yield f


def make(name, log=sys.stderr):
    """Return the tree's path, having made it if it was not there."""
    path = tree_path(name)
    if os.path.isdir(path):
        return path
    with locked(name + ".lock"):
        if not os.path.isdir(path):
            _make(name, path, log)
            _remove_superseded(name, path)
    return path


def _make(name, path, log):
    suite, packages = TREES[name]
    if not shutil.which("mmdebstrap"):
        raise TreeError("mmdebstrap is not installed")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    unfinished = f"{path}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)   # of a run that was killed; we hold the lock
    # in mounts of its own: what it has mounted goes with it when it is killed
    command = ["unshare", "--mount", "--propagation=private", "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
               "--include=" + ",".join(packages.split()),
               "--dpkgopt=force-unsafe-io",
               "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
               "--dpkgopt=path-exclude=/usr/share/locale/*",
               # no initramfs is wanted: the bed boots the kernel with its own
               "--aptopt=APT::Install-Recommends \"false\""]
    if suite in LATE_SUITES:
        command.append("--aptopt=Acquire::Check-Valid-Until \"false\"")
    command += [suite, unfinished, source_line(suite)]
    print(f"bed: making the tree {name} ({suite})", file=log, flush=True)
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise TreeError(f"mmdebstrap of {name} failed ({done.returncode}):\n{done.stdout[-4000:]}")
    os.rename(unfinished, path)
    print(f"bed: tree {name} made in {time.monotonic() - start:.0f} s", file=log, flush=True)


def _remove_superseded(name, keep):
    for old in glob.glob(os.path.join(cache_dir(), "trees", name + "-*")):
        if old == keep or not re.fullmatch(re.escape(name) + "-[0-9a-f]{12}", os.path.basename(old)):
            continue
        with contextlib.suppress(BlockingIOError):
            with locked(os.path.basename(old) + ".use", fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def in_use(name):
    """The path of a tree that stays for as long as the block lasts."""
    path = make(name)
    with locked(os.path.basename(path) + ".use", fcntl.LOCK_SH):
        yield path


def main(argv):
    if argv[:1] == ["make"] and len(argv) > 1 and not set(argv[1:]) - set(TREES):
        for name in argv[1:]:
            print(make(name))
    elif argv == ["list"]:
        for name, (suite, packages) in TREES.items():
            state = "there" if os.path.isdir(tree_path(name)) else "not made"
            print(f"{name:15} {suite:9} {len(packages.split()):3} packages  {state:9} {tree_path(name)}")
    elif argv[:1] == ["sources"] and len(argv) == 2:
        print(source_line(argv[1]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TreeError as e:
        sys.exit(f"trees.py: {e}")
