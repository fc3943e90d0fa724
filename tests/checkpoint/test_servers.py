# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers at work go through a checkpoint and a restore, and go on where they were."""
import copy
import json

import pytest

from lib.bundle import DEFAULT


class Server:
    """A container whose root is the node's own tree, with a program of it."""

    def __init__(self, node, command, user=0, change=None):
        self.node = node
        node.run("mkdir -p /r /b && mount --bind / /r")
        config = copy.deepcopy(DEFAULT)
        config["root"]["path"] = "/r"
        config["process"]["args"] = ["/bin/sh", "-c", command]
        config["process"]["user"] = {"uid": user, "gid": user}
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}]
        config["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "tmpfs",
                                 "options": ["mode=1777", "nosuid"]})
        if change:
            change(config)
        node.write("/b/config.json", json.dumps(config))
        node.run("coracle run --detach --bundle /b c </dev/null >/dev/null 2>&1")

    def inside(self, command, **how):
        return self.node.run(["coracle", "exec", "c", "/bin/sh", "-c", command], **how).out.strip()

    def until(self, command):
        return self.inside(f"for i in $(seq 400); do {command} >/dev/null 2>&1 && exit 0; sleep 0.05; done; exit 1")

    def there_and_back(self, options=""):
        self.node.run(f"coracle checkpoint {options} --image-path /img c")
        self.node.run(f"coracle restore {options} --detach --image-path /img --bundle /b c </dev/null >/dev/null")


def test_redis_under_load(node):
    redis = "redis-cli -s /data/redis.sock"
    s = Server(node, "redis-server --save '' --dir /data --unixsocket /data/redis.sock >/dev/null & "
                     f"until {redis} ping; do sleep 0.05; done >/dev/null 2>&1; "
                     "exec redis-benchmark -s /data/redis.sock -c 4 -l -q -t incr >/dev/null")
    s.until(f"{redis} get counter:__rand_int__ | grep -q .")
    s.inside(f"{redis} set here before")
    for _ in range(2):
        before = int(s.inside(f"{redis} get counter:__rand_int__"))
        s.there_and_back()
        assert s.inside(f"{redis} get here") == "before"
        s.until(f"[ $({redis} get counter:__rand_int__) -gt {before + 1000} ]")


def test_nginx_with_connections(node):
    node.write("/nginx.conf", "daemon off; user root; pid /data/pid; error_log /data/log; worker_processes 2;\n"
               "events {} http { access_log off; client_body_temp_path /data; proxy_temp_path /data/p; "
               "fastcgi_temp_path /data/f; uwsgi_temp_path /data/u; scgi_temp_path /data/s; "
               "server { listen 8080; listen [::]:8080; location / { return 200 $connection-$connection_requests; } } }")
    s = Server(node, "exec nginx -e /data/log -c /nginx.conf")
    s.until("curl -sf http://127.0.0.1:8080/")
    s.there_and_back()
    first = s.inside("curl -sf http://127.0.0.1:8080/ http://[::1]:8080/")
    assert first.count("-1") == 2, first
    s.there_and_back()
    assert s.inside("curl -sf http://127.0.0.1:8080/").endswith("-1")


APP = """let n = 0; const kept = Array.from({length: 200000}, (_, i) => ({i}));
setInterval(() => n++, 5);
require('http').createServer((q, a) => a.end(`${n} ${kept.reduce((s, x) => s + x.i, 0)}`)).listen(8080);
"""


def without_io_uring(config):
    """As the engines' default profiles have it."""
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["io_uring_setup", "io_uring_enter", "io_uring_register"], "action": "SCMP_ACT_ERRNO",
         "errnoRet": 38}]}


def test_node_js_keeps_its_timers_and_heap(node):
    node.write("/app.js", APP)
    s = Server(node, "exec node /app.js >/dev/null", change=without_io_uring)
    s.until("curl -sf http://127.0.0.1:8080/")
    for _ in range(2):
        before, total = s.inside("curl -sf http://127.0.0.1:8080/").split()
        s.there_and_back("--tcp-established")
        s.until(f"[ $(curl -sf http://127.0.0.1:8080/ | cut -d' ' -f1) -gt {before} ]")
        assert s.inside("curl -sf http://127.0.0.1:8080/").split()[1] == total


def test_io_uring_is_named_and_runs_on(node):
    """CRIU has nothing for it; Node.js uses it where it may."""
    node.write("/app.js", APP)
    s = Server(node, "exec node /app.js >/dev/null")
    s.until("curl -sf http://127.0.0.1:8080/")
    done = node.run("coracle checkpoint --image-path /img c", check=False)
    assert done.rc == 1 and "io_uring" in done.err and "/img/dump.log" in done.err
    s.until("curl -sf http://127.0.0.1:8080/")


def system_container(config):
    config["process"]["args"] = ["/usr/lib/systemd/systemd"]
    config["process"]["env"].append("container=oci")
    config["process"]["noNewPrivileges"] = False
    rights = ["CAP_" + x for x in ("SYS_ADMIN", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
                                   "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "MKNOD", "NET_ADMIN", "SYS_PTRACE")]
    config["process"]["capabilities"] = {k: rights for k in ("bounding", "effective", "permitted")}
    next(m for m in config["mounts"] if m["type"] == "cgroup")["options"] = ["nosuid", "noexec", "nodev", "rw"]
    for place in ("/run", "/tmp"):
        config["mounts"].append({"destination": place, "type": "tmpfs", "source": "tmpfs",
                                 "options": ["mode=755", "nosuid", "nodev"]})


def test_systemd_is_refused_by_what_stands_in_the_way_and_runs_on(node):
    """CRIU 4.2 cannot name what systemd watches in its control groups."""
    for unit in ("redis-server", "nginx", "postgresql", "postgresql@", "ssh"):
        node.run(f"ln -sf /dev/null /etc/systemd/system/{unit}.service")
    s = Server(node, "", change=system_container)
    s.until("systemctl is-system-running --wait")
    done = node.run("coracle checkpoint --image-path /img c", check=False)
    assert done.rc == 1 and "inotify" in done.err and "systemd" in done.err
    assert s.inside("systemctl is-system-running") == "running"


@pytest.mark.needs("sys-resource")
def test_postgresql_under_load(node):
    """A user of its own: see test_container.py."""
    bin = node.run("ls -d /usr/lib/postgresql/*/bin").out.strip()
    s = Server(node, f"cd /data && {bin}/initdb -D /data/db >/dev/null && mkdir /data/s && "
                     f"exec {bin}/postgres -D /data/db -k /data/s >/data/log 2>&1", user=33)
    psql = f"{bin}/psql -h /data/s -d postgres -Atc"
    s.until(f"{psql} 'select 1'")
    s.inside(f"{bin}/pgbench -h /data/s -i postgres")
    node.run(f"coracle exec --detach c {bin}/pgbench -h /data/s -T 600 postgres")
    for _ in range(2):
        before = s.inside(f"{psql} 'select count(*) from pgbench_history'")
        s.there_and_back()
        s.until(f"[ $({psql} 'select count(*) from pgbench_history') -gt {before} ]")
        assert s.inside(f"{psql} 'select count(*) from pgbench_accounts'") == "100000"
