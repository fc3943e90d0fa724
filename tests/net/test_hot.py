# SPDX-License-Identifier: GPL-2.0-or-later
"""test_hot.py - a running container is connected to a switch and disconnected, under a server and its client."""
import pytest

pytestmark = pytest.mark.needs("root", "tree")

NGINX = r"""printf 'worker_processes 1; daemon off; pid /tmp/%s.pid; error_log /dev/stderr; events {}
http { access_log off; server { listen 80; listen [::]:80; location / { return 200 "hello from %s\n"; } } }' "$0" "$0" \
    >/tmp/nginx.conf; exec nginx -c /tmp/nginx.conf"""


def test_connect_and_disconnect_under_nginx_and_a_client(net):
    net.switch("create", "front", "--gateway")
    net.switch("create", "back", "--gateway")
    net.up("www", "--switch", "front", "--mount", "type=tmpfs,dst=/tmp", command=NGINX.replace('"$0"', "www"))
    net.listening("www", 80)
    front = net.address("www")
    client = net.node.start(f"while :; do curl -sfm 5 http://{front}/ || echo FAILED; sleep 0.01; done")
    client.expect("hello from www")
    for _ in range(3):
        net.switch("connect", "www", "back", "--ifname", "back0")
        back = net.addresses("www")["back"]
        assert net.node.run(f"curl -sfm 5 http://{back}/").out == "hello from www\n"
        assert "back0" in net.inside("www", "ip -br link").out
        net.switch("disconnect", "www", "back")
        assert "back0" not in net.inside("www", "ip -br link").out
        assert "back" not in net.addresses("www")
    assert "FAILED" not in client.so_far().out
    client.kill()
    net.switch("disconnect", "www", "front")
    assert net.node.run(f"curl -sfm 1 http://{front}/", check=False).rc != 0
    net.switch("connect", "www", "front", "--ip", front)
    assert net.node.run(f"curl -sfm 5 http://{front}/").out == "hello from www\n"
    assert net.inside("www", "ip route").out.startswith("default via ")
    net.down("www")
    assert net.json("leases") == [] and net.links() == {"sw-front", "sw-back"}


def test_a_container_without_network_is_connected(net):
    net.switch("create", "web", "--gateway")
    net.up("one")
    net.up("two", "--switch", "web")
    assert "eth0" not in net.inside("one", "ip -br link").out
    net.switch("connect", "one", "web", "--ip", "10.210.0.9", "--mac", "02:00:00:00:00:09", "--rate", "100mbit")
    net.inside("one", f"ping -c 1 -W 5 {net.address('two')}")
    net.inside("two", "ping -c 1 -W 5 one")
    assert net.addresses("one") == {"web": "10.210.0.9"}
    net.down("one", "two")
    assert net.json("leases") == []


def test_names_follow_a_hot_connect(net):
    net.switch("create", "front")
    net.switch("create", "back")
    net.up("app", "--switch", "front")
    net.up("db", "--switch", "back")
    assert net.inside("app", "getent hosts db", check=False).rc == 2
    net.switch("connect", "app", "back")
    net.inside("app", "ping -c 1 -W 5 db")
    net.up("late", "--switch", "back")
    net.inside("app", "ping -c 1 -W 5 late")
    net.switch("disconnect", "app", "back")
    assert net.inside("app", "getent hosts db", check=False).rc == 2
    net.inside("app", "getent hosts app")


def test_errors_of_connect(net):
    net.switch("create", "web", "--subnet", "10.5.0.0/24")
    net.up("one", "--switch", "web")
    for words, text in {("connect", "nobody", "web"): "container `nobody` does not exist",
                        ("connect", "one", "nosuch"): "switch `nosuch` does not exist",
                        ("connect", "one", "web", "--ifname", "eth0"): "two links named eth0",
                        ("disconnect", "one", "other"): "the container is not connected to switch other"}.items():
        failed = net.switch(*words, check=False)
        assert failed.rc == 1 and text in failed.err, failed.err
    net("kill", "one", "KILL")
    net.settled(lambda: net("state", "one").out.count('"stopped"'), 1)
    assert "not running" in net.switch("connect", "one", "web", check=False).err
