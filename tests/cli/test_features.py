# SPDX-License-Identifier: GPL-2.0-or-later
"""test_features.py - what engines ask for at their start, and decide by."""
import json
import os
import re

from lib.coracle import NOBODY


def features(coracle_words, **how):
    result = coracle_words("features", **how)
    assert result.rc == 0
    assert result.err == ""             # CRI-O reads both together
    return json.loads(result.out)


def test_features_has_what_the_spec_requires(coracle_words):
    said = features(coracle_words)
    assert said["ociVersionMin"].startswith("1.") and said["ociVersionMax"].startswith("1.")
    assert set(said["hooks"]) == {"prestart", "createRuntime", "createContainer", "startContainer", "poststart",
                                  "poststop"}
    assert {"ro", "rbind", "rprivate", "nosuid", "rro"} <= set(said["mountOptions"])
    assert set(said["linux"]["namespaces"]) == {"user", "pid", "network", "mount", "ipc", "uts", "cgroup", "time"}
    assert "CAP_SYS_ADMIN" in said["linux"]["capabilities"] and len(said["linux"]["capabilities"]) >= 41
    assert said["linux"]["cgroup"]["v2"] is True and said["linux"]["cgroup"]["v1"] is False


def test_features_lists_are_without_repetitions(coracle_words):
    said = features(coracle_words)
    for words in (said["mountOptions"], said["hooks"], said["linux"]["capabilities"], said["linux"]["namespaces"],
                  said["linux"]["seccomp"].get("actions", []), said["linux"]["seccomp"].get("archs", [])):
        assert len(words) == len(set(words))


def test_features_tells_the_same_to_everybody(coracle_words):
    assert features(coracle_words, user=NOBODY) == features(coracle_words)


def test_features_takes_global_flags(coracle_words, tmp_path):
    result = coracle_words("--root", tmp_path, "--log", tmp_path / "l", "--log-format", "json", "features")
    assert (result.rc, result.err) == (0, "")


def test_every_mount_option_is_taken(coracle, coracle_words, bundle):
    """The spec: the runtime MUST recognize the elements.  Each gets a mount of its own in one container."""
    b = bundle("true")
    source = b.file("/source")
    for option in features(coracle_words)["mountOptions"]:
        if option == "remount":         # is for what is mounted already
            continue
        if option == "tmpcopyup":
            b.mount(f"/targets/{option}", "tmpfs", "tmpfs", [option])
            continue
        b.file(f"/targets/{option}")
        b.mount(f"/targets/{option}", "bind", source, [option] if "bind" in option else ["bind", option])
        if "idmap" in option:
            maps = [{"containerID": 0, "hostID": 0, "size": 1}]
            b.config["mounts"][-1].update(uidMappings=maps, gidMappings=maps)
    coracle.run(b)


def test_wrong_words(coracle_words):
    assert coracle_words("features", "x").rc == 64


def test_what_is_told_works(coracle, coracle_words, bundle):
    """Not only taken: carried out."""
    said = features(coracle_words)["linux"]
    b = bundle("ns")
    b.linux["namespaces"] = [{"type": kind} for kind in said["namespaces"]]
    os.chmod(b.path, 0o755)
    for mount in b.config["mounts"]:
        if mount["destination"] == "/dev/pts":
            mount["options"].remove("gid=5")
    maps = [{"containerID": 0, "hostID": 0, "size": 1}]
    b.linux.update(uidMappings=maps, gidMappings=maps)
    inside = coracle.run(b).out.split()
    for kind in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts", "time"):
        assert os.readlink(f"/proc/self/ns/{kind}") not in inside
    # seccomp: every action, comparison, architecture and flag in one profile
    b = bundle("echo", "on")
    calls = iter(("swapon", "swapoff", "reboot", "kexec_load", "acct", "settimeofday", "stime", "mbind", "bpf", "userfaultfd"))
    rules = [{"names": [next(calls)], "action": action} for action in said["seccomp"]["actions"] if action != "SCMP_ACT_NOTIFY"]
    rules += [{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 7, "valueTwo": 9, "op": op}]}
              for op in said["seccomp"]["operators"]]
    # one filter is of one byte order
    archs = [a for a in said["seccomp"]["archs"] if re.search("X86|X32|ARM$|AARCH|MIPSEL|64LE|RISCV|LOONG", a)]
    assert len(archs) > 5
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": archs, "syscalls": rules,
                          "flags": [f for f in said["seccomp"]["supportedFlags"] if "WAIT_KILLABLE" not in f]}
    assert coracle.run(b).out == "on\n"
    assert set(said["seccomp"]["supportedFlags"]) <= set(said["seccomp"]["knownFlags"])
    # capabilities: each is known to the kernel or warned of, none is an error
    b = bundle("true")
    b.process["capabilities"] = {k: said["capabilities"] for k in ("bounding", "effective", "permitted", "inheritable", "ambient")}
    coracle.run(b)
    for mode in said["memoryPolicy"]["modes"]:
        b = bundle("true")
        b.linux["memoryPolicy"] = {"mode": mode, **({} if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else {"nodes": "0"})}
        coracle.run(b)
    for key, value, where in (("apparmorProfile", "x", "process"), ("selinuxLabel", "x", "process"),
                              ("intelRdt", {"schemata": ["L3:0=f"]}, "linux")):
        b = bundle("true")
        b.config[where][key] = value
        result = coracle.run(b, check=False)
        assert result.rc == 0 or "not supported" not in result.err and "does not support" not in result.err
