#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm-init.sh - pid 1 of a virtual machine of the bed; run by busybox, first in the initramfs, then on the root
#
# The root is a read-only image with a tmpfs over it: nothing outlives the machine.  From the kernel's command
# line: bed.flavour=bare (this script stays pid 1, and the agents are its children).  A flavour with systemd as
# pid 1 would, at the end of stage two, start the agents as a unit and exec it.
export PATH=/bed/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

stage_initramfs() {
    B=/bin/busybox
    $B mount -t proc proc /proc
    $B mount -t sysfs sysfs /sys
    $B mount -t devtmpfs dev /dev
    while read -r module; do $B insmod "/modules/$module"; done </modules/order
    $B mount -t erofs -o ro /dev/vda /image
    $B mount -t tmpfs -o size=75% tmpfs /writes
    $B mkdir /writes/upper /writes/work
    $B mount -t overlay -o lowerdir=/image,upperdir=/writes/upper,workdir=/writes/work overlay /root
    $B mkdir -p /root/bed/bin
    $B cp /bin/busybox /agent /init /root/bed/
    for dir in proc sys dev; do $B mount --move "/$dir" "/root/$dir"; done
    exec $B switch_root /root /bed/busybox sh /bed/init stage-root
}

stage_root() {
    B=/bed/busybox
    $B mount -o remount,nosuid,nodev,noexec /proc
    $B mkdir -p /dev/pts /dev/shm /dev/mqueue /dev/net
    $B mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    $B mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
    $B mount -t mqueue mqueue /dev/mqueue
    $B ln -s /proc/self/fd /dev/fd
    $B ln -s fd/0 /dev/stdin
    $B ln -s fd/1 /dev/stdout
    $B ln -s fd/2 /dev/stderr
    [ -e /dev/net/tun ] || $B mknod -m 666 /dev/net/tun c 10 200
    $B mount -t tmpfs -o mode=755,nosuid,nodev run /run
    $B mount -t tmpfs -o mode=1777 tmp /tmp
    $B mount -t securityfs securityfs /sys/kernel/security
    $B mount -t bpf bpf /sys/fs/bpf
    # all processes below the root of the hierarchy, and every controller handed down, as systemd would have it
    $B mount -t cgroup2 -o nsdelegate,nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
    $B mkdir /sys/fs/cgroup/init
    echo 1 >/sys/fs/cgroup/init/cgroup.procs
    for controller in $($B cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
    done
    $B ip link set lo up
    for port in /dev/vport*; do /bed/agent "$port" & done
    echo "bed: up after $($B cut -d' ' -f1 /proc/uptime) s"
    while :; do wait; $B sleep 1; done       # the shell reaps what is left to pid 1
}

case ${1-} in
stage-root) stage_root ;;
*) stage_initramfs ;;
esac
