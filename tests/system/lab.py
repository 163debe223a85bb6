"""The ground that system tests stand on: a keepd of its own (roots, socket, network namespace, cgroup), clients, clean-up.

    with Lab() as lab:                  # starts keepd, waits for /_ping; ends and removes everything, also after a failure
        lab.docker("swarm", "init")     # the stock CLI; lab.keep(...) is ours; both give .out .err .rc
        lab.api("GET", "/secrets")      # (status, headers, parsed body)

Tests are functions whose names are sentences, run by `run(globals())`: TAP out, so tools/run-tests can add them up.
Environment: BUILD (build directory, default build), KEEP_TEST_LOGS=1 prints the daemon's log of a failed test."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
KEEPD, KEEP = os.path.join(BUILD, "keepd"), os.path.join(BUILD, "keep")
DOCKER = shutil.which("docker") or os.path.join(TOP, "build", "peer", "docker")
ROOTFS = os.path.join(BUILD, "busybox.tar")
SLEEPER = ["CMD [\"sh\",\"-c\",\"trap exit TERM; while :; do sleep 0.1; done\"]"]


class Result:
    def __init__(self, rc, out, err):
        self.rc, self.out, self.err = rc, out, err

    def __repr__(self):
        return "rc %d, out %r, err %r" % (self.rc, self.out[:600], self.err[:600])


class Skip(Exception):
    pass


def wait_for(what, seconds=10, step=0.02):
    """Polls what() until it is true; its last value, or an AssertionError that names it."""
    end = time.monotonic() + seconds
    while True:
        v = what()
        if v:
            return v
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (seconds, getattr(what, "__name__", what)))
        time.sleep(step)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Lab:
    count = 0

    def __init__(self, start=True, args=(), env=None, images=True, debug=True):
        Lab.count += 1
        self.name = "kt%d-%d" % (os.getpid(), Lab.count)
        # Not the default: a keepd that starts clears what it does not know below its parent, also another's.
        self.cgroup = "/keep-" + self.name
        self.dir = tempfile.mkdtemp(prefix="keep-system-")
        self.data, self.run = self.dir + "/data", self.dir + "/run"
        self.sock, self.log = self.dir + "/keep.sock", self.dir + "/keepd.log"
        self.args, self.env, self.proc = list(args), env or {}, None
        self.images, self.want_start, self.debug = images, start, debug

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.inside("ip", "link", "set", "lo", "up")
        if self.want_start:
            try:
                self.start()
                if self.images:
                    self.image("busybox:latest")
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def inside(self, *argv, **kw):
        return subprocess.run(["nsenter", "--net=/run/netns/" + self.name] + list(argv), check=True, **kw)

    def command(self):
        return ["nsenter", "--net=/run/netns/" + self.name, KEEPD, *(["-D"] if self.debug else []), "--data-root", self.data, "--exec-root", self.run,
                "-H", "unix://" + self.sock, "-p", self.dir + "/keepd.pid", "--cgroup-parent", self.cgroup] + self.args

    def start(self, wait=True):
        self.logfile = open(self.log, "ab")
        env = {"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0", **self.env}
        self.proc = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.logfile, stderr=self.logfile, env=env,
                                     start_new_session=True)
        if wait:
            wait_for(self.answers, 15)

    def answers(self):
        if self.proc.poll() is not None:
            raise AssertionError("keepd ended with %s: %s" % (self.proc.returncode, self.tail()))
        try:
            return self.api("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def kill9(self):
        self.proc.send_signal(signal.SIGKILL)
        self.proc.wait()

    def stop(self, seconds=20):
        if self.proc and self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(seconds)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
                raise AssertionError("keepd did not end within %d s of SIGTERM" % seconds)

    def tail(self, n=3000):
        with open(self.log, "rb") as f:
            return f.read()[-n:].decode(errors="replace")

    # ---- clients
    def cli(self, argv, stdin=None, timeout=60, env=None, text=True):
        e = {"PATH": os.environ["PATH"], "HOME": self.dir, "DOCKER_HOST": "unix://" + self.sock, "KEEP_HOST": "unix://" + self.sock, **(env or {})}
        if isinstance(stdin, str):
            stdin = stdin.encode()
        p = subprocess.run(["nsenter", "--net=/run/netns/" + self.name] + argv, input=stdin if stdin is not None else b"",
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, env=e)
        dec = (lambda b: b.decode(errors="replace")) if text else (lambda b: b)
        return Result(p.returncode, dec(p.stdout), dec(p.stderr))

    def docker(self, *argv, **kw):
        return self.cli([DOCKER] + list(argv), **kw)

    def keep(self, *argv, **kw):
        return self.cli([KEEP] + list(argv), **kw)

    def ok(self, *argv, **kw):
        r = self.docker(*argv, **kw)
        assert r.rc == 0, "docker %s: %r" % (" ".join(argv), r)
        return r.out.strip()

    def api(self, method, path, body=None, headers=None, timeout=30):
        c = UnixConnection(self.sock, timeout)
        try:
            h = {"Content-Type": "application/json", **(headers or {})}
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            c.request(method, path, body, h)
            r = c.getresponse()
            data = r.read()
            with contextlib.suppress(ValueError):
                data = json.loads(data)
            return r.status, dict(r.getheaders()), data
        finally:
            c.close()

    def raw(self, data, timeout=5, half_close=True):
        """Bytes in, bytes out, until the daemon closes or the time is over."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(self.sock)
        out = b""
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            while True:
                b = s.recv(65536)
                if not b:
                    break
                out += b
        except (OSError, socket.timeout):
            pass
        s.close()
        return out

    # ---- things
    def image(self, name, changes=SLEEPER):
        if not os.path.exists(ROOTFS):
            with open(ROOTFS + ".new", "wb") as f:
                subprocess.run([TOP + "/tools/busybox-rootfs"], stdout=f, check=True)
            os.rename(ROOTFS + ".new", ROOTFS)
        args = []
        for c in changes:
            args += ["--change", c]
        self.ok("import", *args, ROOTFS, name)

    def init(self):
        return self.ok("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")

    def secret(self, name, value="s3cret"):
        return self.ok("secret", "create", name, "-", stdin=value)

    def service(self, name, *flags, image="busybox:latest", args=(), detach=True, running=True, replicas=1):
        sid = self.ok("service", "create", "--name", name, "--no-resolve-image", "--replicas", str(replicas),
                      *(["-d"] if detach else []), *flags, image, *args)
        if running:
            self.running(name, replicas)
        return sid.split()[0]

    def tasks(self, service):
        return self.api("GET", "/tasks?filters=" + http_quote({"service": {service: True}}))[2]

    def running(self, service, n=1, seconds=20):
        def enough():
            t = [x for x in self.tasks(service) if x["Status"]["State"] == "running" and x["DesiredState"] == "running"]
            return t if len(t) == n else None
        return wait_for(enough, seconds)

    def containers(self, name="", all=False):
        return self.ok("ps", "-q", "--no-trunc", *(["-a"] if all else []), "--filter", "name=" + name).split()

    def read(self, container, path):
        r = self.docker("exec", container, "cat", path)
        return r.out if r.rc == 0 else None

    def mounts(self):
        with open("/proc/self/mounts") as f:
            return [line for line in f if self.dir in line]

    # ---- the end
    def __exit__(self, kind, value, trace):
        if kind and os.environ.get("KEEP_TEST_LOGS"):
            print("# log: " + self.tail(20000).replace("\n", "\n# log: ") if os.path.exists(self.log) else "# no log")
        with contextlib.suppress(Exception):
            if self.proc and self.proc.poll() is None:
                self.api("POST", "/swarm/leave?force=1", timeout=30)
                for c in self.api("GET", "/containers/json?all=1")[2]:
                    self.api("DELETE", "/containers/%s?force=1" % c["Id"])
        with contextlib.suppress(AssertionError):
            self.stop()
        self.sweep()
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        return False

    def sweep(self):
        """What a daemon that died in the middle of a test left: processes, mounts, directories below our own roots only."""
        for pid in [int(p) for p in os.listdir("/proc") if p.isdigit()]:
            with contextlib.suppress(OSError):
                with open("/proc/%d/cmdline" % pid, "rb") as f:
                    if self.dir.encode() in f.read():
                        os.kill(pid, signal.SIGKILL)
        for cid in self.cgroup_pids():
            with contextlib.suppress(OSError):
                os.kill(cid, signal.SIGKILL)
        time.sleep(0.05)
        for line in sorted(self.mounts(), key=len, reverse=True):
            subprocess.run(["umount", "-l", line.split()[1]], check=False, stderr=subprocess.DEVNULL)
        with open("/proc/self/mounts") as f:
            cgroups = [line.split()[1] for line in f if line.split()[2] in ("cgroup", "cgroup2")]
        for c in cgroups:
            for base, _, _ in os.walk(c + self.cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(base)
        shutil.rmtree(self.dir, ignore_errors=True)

    def cgroup_pids(self):
        """Processes whose root is below our directory: containers that lost their monitor."""
        out = []
        for p in os.listdir("/proc"):
            if p.isdigit():
                with contextlib.suppress(OSError):
                    with open("/proc/%s/mountinfo" % p) as f:
                        if self.dir in f.readline():
                            out.append(int(p))
        return out


def http_quote(obj):
    from urllib.parse import quote
    return quote(json.dumps(obj))


def run(space):
    """Runs every test_* function of a test file; TAP; exit status 1 when one failed."""
    if os.geteuid() != 0:
        print("1..0 # SKIP system tests start containers: they need root")
        sys.exit(0)
    tests = [(n, f) for n, f in space.items() if n.startswith("test_") and callable(f)]
    bad = 0
    for i, (name, fn) in enumerate(tests, 1):
        try:
            fn()
            print("ok %d - %s" % (i, name[5:]), flush=True)
        except Skip as why:
            print("ok %d - %s # SKIP %s" % (i, name[5:], why), flush=True)
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
            bad += 1
            print("not ok %d - %s" % (i, name[5:]), flush=True)
            print("# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
    print("1..%d" % len(tests))
    sys.exit(1 if bad else 0)
