"""The daemons that are measured: each with roots, network namespace and cgroup of its own, ended and removed afterwards.

Keep is ours. Peer is a dockerd with its containerd, started here; Given is one that runs already (it is not restarted, and
only the benchmark's own objects are removed from it)."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from urllib.parse import quote

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
API = "/v1.41"
IMAGE = "keep-bench:1"
LABEL = "keep-bench"


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("bench", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def wait_until(what, seconds, step=0.001):
    """Polls what() until it is true and returns its last value; TimeoutError names it otherwise."""
    end = time.monotonic() + seconds
    while True:
        v = what()
        if v:
            return v
        if time.monotonic() > end:
            raise TimeoutError("not within %g s: %s" % (seconds, getattr(what, "__name__", what)))
        time.sleep(step)


# ---- /proc
def proc_stat(pid):
    """(state, parent, start time) or None."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return fields[0], int(fields[1]), int(fields[19])
    except OSError:
        return None


def alive(pid):
    s = proc_stat(pid)
    return s is not None and s[0] not in "ZX"


def tree(roots):
    """The roots and all their descendants."""
    kids = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            s = proc_stat(int(p))
            if s:
                kids.setdefault(s[1], []).append(int(p))
    out, todo = [], list(roots)
    while todo:
        p = todo.pop()
        if p not in out:
            out.append(p)
            todo += kids.get(p, [])
    return out


def pss(pids):
    """Proportional set size, in bytes."""
    total = 0
    for p in pids:
        with contextlib.suppress(OSError):
            with open("/proc/%d/smaps_rollup" % p) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:")) * 1024
    return total


def allocated(path):
    """Bytes on the disk below path."""
    total = 0
    for base, _, files in os.walk(path):
        for f in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(base, f)).st_blocks * 512
    return total


class Engine:
    """What both kinds have. `root` is on the data disk."""
    name = "?"
    can_restart = True

    def __init__(self, root, number):
        self.root = root
        self.ns = "kb%d-%d" % (os.getpid(), number)
        self.cgroup = "/" + self.ns
        self.sock = root + "/api.sock"
        self.procs = []
        self.made_swarm = False

    # ---- processes
    def in_namespace(self, argv, log, env=None):
        with open(self.root + "/" + log, "ab") as f:
            p = subprocess.Popen(["nsenter", "--net=/run/netns/" + self.ns] + argv, stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                                 env={**os.environ, **(env or {})}, start_new_session=True)
        self.procs.append(p)
        return p

    def make_namespace(self):
        os.makedirs(self.root, exist_ok=True)
        subprocess.run(["ip", "netns", "add", self.ns], check=True)
        subprocess.run(["nsenter", "--net=/run/netns/" + self.ns, "ip", "link", "set", "lo", "up"], check=True)

    def roots(self):
        """Pids of the daemons, the one that serves the API first."""
        raise NotImplementedError

    def processes(self, workload=()):
        """All that the engine is made of: its daemons, what they started, and what stands above the workload."""
        pids = set(tree(self.roots()))
        for p in workload:
            while p > 1:
                pids.add(p)
                s = proc_stat(p)
                p = s[1] if s else 0
        return [p for p in pids - set(tree(workload)) if p != os.getpid()]

    # ---- API
    def api(self, method, path, body=None, timeout=60, headers=None):
        c = Connection(self.sock, timeout)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            c.request(method, API + path, body, {"Content-Type": "application/json", **(headers or {})})
            r = c.getresponse()
            data = r.read()
            with contextlib.suppress(ValueError):
                data = json.loads(data)
            return r.status, data
        finally:
            c.close()

    def must(self, method, path, body=None, **kw):
        status, data = self.api(method, path, body, **kw)
        if status >= 300:
            raise RuntimeError("%s: %s %s: %s %s" % (self.name, method, path.split("?")[0], status, str(data)[:400]))
        return data

    def answers(self):
        if self.procs and self.procs[-1].poll() is not None:
            raise RuntimeError("%s ended: %s" % (self.name, self.tail()))
        try:
            return self.api("GET", "/_ping", timeout=2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def tail(self):
        out = []
        for f in sorted(os.listdir(self.root)):
            if f.endswith(".log"):
                with open(self.root + "/" + f, "rb") as log:
                    out.append(f + ": " + log.read()[-1500:].decode(errors="replace"))
        return "\n".join(out)

    def prepare(self, tar):
        """An image and a swarm."""
        with open(tar, "rb") as f:
            self.must("POST", "/images/create?fromSrc=-&repo=%s&tag=%s" % tuple(IMAGE.split(":")), f.read(),
                      headers={"Content-Type": "application/x-tar"})
        if self.must("GET", "/info")["Swarm"]["LocalNodeState"] != "active":
            self.must("POST", "/swarm/init", {"ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1"})
            self.made_swarm = True

    def secret(self, name, value):
        import base64
        return self.must("POST", "/secrets/create", {"Name": name, "Data": base64.b64encode(value).decode()})["ID"]

    def service(self, name, secret_id, secret_name, nonce, replicas):
        return self.must("POST", "/services/create", {
            "Name": name, "Labels": {LABEL: "1"}, "Mode": {"Replicated": {"Replicas": replicas}},
            "TaskTemplate": {"ContainerSpec": {
                # sleep as process 1 ignores SIGTERM: the grace would be all that a removal measures
                "Image": IMAGE, "Command": ["sleep", "86400"], "Env": ["KEEP_BENCH=" + nonce], "StopSignal": "SIGKILL",
                "Secrets": [{"File": {"Name": "token", "UID": "0", "GID": "0", "Mode": 0o444},
                             "SecretID": secret_id, "SecretName": secret_name}]}}})["ID"]

    def tasks(self, service):
        return self.must("GET", "/tasks?filters=" + quote(json.dumps({"service": {service: True}})))

    def containers(self, service):
        f = {"label": {"com.docker.swarm.service.name=" + service: True}}
        return self.must("GET", "/containers/json?all=1&filters=" + quote(json.dumps(f)))

    # ---- the end
    def leave(self):
        with contextlib.suppress(Exception):
            for s in self.must("GET", "/services?filters=" + quote(json.dumps({"label": {LABEL: True}}))):
                self.api("DELETE", "/services/" + s["ID"])
        if self.made_swarm:
            with contextlib.suppress(Exception):
                self.api("POST", "/swarm/leave?force=1")

    def close(self):
        raise NotImplementedError

    def end_processes(self):
        for p in reversed(self.procs):
            if p.poll() is None:
                p.terminate()
                try:
                    p.wait(20)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()

    def sweep(self):
        """What is left below our own root: processes that name it or live in it, mounts, cgroups, the namespace, files."""
        mine = self.root.encode()
        for p in [int(x) for x in os.listdir("/proc") if x.isdigit() and int(x) != os.getpid()]:
            with contextlib.suppress(OSError):
                with open("/proc/%d/cmdline" % p, "rb") as f, open("/proc/%d/mountinfo" % p, "rb") as m:
                    if mine + b"/" in f.read() or mine + b"/" in m.readline():
                        os.kill(p, signal.SIGKILL)
        time.sleep(0.1)
        with open("/proc/self/mounts") as f:
            mounts = [line.split()[1] for line in f if self.root + "/" in line]
        for m in sorted(mounts, key=len, reverse=True):
            subprocess.run(["umount", "-l", m], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "del", self.ns], check=False, stderr=subprocess.DEVNULL)
        with open("/proc/self/mounts") as f:
            cgroups = [line.split()[1] for line in f if line.split()[2] in ("cgroup", "cgroup2")]
        for c in cgroups:
            for base, _, _ in os.walk(c + self.cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(base)
        shutil.rmtree(self.root, ignore_errors=True)


class Keep(Engine):
    name = "keep"

    def __init__(self, root, number, build):
        super().__init__(root, number)
        self.build = build
        self.keepd = None

    def state_dir(self):
        return self.root + "/data/swarm"

    def open(self):
        self.make_namespace()
        self.start()
        wait_until(self.answers, 20)

    def start(self):
        self.keepd = self.in_namespace([self.build + "/keepd", "--data-root", self.root + "/data", "--exec-root", self.root + "/run",
                                        "-H", "unix://" + self.sock, "-p", self.root + "/pid", "--cgroup-parent", self.cgroup],
                                       "keepd.log")

    def roots(self):
        return [self.keepd.pid]

    def kill_api(self):
        self.keepd.kill()
        self.keepd.wait()

    def kill_all(self):
        """keepd and keep-manager at once, and nothing else: containers and their monitors go on."""
        programs = []
        for p in tree(self.roots()):
            with contextlib.suppress(OSError):
                if os.path.basename(os.readlink("/proc/%d/exe" % p)) in ("keepd", "keep-manager"):
                    programs.append(p)
        for p in programs:
            os.kill(p, signal.SIGKILL)
        self.keepd.wait()
        wait_until(lambda: not any(alive(p) for p in programs), 5)

    def close(self):
        self.leave()
        self.end_processes()
        self.sweep()


class Peer(Engine):
    name = "dockerd"

    def __init__(self, root, number, tree_root):
        super().__init__(root, number)
        dirs = [tree_root + d for d in ("/usr/sbin", "/usr/bin", "/sbin", "/bin")] if tree_root else []
        self.path = ":".join(dirs + [os.environ["PATH"]])
        self.dockerd = self.containerd = None

    @staticmethod
    def found(tree_root):
        return os.path.exists(tree_root + "/usr/sbin/dockerd") if tree_root else bool(shutil.which("dockerd") and shutil.which("containerd"))

    def state_dir(self):
        return self.root + "/data/swarm"

    def open(self):
        self.make_namespace()
        ctd = self.root + "/containerd.sock"
        self.containerd = self.in_namespace([shutil.which("containerd", path=self.path), "--root", self.root + "/ctd", "--state",
                                             self.root + "/ctd-run", "--address", ctd], "containerd.log", {"PATH": self.path})
        wait_until(lambda: os.path.exists(ctd), 20)
        self.start()
        wait_until(self.answers, 30)

    def start(self):
        with contextlib.suppress(OSError):
            os.unlink(self.root + "/pid")
        # Without the variable each task first asks a registry for its image.
        self.dockerd = self.in_namespace([shutil.which("dockerd", path=self.path), "--data-root", self.root + "/data", "--exec-root",
                                          self.root + "/run", "-H", "unix://" + self.sock, "-p", self.root + "/pid", "--containerd",
                                          self.root + "/containerd.sock", "--cgroup-parent", self.cgroup], "dockerd.log",
                                         {"PATH": self.path, "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "1"})

    def roots(self):
        return [self.dockerd.pid, self.containerd.pid]

    def kill_api(self):
        self.dockerd.kill()
        self.dockerd.wait()

    kill_all = kill_api  # its manager is in the same process

    def close(self):
        self.leave()
        self.end_processes()
        self.sweep()


class Given(Engine):
    name = "peer"
    can_restart = False

    def __init__(self, root, number, sock, pids, state):
        super().__init__(root, number)
        self.sock, self.pids, self.state = sock, pids, state

    def state_dir(self):
        return self.state

    def open(self):
        if not self.answers():
            raise RuntimeError("nothing answers at " + self.sock)

    def roots(self):
        return self.pids

    def close(self):
        self.leave()
        with contextlib.suppress(Exception):
            for s in self.must("GET", "/secrets"):
                if s["Spec"]["Name"].startswith("kb-"):
                    self.api("DELETE", "/secrets/" + s["ID"])
