# SPDX-License-Identifier: GPL-2.0-or-later
"""test_features.py - what engines ask for at their start, and decide by."""
import json

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
