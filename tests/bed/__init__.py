# SPDX-License-Identifier: GPL-2.0-or-later
"""bed - nodes to test on: a node is a Debian system of its own, native (namespaces of this machine) or virtual.

node.py     the interface of both, and what is the same in both
native.py   a node as namespaces: up in a fifth of a second, on this machine's kernel
vm.py       a node as a virtual machine with Debian's stock kernel: all of cgroup v2 is there
trees.py    the Debian root trees both stand on
"""
