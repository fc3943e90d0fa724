# SPDX-License-Identifier: GPL-2.0-or-later
"""A set of images is what its manifest says, or it is not restored.  needs: root criu"""
import json
import os

import pytest

pytestmark = pytest.mark.needs("root", "node")
MANIFEST = "coracle-manifest.json"


def flip(path, at=-1):
    with open(path, "r+b") as f:
        data = bytearray(f.read())
        data[at] ^= 1
        f.seek(0)
        f.write(data)


def test_the_manifest_tells_what_the_images_are(snapshot):
    snapshot.take()
    with open(f"{snapshot.images}/{MANIFEST}", encoding="utf-8") as f:
        manifest = json.load(f)
    assert manifest["id"] == snapshot.id
    assert manifest["criu"] >= 31700
    assert manifest["machine"] == os.uname().machine
    assert {"kind": "mount", "key": "m0002", "destination": "/dev"} in manifest["externals"]
    images = {name for name in os.listdir(snapshot.images) if name.endswith(".img")}
    assert images <= set(manifest["files"])
    for name, told in manifest["files"].items():
        size, digest = told.split()
        assert os.path.getsize(f"{snapshot.images}/{name}") == int(size)
        assert digest.startswith("sum64:" if name.startswith("pages-") else "sha256:")


@pytest.mark.parametrize("kind", ["core-1.img", "pages-1.img", "inventory.img", "coracle-brief.json"])
def test_a_flipped_byte_is_refused_before_anything_is_made(snapshot, kind):
    snapshot.take()
    flip(f"{snapshot.images}/{kind}")
    told = snapshot.restore(check=False)
    assert told.rc != 0 and f"images: {kind}: not what the manifest has the digest of" in told.err
    assert snapshot.gone()
    flip(f"{snapshot.images}/{kind}")
    assert snapshot.restore().rc == 0


def test_incomplete_and_foreign_sets_are_told_apart(snapshot):
    snapshot.take()
    os.unlink(f"{snapshot.images}/{MANIFEST}")
    told = snapshot.restore(check=False)
    assert "the set is not complete, or another tool made it" in told.err
    assert snapshot.gone()
    told = snapshot.restore("--trust", "any")
    assert told.rc == 0 and "nothing vouches for them" in told.err


def test_links_and_added_images_are_refused(snapshot):
    snapshot.take()
    os.rename(f"{snapshot.images}/core-1.img", f"{snapshot.images}/../elsewhere")
    os.symlink("../elsewhere", f"{snapshot.images}/core-1.img")
    told = snapshot.restore("--trust", "any", check=False)
    assert "core-1.img: not a regular file" in told.err
    os.unlink(f"{snapshot.images}/core-1.img")
    os.rename(f"{snapshot.images}/../elsewhere", f"{snapshot.images}/core-1.img")
    with open(f"{snapshot.images}/core-99.img", "wb") as f:
        f.write(b"more")
    told = snapshot.restore(check=False)
    assert "core-99.img: an image that the manifest does not list" in told.err
    assert snapshot.gone()


def test_a_key_signs_and_demands(snapshot, tmp_path):
    key, other = tmp_path / "key", tmp_path / "other"
    for path, byte in ((key, b"k"), (other, b"o")):
        path.write_bytes(byte * 32)
        path.chmod(0o600)
    snapshot.take("--key", str(key))
    told = snapshot.restore("--key", str(other), check=False)
    assert "the MAC is not one of this node's key" in told.err
    told = snapshot.restore("--trust", "signed", check=False)
    assert "this node has no key" in told.err
    flip(f"{snapshot.images}/{MANIFEST}", 10)
    told = snapshot.restore("--key", str(key), check=False)
    assert "MAC" in told.err
    flip(f"{snapshot.images}/{MANIFEST}", 10)
    flip(f"{snapshot.images}/pages-1.img")
    told = snapshot.restore("--key", str(key), check=False)
    assert "pages-1.img: not what" in told.err
    flip(f"{snapshot.images}/pages-1.img")
    assert snapshot.restore("--key", str(key), "--trust", "signed").rc == 0


def test_options_that_the_images_need_are_named(snapshot):
    snapshot.take("--file-locks")
    told = snapshot.restore(check=False)
    assert "restore it with --file-locks" in told.err
    assert snapshot.restore("--file-locks").rc == 0


def test_large_memory_is_looked_at_beside_criu(workload):
    """Its digest is made while CRIU writes, and checked while CRIU reads; nothing runs before the verdict."""
    w = workload("memory").start()
    w.checkpoint()
    pages = f"{w.images}/pages-1.img"
    assert os.path.getsize(pages) > 4 << 20
    flip(pages, 4096 * 100)
    told = w.restore(check=False)
    assert told.rc != 0 and "images: pages-1.img: not what the manifest has the digest of" in told.err
    assert w.coracle.state(w.id) is None
    flip(pages, 4096 * 100)
    w.restore()
    w.check()
