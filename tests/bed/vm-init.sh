#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm-init.sh - pid 1 of a virtual machine of the bed; run by busybox, first in the initramfs, then on the root
#
# The root is a read-only image with a tmpfs over it: nothing outlives the machine.  From the kernel's command
# line: bed.flavour=bare (this script stays pid 1, and the agents are its children) or systemd (which then is pid 1
# and starts the agents as a unit).
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

# systemd mounts what it needs by itself; it only gets the unit that starts the agents, and no unit that would wait
# for something that such a machine has not.
start_systemd() {
    units=/etc/systemd/system
    $B mkdir -p $units/multi-user.target.wants
    cat >$units/bed.service <<UNIT
[Unit]
Description=the bed's agents
DefaultDependencies=no
After=systemd-tmpfiles-setup.service multi-user.target

[Service]
ExecStart=/bed/busybox sh /bed/init agents
Delegate=yes
KillMode=process

[Install]
WantedBy=multi-user.target
UNIT
    $B ln -sf ../bed.service $units/multi-user.target.wants/bed.service
    $B ln -sf multi-user.target $units/default.target
    for unit in getty.target serial-getty@ttyS0.service systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer \
        dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-networkd-wait-online.service; do
        $B ln -sf /dev/null $units/$unit
    done
    [ -e /etc/machine-id ] || $B touch /etc/machine-id
    exec /lib/systemd/systemd
}

start_agents() {
    B=/bed/busybox
    $B ip link set lo up
    [ -e /dev/net/tun ] || $B mknod -m 666 /dev/net/tun c 10 200
    # a group of their own below the unit's, so that what they start may be moved
    own=/sys/fs/cgroup$($B sed -n 's/^0:://p' /proc/self/cgroup)
    $B mkdir -p "$own/agents" && echo $$ >"$own/agents/cgroup.procs"
    for port in /dev/vport*; do /bed/agent "$port" & done
    echo "bed: up after $($B cut -d' ' -f1 /proc/uptime) s" >/dev/console
    while :; do wait; $B sleep 1; done
}

stage_root() {
    B=/bed/busybox
    case $($B cat /proc/cmdline) in *bed.flavour=systemd*) start_systemd ;; esac
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
agents) start_agents ;;
*) stage_initramfs ;;
esac
