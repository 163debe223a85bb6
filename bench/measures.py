"""What is measured. Every measure takes the run and one engine, and adds samples; bench/run calls them engine by engine, round by round."""
import contextlib
import os
import secrets
import subprocess
import time

from engines import alive, allocated, proc_stat, pss, tree, wait_until

MS = 1e6  # ns
EMPTY_BODY = '{"Name":"kb-%s-{n}","Labels":{},"Data":"%s"}'
DATA_32 = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class Load:
    """The C half."""

    def __init__(self, program):
        self.program = program

    def http(self, sock, connections, count, method, path, body=""):
        """(seconds in all, latencies in ms, bytes of the last body); an answer of 300 or more is an error."""
        p = subprocess.run([self.program, "http", sock, str(connections), str(count), method, path] + ([body] if body else []),
                           capture_output=True, text=True, timeout=600)
        if p.returncode:
            raise RuntimeError("load %s %s: %s" % (method, path, p.stderr.strip()))
        head, values = p.stdout.split("\n")[:2]
        head = head.split()
        if int(head[3]):
            raise RuntimeError("%s of %d requests failed (%s %s): %s" % (head[3], count, method, path, p.stderr.strip()))
        return int(head[1]) / 1e9, [int(v) / MS for v in values.split()], int(head[5])


class Watch:
    """The processes of one service, as the kernel sees them."""

    def __init__(self, program, nonce):
        self.p = subprocess.Popen([program, "watch", nonce, "/run/secrets/token"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.readable, self.gone = {}, {}
        self.how = self.p.stdout.readline().decode().strip()
        os.set_blocking(self.p.stdout.fileno(), False)
        self.rest = b""

    def poll(self):
        with contextlib.suppress(BlockingIOError):
            self.rest += self.p.stdout.read() or b""
        *lines, self.rest = self.rest.split(b"\n")
        for line in lines:
            what, pid, ns = line.decode().split()
            (self.readable if what == "readable" else self.gone)[int(pid)] = int(ns)

    def wait_readable(self, n, seconds):
        def enough():
            self.poll()
            return len(set(self.readable) - set(self.gone)) >= n
        wait_until(enough, seconds, 0.002)
        return sorted(self.readable.values())[n - 1]

    def wait_gone(self, n, seconds):
        def enough():
            self.poll()
            return len(self.gone) >= n
        wait_until(enough, seconds, 0.002)
        return max(self.gone.values())

    def close(self):
        self.p.stdin.close()
        self.p.wait(5)
        self.p.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Floors:
    """The machine's own."""

    def __init__(self, run):
        self.run = run

    def fdatasync(self):
        block = b"x" * 4096
        path = self.run.dir + "/floor"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        out = []
        for _ in range(self.run.count("fdatasync")):
            t = time.monotonic_ns()
            os.write(fd, block)
            os.fdatasync(fd)
            out.append((time.monotonic_ns() - t) / MS)
        os.close(fd)
        os.unlink(path)
        self.run.add("disk.append-4K-fdatasync", "machine", out)

    def round_trip(self, metric, size, count):
        sock = self.run.dir + "/floor.sock"
        p = subprocess.Popen([self.run.load.program, "serve", sock, str(size)], stdout=subprocess.PIPE)
        try:
            p.stdout.readline()
            self.run.add(metric, "machine", self.run.load.http(sock, 1, count, "GET", "/")[1])
        finally:
            p.kill()
            p.wait()
            p.stdout.close()
            os.unlink(sock)

    def runtime(self):
        """create, start and end of /bin/true by the container runtime alone, without a monitor, network or file system of its own."""
        bundle = self.run.dir + "/bundle"
        os.makedirs(bundle + "/rootfs", exist_ok=True)
        subprocess.run(["tar", "-xf", self.run.image_tar, "-C", bundle + "/rootfs"], check=True)
        helper = self.run.build + "/keep-runtime"
        crun = next((d + "/crun" for d in os.environ["PATH"].split(":") if os.path.exists(d + "/crun")), None)
        if not crun or not os.path.exists(helper):
            return
        subprocess.run([crun, "spec"], cwd=bundle, check=True)
        with open(bundle + "/config.json") as f:
            spec = f.read().replace('"terminal": true', '"terminal": false').replace('"sh"', '"true"')
        with open(bundle + "/config.json", "w") as f:
            f.write(spec)
        out = []
        for i in range(self.run.count("runtime")):
            t = time.monotonic_ns()
            subprocess.run([helper, crun, "--root", self.run.dir + "/crun", "run", "--bundle", bundle, "kb-%d-%d" % (os.getpid(), i)],
                           check=True, stdin=subprocess.DEVNULL, capture_output=True)
            out.append((time.monotonic_ns() - t) / MS)
        self.run.add("machine.crun-run-true", "machine", out)


def idle(run, e):
    """After swarm init, before anything else was asked."""
    time.sleep(run.count("settle"))
    e.idle_pss = pss(e.processes())
    run.add("idle.pss", e.name, [e.idle_pss / 1e6])


def creates(run, e, round_):
    for connections in (1, 8, 64):
        tag = "%d-%d-%s" % (connections, round_, run.tag)
        n = run.count("create%d" % connections)
        seconds, latency, _ = run.load.http(e.sock, connections, n, "POST", "/v1.41/secrets/create", EMPTY_BODY % (tag, DATA_32))
        run.add("create.c%d.rate" % connections, e.name, [n / seconds])
        run.add("create.c%d.latency" % connections, e.name, latency)


def populate(run, e):
    """Up to the number of secrets that the next measures stand on."""
    have = len(e.must("GET", "/secrets"))
    want = run.count("secrets")
    if have < want:
        run.load.http(e.sock, 32, want - have if want - have >= 32 else 32, "POST", "/v1.41/secrets/create", EMPTY_BODY % ("fill-" + run.tag, DATA_32))
    e.known = e.must("GET", "/secrets")[0]["Spec"]["Name"]
    run.add("many.disk", e.name, [allocated(e.state_dir()) / 1e6]) if e.state_dir() else None


def lookups(run, e):
    _, latency, size = run.load.http(e.sock, 1, run.count("list"), "GET", "/v1.41/secrets")
    run.add("many.list", e.name, latency, bytes=size)
    _, latency, _ = run.load.http(e.sock, 1, run.count("inspect"), "GET", "/v1.41/secrets/" + e.known)
    run.add("many.inspect-by-name", e.name, latency)


def restart(run, e):
    """kill -9 of all its programs, start, until a secret that is known can be read."""
    e.kill_all()
    t = time.monotonic_ns()
    e.start()

    def readable():
        try:
            return e.api("GET", "/secrets/" + e.known, timeout=5)[0] == 200
        except OSError:
            return False
    wait_until(readable, 60)
    run.add("many.ready-after-kill9", e.name, [(time.monotonic_ns() - t) / MS])
    have = len(e.must("GET", "/secrets"))
    run.add("many.lost-after-kill9", e.name, [max(0, run.count("secrets") - have)])


def start_service(run, e, replicas, watch):
    """Creates secret and service; (service's name, id of the secret, ns of the request)."""
    name = "kb-%s-%s" % (run.tag, secrets.token_hex(4))
    sid = e.secret(name, watch.nonce.encode())
    t = time.monotonic_ns()
    e.service(name, sid, name, watch.nonce, replicas)
    return name, sid, t


def remove_service(e, name, sid, n, watch):
    """(ns of the request, processes gone, containers gone)."""
    t = time.monotonic_ns()
    e.must("DELETE", "/services/" + name)
    gone = watch.wait_gone(n, 60)
    wait_until(lambda: not e.containers(name), 60, 0.02 if n > 1 else 0.004)
    removed = time.monotonic_ns()
    wait_until(lambda: e.api("DELETE", "/secrets/" + sid)[0] < 300, 30, 0.02)
    return t, gone, removed


class NoncedWatch(Watch):
    def __init__(self, program):
        self.nonce = secrets.token_hex(16)
        super().__init__(program, self.nonce)


def one_service(run, e):
    for _ in range(run.count("services")):
        with NoncedWatch(run.load.program) as w:
            name, sid, t = start_service(run, e, 1, w)
            run.add("service.readable", e.name, [(w.wait_readable(1, 30) - t) / MS])
            t, gone, removed = remove_service(e, name, sid, 1, w)
            run.add("service-rm.process-gone", e.name, [(gone - t) / MS])
            run.add("service-rm.container-gone", e.name, [(removed - t) / MS])


def fifty(run, e):
    n = run.count("replicas")
    with NoncedWatch(run.load.program) as w:
        before = pss(e.processes())
        name, sid, t = start_service(run, e, n, w)
        run.add("fifty.readable", e.name, [(w.wait_readable(n, 120) - t) / MS])
        wait_until(lambda: sum(x["Status"]["State"] == "running" for x in e.tasks(name)) == n, 60, 0.05)
        time.sleep(run.count("settle"))
        work = list(w.readable)
        run.add("task.pss", e.name, [(pss(e.processes(work)) - before) / n / 1e6])
        t, gone, removed = remove_service(e, name, sid, n, w)
        run.add("fifty-rm.processes-gone", e.name, [(gone - t) / MS])
        run.add("fifty-rm.containers-gone", e.name, [(removed - t) / MS])


def kill_with_tasks(run, e):
    """kill -9 of the daemon that serves the API; how many of its tasks are not what they were, once it is steady again."""
    n = 10
    with NoncedWatch(run.load.program) as w:
        name, sid, _ = start_service(run, e, n, w)
        w.wait_readable(n, 60)
        wait_until(lambda: sum(x["Status"]["State"] == "running" for x in e.tasks(name)) == n, 60, 0.05)
        before = {p: proc_stat(p)[2] for p in w.readable if alive(p)}
        e.kill_api()
        e.start()
        wait_until(e.answers, 60, 0.01)

        def steady():
            try:
                return sum(x["Status"]["State"] == "running" and x["DesiredState"] == "running" for x in e.tasks(name)) == n
            except (OSError, RuntimeError):
                return False
        wait_until(steady, 120, 0.05)
        time.sleep(2)
        wait_until(steady, 120, 0.05)
        disturbed = sum(1 for p, started in before.items() if not alive(p) or proc_stat(p)[2] != started)
        run.add("kill9.tasks-disturbed", e.name, [disturbed])
        w.poll()
        remove_service(e, name, sid, len(w.readable), w)
