#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nosys.py - run a program on which system calls fail as on an older kernel: with ENOSYS.

    nosys.py openat2,mount_setattr PROGRAM ARG...

By a seccomp filter, inherited by all it starts.  The calls named here have the same number on every machine.
"""
import ctypes
import os
import struct
import sys

NUMBERS = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
           "pidfd_open": 434, "clone3": 435, "close_range": 436, "openat2": 437, "mount_setattr": 442}
MOUNT_API = ("open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr")

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO_ENOSYS = 0x7fff0000, 0x00050000 | 38


def wrap(directory, binary, *names):
    """A program in `directory` that is `binary` without these calls; returns its path."""
    path = os.path.join(directory, "without-" + "-".join(names))
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'#!/bin/sh\nexec {sys.executable} {os.path.abspath(__file__)} {",".join(names)} {binary} "$@"\n')
    os.chmod(path, 0o755)
    return path


def main():
    numbers = [NUMBERS[name] for name in sys.argv[1].split(",")]
    code = [(LOAD, 0, 0, 0)]
    code += [(JUMP_EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
    code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERRNO_ENOSYS)]
    text = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, program, 0, 0):
        sys.exit(f"nosys: {os.strerror(ctypes.get_errno())}")
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
