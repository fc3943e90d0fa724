# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - one virtual machine with Debian's engines and systemd, for all tests of this folder.

`machine` has coracle installed as `make install` would, an image "box" (busybox) in each engine's store, and file
systems of its own below the stores (overlayfs does not stand on the machine's own overlay).
"""
import os

import pytest

IMAGE = r"""
systemctl stop docker docker.socket containerd
for store in /var/lib/containers /var/lib/docker /var/lib/containerd; do
    mkdir -p $store; mount -t tmpfs -o mode=711 tmpfs $store
done
mkdir -p /root/box/bin /root/box/etc /root/box/tmp && cp /bed/busybox /root/box/bin/busybox
for name in $(/bed/busybox --list); do [ $name = busybox ] || ln -s busybox /root/box/bin/$name; done
printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n' >/root/box/etc/passwd
chmod 1777 /root/box/tmp
tar -C /root/box -cf /root/box.tar .
echo containers:200000:65536 | tee -a /etc/subuid >>/etc/subgid
"""


@pytest.fixture(scope="session")
def machine(binary):
    from bed.vm import VmNode
    with VmNode("engines", "systemd", tree="engines") as node:
        node.put(binary, "/usr/local/sbin/coracle")
        node.put(os.path.join(os.path.dirname(binary), "coracle-node"), "/usr/local/libexec/coracle/coracle-node")
        node.run(IMAGE)
        yield node


def containers_of_coracle(node):
    """What is below any of coracle's state roots, and groups that containers would be in."""
    return node.run("ls -d /run/coracle/*/ /run/docker/runtime-runc/moby/*/ /run/containerd/runc/*/*/ 2>/dev/null; "
                    "find /sys/fs/cgroup -maxdepth 3 -name 'libpod-*' -o -maxdepth 3 -name 'docker-*' | grep -v conmon || :", check=False).out
