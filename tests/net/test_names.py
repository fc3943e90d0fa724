# SPDX-License-Identifier: GPL-2.0-or-later
"""test_names.py - /etc/hosts and /etc/resolv.conf of wired containers: ours, read-only, and never the image's."""
import json
import os

import pytest

pytestmark = pytest.mark.needs("node")


@pytest.fixture
def wired(coracle, tmp_path):
    coracle.options = ["--switch-dir", str(tmp_path / "switches")]
    coracle("switch", "create", "s", "--subnet", "10.5.0.0/24")
    yield coracle
    for id in coracle.ids:
        coracle("delete", "--force", id, check=False)
    coracle("switch", "rm", "--force", "s")


def wire(bundle, *args, **annotations):
    b = bundle(*args)
    b.config["annotations"] = {"org.coracle.switch": "s:ip=10.5.0.9", **annotations}
    return b


@pytest.mark.parametrize("where", ["/etc/hosts", "/etc/resolv.conf"])
def test_links_in_the_image_lead_nowhere(wired, bundle, tmp_path, where):
    """A link to a file of the host: it is resolved inside the root, and the host's file stays as it is."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    b = wire(bundle, "cat", where, **{"org.coracle.dns": "192.0.2.53"})
    os.symlink(victim, b.rootfs + where)
    out = wired.run(b).out
    assert ("10.5.0.9" if where == "/etc/hosts" else "192.0.2.53") in out
    assert victim.read_text() == "mine"


def test_they_are_read_only_and_the_image_is_not_written_to(wired, bundle):
    b = wire(bundle, "cat", "/proc/self/mountinfo")
    b.file("/etc/hosts", "192.0.2.1 of-the-image\n")
    options = {line.split()[4]: line.split()[5] for line in wired.run(b).out.splitlines()}
    for where in ("/etc/hosts", "/etc/resolv.conf"):
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(options[where].split(","))
    assert b.read("/etc/hosts") == "192.0.2.1 of-the-image\n" and b.read("/etc/resolv.conf") == ""


def test_what_the_config_mounts_itself_is_kept(wired, bundle, tmp_path):
    (tmp_path / "hosts").write_text("192.0.2.1 of-the-engine\n")
    b = wire(bundle, "cat", "/etc/hosts")
    b.mount("/etc//hosts", "bind", tmp_path / "hosts", ["bind", "ro"])
    assert wired.run(b).out == "192.0.2.1 of-the-engine\n"


def test_in_a_user_namespace(wired, bundle):
    b = wire(bundle, "cat", "/etc/hosts")
    b.namespace("user")
    b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    os.chown(b.rootfs, 100000, 100000)
    for name in os.listdir(b.rootfs):
        os.chown(os.path.join(b.rootfs, name), 100000, 100000)
    assert "10.5.0.9 " in wired.run(b).out


def test_annotations_that_are_wrong_are_named(wired, bundle):
    for key, value, text in (("org.coracle.switch", "s:frob=1", "annotation org.coracle.switch: `frob` is none of"),
                             ("org.coracle.publish", "x", "annotation org.coracle.publish: `x` is not"),
                             ("org.coracle.dns", "x", "annotation org.coracle.dns: `x` is not an IP address")):
        failed = wired.run(wire(bundle, "true", **{key: value}), check=False)
        assert failed.rc == 1 and text in failed.err
    b = wire(bundle, "true")
    b.drop_namespace("network")
    assert "no network namespace of its own: it cannot be connected to a switch" in wired.run(b, check=False).err
    assert json.loads(wired("switch", "leases", "--format", "json").out) == []
