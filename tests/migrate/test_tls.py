# SPDX-License-Identifier: GPL-2.0-or-later
"""Over TLS: both sides prove themselves, and whoever listens on the wire sees no page.  needs: tree"""
import time

import pytest

pytestmark = pytest.mark.needs("tree")

MARKER = b"coracle-test-marker-in-memory"


def certificates(pair):
    """An authority, a certificate for each node by its address, and one of a stranger's authority."""
    hosts = {"a": pair.link.addresses[0], "b": pair.link.addresses[1]}
    pair.a.run(f"""set -e; rm -rf /share/tls; mkdir -p /share/tls; cd /share/tls
        ca() {{ openssl req -x509 -newkey ed25519 -nodes -keyout $1.key -out $1.pem -subj /CN=$1 -days 2 2>/dev/null; }}
        ca ca; ca stranger
        node() {{ mkdir $1; openssl req -newkey ed25519 -nodes -keyout $1/key.pem -out $1/req -subj /CN=$1 2>/dev/null
            printf 'subjectAltName=IP:%s\\n' $2 >$1/ext
            openssl x509 -req -in $1/req -CA $3.pem -CAkey $3.key -CAcreateserial -days 2 -extfile $1/ext -out $1/cert.pem 2>/dev/null
            cp ca.pem $1/ca.pem; chmod 600 $1/key.pem; }}
        node a {hosts["a"]} ca; node b {hosts["b"]} ca; node c {hosts["a"]} stranger; node wrong 192.0.2.9 ca
        chmod 700 .""")
    return hosts["b"]


def listen(pair, tls="/share/tls/b", *options):
    receiver = pair.b.start(["coracle", "receive", "--listen", "tls://:7777", "--once", "--tls", tls, *options])
    end = time.monotonic() + 10
    while ":1E61 " not in pair.b.run("cat /proc/net/tcp /proc/net/tcp6").out:
        assert time.monotonic() < end and receiver.poll() is None, receiver.wait(1)
    return receiver


def test_an_eavesdropper_sees_no_page(pair):
    host = certificates(pair)
    # the container's environment is part of its memory
    c = pair.counter("c", config=lambda c: c["process"]["env"].append("M=" + MARKER.decode()))
    dump = pair.b.start(f"tcpdump -i eth0 -U -w /share/wire -s 0 tcp port 7777")
    dump.expect("listening")
    receiver = listen(pair)
    pair.a.run(["coracle", "migrate", "--progress", "none", "--tls", "/share/tls/a", "c", f"tls://{host}:7777"])
    assert receiver.wait(20).rc == 0
    dump.kill()
    pair.only_on("b", c)
    with open(pair.share + "/wire", "rb") as f:
        seen = f.read()
    assert len(seen) > 1000000
    assert MARKER not in seen
    assert b"CORACLE-MIGRATE" not in seen


def test_without_encryption_the_marker_is_there(pair):
    """What the test above looks for can be found, where nothing hides it."""
    pair.counter("c", config=lambda c: c["process"]["env"].append("M=" + MARKER.decode()))
    receiver, address = pair.receive(pair.b)
    path = address.split(":")[1]
    pair.a.run(["coracle", "migrate", "--progress", "none", "c",
                f"exec:tee /share/plain | socat - UNIX-CONNECT:{path}"])
    assert receiver.wait(20).rc == 0
    with open(pair.share + "/plain", "rb") as f:
        assert MARKER in f.read()


@pytest.mark.parametrize("mine, theirs, words", [
    ("c", "b", "TLS"),                      # we are a stranger there
    ("a", "c", "certificate verify failed"),        # they are a stranger here
    ("a", "wrong", "certificate verify failed"),    # a certificate of the right authority, for another host
])
def test_a_wrong_certificate_moves_nothing(pair, mine, theirs, words):
    host = certificates(pair)
    c = pair.counter("c")
    if theirs == "c":
        pair.a.run("cp /share/tls/stranger.pem /share/tls/c/ca.pem")
    receiver = listen(pair, f"/share/tls/{theirs}")
    result = pair.a.run(["coracle", "migrate", "--progress", "none", "--tls", f"/share/tls/{mine}", "c",
                         f"tls://{host}:7777"], check=False)
    assert result.rc == 1 and words in result.err, result.err
    told = receiver.wait(20)
    assert told.rc == 1 and "TLS" in told.err
    pair.only_on("a", c)


def test_a_key_that_others_can_read_is_refused(pair):
    host = certificates(pair)
    c = pair.counter("c")
    pair.a.run("chmod 644 /share/tls/a/key.pem")
    receiver = listen(pair)
    result = pair.a.run(["coracle", "migrate", "--progress", "none", "--tls", "/share/tls/a", "c", f"tls://{host}:7777"],
                        check=False)
    receiver.kill()
    assert "key.pem: readable by others (mode 0644): chmod 600" in result.err
    pair.only_on("a", c)


def test_garbage_instead_of_a_handshake(pair):
    """Without a certificate nothing is parsed: the receiver ends the connection at once."""
    host = certificates(pair)
    receiver = listen(pair)
    pair.a.run(f"head -c 100000 /dev/urandom | socat - TCP:{host}:7777", check=False)
    told = receiver.wait(20)
    assert told.rc == 1 and "TLS" in told.err
