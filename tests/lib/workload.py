# SPDX-License-Identifier: GPL-2.0-or-later
"""workload.py - builds tests/checkpoint/workload.c, the program that judges its own state."""
import hashlib
import os
import subprocess

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "checkpoint")


def build_workload(directory, name="workload"):
    """The static program (or another one beside it), compiled into `directory` unless it is there already."""
    source = f"{HERE}/{name}.c"
    with open(source, "rb") as f:
        key = hashlib.sha256(f.read()).hexdigest()[:12]
    path = os.path.join(directory, f"{name}-{key}")
    if not os.path.exists(path):
        os.makedirs(directory, exist_ok=True)
        unfinished = f"{path}.{os.getpid()}"
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-pthread", "-s", "-o", unfinished, source], check=True)
        os.rename(unfinished, path)
    return path
