#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# native.sh - makes a native node, waits for its end, and removes what it was made of.  Run by native.py.
#
# usage: unshare -m --propagation private native.sh NAME TREE SCRATCH [SOURCE:TARGET:ro|rw]...
#   stdin   the node lives until this pipe closes: so it dies with its maker, however that one dies
#   $BED_READY  a descriptor that gets one line when the node is up: "PID GROUP"; PID is its first process as
#           its maker sees it, GROUP the path of its cgroup as this process sees it
#   SCRATCH an empty directory of the node's own; removed at the end
#
# Two processes: the keeper, outside of the node and of its cgroup, in a mount namespace of its own where the
# cgroup is made; and the node's pid 1.  The cgroup is a direct child of the root of the hierarchy as seen
# from here.  The node's processes sit in GROUP/init, never in GROUP: controllers could not be enabled else.
# The machine's own cgroup mounts are not touched.
set -eu
self=$(readlink -f "$0") name=$1 tree=$2 scratch=$3
shift 3
binds=("$@")

# --- the node's side: from the first process of the new namespaces to pid 1 ---

make_dev() {
    mount -t tmpfs -o mode=755,nosuid dev dev
    # nodes of its own, never a bind of the machine's: a runtime may change their owner
    local name major minor
    while read -r name major minor; do
        mknod -m 666 "dev/$name" c "$major" "$minor"
    done <<'NODES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
fuse 10 229
NODES
    mkdir dev/net dev/pts dev/shm dev/mqueue
    mknod -m 666 dev/net/tun c 10 200
    mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    ln -s fd/0 dev/stdin
    ln -s fd/1 dev/stdout
    ln -s fd/2 dev/stderr
    mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
    mount -t mqueue mqueue dev/mqueue
}

bind_paths() {
    local bind source target how
    for bind in "${binds[@]}"; do
        IFS=: read -r source target how <<<"$bind"
        if [ -d "$source" ]; then
            mkdir -p ".$target"
        else
            mkdir -p "$(dirname ".$target")"
            : >>".$target"
        fi
        mount --bind "$source" ".$target"
        [ "$how" = rw ] || mount -o remount,bind,ro ".$target"
    done
}

if [ "${BED_STAGE-}" = inside ]; then
    unset BED_STAGE
    read -r pid _ </proc/self/stat    # /proc is still the maker's: this is our pid there
    cd "$scratch"
    mount -t tmpfs -o mode=755 node root
    mkdir root/upper root/work root/merged
    mount -t overlay -o "lowerdir=$tree,upperdir=root/upper,workdir=root/work" node root/merged
    cd root/merged
    mkdir -p proc sys dev run tmp
    mount -t proc -o nosuid,nodev,noexec proc proc
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
    make_dev
    mount -t tmpfs -o mode=755,nosuid,nodev run run
    mount -t tmpfs -o mode=1777 tmp tmp
    bind_paths
    echo "$name" >proc/sys/kernel/hostname
    ip link set lo up
    mkdir -p .outside
    pivot_root . .outside
    cd /
    umount -l /.outside
    rmdir /.outside
    echo "$pid" >&3
    exec 3>&- 1>/dev/null 2>&1
    while read -r _; do :; done       # bash reaps orphans meanwhile
    exit 0
fi

# --- the keeper's side ---

exec 3>&"$BED_READY" {BED_READY}>&-
unset BED_READY
cd "$scratch"
mkdir root cgroup
mount -t cgroup2 cgroup2 cgroup
group=$scratch/cgroup/coracle-bed-$$-$name

remove_group() {
    # processes end when they end: rmdir says EBUSY until the last is gone
    local tries
    exec 5<&-
    [ -d "$group" ] || return 0
    [ ! -e "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill" || true
    for ((tries = 0; tries < 200; tries++)); do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [ -d "$group" ] || return 0
        sleep 0.02
    done
    echo "native.sh: $group could not be removed" >&2
}

cleanup() {
    set +e
    remove_group
    cd /
    umount -l "$scratch/cgroup"       # native.py may hold the group open
    rmdir "$scratch/root" "$scratch/cgroup" "$scratch"
}
trap cleanup EXIT
trap '' INT TERM HUP

# Groups left by a keeper that was itself killed: a living one holds a lock on its group.  (A minute old: one
# younger may be between its mkdir and its lock.)
while read -r old; do
    flock -n "$old" true || continue
    [ ! -e "$old/cgroup.kill" ] || echo 1 >"$old/cgroup.kill" || true
    find "$old" -depth -type d -exec rmdir {} + 2>/dev/null || true
done < <(find "$scratch/cgroup" -maxdepth 1 -name 'coracle-bed-*' -mmin +1)

mkdir "$group" "$group/init"
exec 5<"$group"
flock -n 5
mkfifo up
# shellcheck disable=SC2094
exec 4<>up 6<up
rm up
(
    trap - INT TERM HUP
    echo "$BASHPID" >"$group/cgroup.procs"
    export BED_STAGE=inside
    exec unshare -m -n -u -i -p -C --fork --kill-child --propagation private \
        bash "$self" "$name" "$tree" "$scratch" "${binds[@]}" 3>&4 4>&- 5>&- 6>&-
) <&0 3>&- &
maker=$!
exec </dev/null 4>&-
read -r pid <&6 || exit 1             # end of file: it failed, and has said why
exec 6<&-
# both the node's pid 1 and its parent move out of GROUP, then its controllers can be handed down
echo "$maker" >"$group/init/cgroup.procs"
echo "$pid" >"$group/init/cgroup.procs"
for controller in $(<"$group/cgroup.controllers"); do
    echo "+$controller" >"$group/cgroup.subtree_control" || true
done
echo "$pid $group" >&3
exec 3>&-
wait "$maker" || true
