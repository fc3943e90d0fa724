# SPDX-License-Identifier: GPL-2.0-or-later
"""test_cni.py - the plugin, spoken to as the specification's runtimes do (CNI 1.1.0, and the older results)."""
import json

import pytest

pytestmark = pytest.mark.needs("root", "tree")

VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]


class Cni:
    """The plugin as an engine calls it, against network namespaces made by `ip netns`."""

    def __init__(self, net):
        self.net = net
        net.node.run("mkdir -p /cni /var/run/netns && ln -s /bed/bin/coracle-node /cni/coracle")

    def __call__(self, command, config=None, container="c1", ifname="eth0", netns="/var/run/netns/n1", check=True,
                 version="1.1.0", **extra):
        config = {"cniVersion": version, "name": "web", "type": "coracle", **(config or {}), **extra}
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_IFNAME": ifname, "CNI_PATH": "/cni"}
        if netns:
            env["CNI_NETNS"] = netns
        done = self.net.node.run(["/cni/coracle"], input=json.dumps(config), env=env, check=check)
        return json.loads(done.out) if done.out else None

    def error(self, *args, **how):
        got = self(*args, check=False, **how)
        assert got and "code" in got, got
        return got["code"], got["msg"]


@pytest.fixture
def cni(net):
    net.switch("create", "web", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "--nat")
    net.node.run("mkdir -p /var/run/netns; ip netns add n1; ip netns add n2")
    return Cni(net)


def test_version(cni):
    assert cni("VERSION") == {"cniVersion": "1.1.0", "supportedVersions": VERSIONS}
    assert cni("VERSION", version="0.4.0")["cniVersion"] == "0.4.0"


@pytest.mark.parametrize("version", VERSIONS)
def test_add_check_and_del(cni, version):
    before = cni.net.rules()
    result = cni("ADD", version=version)
    assert result["cniVersion"] == version
    assert [i["name"] for i in result["interfaces"]][::2] == ["sw-web", "eth0"]
    assert result["interfaces"][2]["sandbox"] == "/var/run/netns/n1"
    assert ("mtu" in result["interfaces"][2]) == (version == "1.1.0")
    assert [ip.get("version") for ip in result["ips"]] == (["4", "6"] if version < "1" else [None, None])
    assert result["ips"][0]["gateway"] == "10.5.0.1" and all(ip["interface"] == 2 for ip in result["ips"])
    assert {r["dst"] for r in result["routes"]} == {"0.0.0.0/0", "::/0"}
    shown = cni.net.node.run("ip -n n1 addr show eth0").out
    assert result["interfaces"][2]["mac"] in shown and all(ip["address"] in shown for ip in result["ips"])
    cni.net.node.run("ip netns exec n1 ping -c 1 -W 5 10.5.0.1")
    if version >= "0.4.0":
        assert cni("CHECK", version=version, prevResult=result) is None
    assert cni("DEL", version=version, prevResult=result) is None
    assert cni("DEL", version=version) is None                              # again: no failure
    assert "eth0" not in cni.net.node.run("ip -n n1 -br link").out
    assert cni.net.json("leases") == [] and cni.net.rules() == before
    assert cni.net.node.run("find /run/coracle-cni -mindepth 2").out == ""


def test_two_containers_reach_each_other(cni):
    cni("ADD")
    two = cni("ADD", container="c2", netns="/var/run/netns/n2", ifname="net7")
    cni.net.node.run(f"ip netns exec n1 ping -c 1 -W 5 {two['ips'][0]['address'].split('/')[0]}")
    cni.net.up("three", "--switch", "web")
    cni.net.inside("three", f"ping -c 1 -W 5 {two['ips'][0]['address'].split('/')[0]}")


def test_what_the_runtime_asks_for(cni):
    result = cni("ADD", runtimeConfig={
        "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
        "ips": ["10.5.0.77/24"], "mac": "02:00:00:00:00:77",
        "bandwidth": {"ingressRate": 20000000, "ingressBurst": 1000, "egressRate": 20000000, "egressBurst": 1000}})
    assert result["ips"][0]["address"] == "10.5.0.77/24" and result["interfaces"][2]["mac"] == "02:00:00:00:00:77"
    server = cni.net.node.start("exec ip netns exec n1 python3 -u -m http.server 80")
    server.expect("Serving")
    cni.net.node.run("curl -sfm 10 -o /dev/null http://127.0.0.1:8080/")
    assert "rate 20Mbit" in cni.net.node.run("ip netns exec n1 tc qdisc show dev eth0").out
    cni("DEL")
    assert cni.net.node.run("curl -sfm 2 http://127.0.0.1:8080/", check=False).rc != 0


def test_check_tells_what_is_wrong(cni):
    result = cni("ADD")
    cni.net.node.run("ip -n n1 addr flush dev eth0")
    code, msg = cni.error("CHECK", prevResult=result)
    assert code >= 100 and "has lost address" in msg
    cni.net.node.run("ip -n n1 link del eth0")
    assert "No such device" in cni.error("CHECK", prevResult=result)[1]
    cni("DEL")
    assert cni.error("CHECK", prevResult=result)[0] == 3


def test_gc_keeps_what_is_valid(cni):
    cni("ADD")
    cni("ADD", container="c2", netns="/var/run/netns/n2")
    cni("GC", netns=None, **{"cni.dev/valid-attachments": [{"containerID": "c2", "ifname": "eth0"}]})
    assert {x["name"] for x in cni.net.json("leases")} == {"c2"}
    assert "eth0" not in cni.net.node.run("ip -n n1 -br link").out
    cni.net.node.run("ip netns exec n2 ping -c 1 -W 5 10.5.0.1")
    cni("GC", netns=None, **{"cni.dev/valid-attachments": []})
    assert cni.net.json("leases") == []


def test_status(cni):
    assert cni("STATUS", netns=None) is None
    code, msg = cni.error("STATUS", switch="nosuch")
    assert code == 50 and "switch `nosuch` does not exist" in msg


def test_errors_have_the_specification_s_codes(cni):
    assert cni.error("ADD", version="9.9.9")[0] == 1
    assert cni.error("GC", version="1.0.0")[0] == 1
    assert cni.error("ADD", netns=None)[0] == 4
    assert cni.error("ADD", ifname="a/b")[0] == 4
    assert cni.error("ADD", container="../x")[0] == 4
    assert cni.error("FROB")[0] == 4
    assert cni.error("ADD", netns="/etc/passwd") == (4, "/etc/passwd: not a network namespace")
    assert cni.error("ADD", name="..")[0] == 7
    assert cni.error("ADD", runtimeConfig={"ips": ["bogus"]})[0] == 7
    broken = cni.net.node.run(["/cni/coracle"], input="{", env={"CNI_COMMAND": "ADD"}, check=False)
    assert broken.rc == 1 and json.loads(broken.out)["code"] == 6
    code, msg = cni.error("ADD", switch="nosuch")
    assert code >= 100 and "switch `nosuch` does not exist" in msg
    cni("ADD")
    assert "has link eth0 already" in cni.error("ADD")[1]
    assert cni.net.json("ls")[0]["ports"] == 1
    cni("DEL")
    assert cni.net.json("leases") == []
