#!/usr/bin/env python3
"""kill -9 at any moment: it comes back, containers went on, nothing acknowledged is lost, nothing is left lying about."""
import os
import random
import signal
import subprocess
import threading
import time

from lab import Lab, alive, run, wait_for


def manager_pid(lab):
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open("/proc/%s/cmdline" % p, "rb") as f:
                    argv = f.read().split(b"\0")
            except OSError:
                continue
            if argv[0].endswith(b"/keep-manager") and (lab.data + "/swarm/manager").encode() in argv and alive(int(p)):
                return int(p)
    return 0


def pids(lab, name):
    return {c: lab.api("GET", "/containers/%s/json" % c)[2]["State"]["Pid"] for c in lab.containers(name)}


def test_containers_and_their_secrets_go_on_when_keepd_is_killed():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("web", "--secret", "s", replicas=5)
        before = pids(lab, "web")
        lab.kill9()
        assert all(alive(p) for p in before.values())
        lab.start()
        lab.running("web", 5)
        assert pids(lab, "web") == before
        assert all(lab.read(c, "/run/secrets/s") == "value" for c in before)
        assert len(lab.tasks("web")) == 5, [t["Status"] for t in lab.tasks("web")]


def test_the_manager_is_started_again_and_lost_nothing():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("web", "--secret", "s")
        before = pids(lab, "web")
        for _ in range(3):
            pid = manager_pid(lab)
            assert pid
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: manager_pid(lab) not in (0, pid), 10)
            wait_for(lambda: lab.docker("secret", "ls", "-q").rc == 0, 10)
        assert [s["Spec"]["Name"] for s in lab.api("GET", "/secrets")[2]] == ["s"]
        lab.running("web", 1)
        assert pids(lab, "web") == before
        lab.secret("after", "x")


def test_no_acknowledged_secret_is_lost_whenever_a_daemon_dies():
    rng = random.Random(7)
    with Lab(images=False) as lab:
        lab.init()
        acknowledged, stop = [], threading.Event()

        def create(worker):
            n = 0
            while not stop.is_set():
                name = "w%d-%d" % (worker, n)
                n += 1
                try:
                    if lab.api("POST", "/secrets/create", {"Name": name, "Data": "eA=="}, timeout=10)[0] == 201:
                        acknowledged.append(name)
                except OSError:
                    time.sleep(0.01)
        threads = [threading.Thread(target=create, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for i in range(6):
            time.sleep(0.2 + rng.random() * 0.3)
            if i % 2:
                pid = manager_pid(lab)
                if pid:
                    os.kill(pid, signal.SIGKILL)
            else:
                lab.kill9()
                lab.start()
        stop.set()
        for t in threads:
            t.join()
        wait_for(lambda: lab.api("GET", "/secrets")[0] == 200, 10)
        have = {s["Spec"]["Name"] for s in lab.api("GET", "/secrets")[2]}
        lost = [n for n in acknowledged if n not in have]
        assert len(acknowledged) > 20 and not lost, (len(acknowledged), lost[:5])


def test_containers_that_ended_while_keepd_was_dead_are_noticed_and_replaced():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("web", "--secret", "s", "--restart-delay", "100ms", replicas=2)
        before = pids(lab, "web")
        lab.kill9()
        victim, pid = next(iter(before.items()))
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        lab.start()
        new = wait_for(lambda: (lambda now: now if len(now) == 2 and victim not in now else None)(pids(lab, "web")), 20)
        assert all(lab.read(c, "/run/secrets/s") == "value" for c in new)
        failed = [t for t in lab.tasks("web") if t["Status"]["State"] == "failed"]
        assert len(failed) == 1 and failed[0]["Status"]["Err"] == "task: non-zero exit (137)", [t["Status"] for t in lab.tasks("web")]


def test_orphans_are_cleared_at_start():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("web", "--secret", "s", replicas=2)
        lab.kill9()
        for path in (lab.run + "/secrets/" + "deadbeef" * 8, lab.run + "/containers/" + "deadbeef" * 8, lab.data + "/containers/" + "deadbeef" * 8, lab.data + "/image/tmp/x"):
            os.makedirs(path)
        subprocess.run(["mount", "-t", "tmpfs", "left", lab.run + "/secrets/" + "deadbeef" * 8], check=True)
        lab.start()
        wait_for(lambda: not [m for m in lab.mounts() if "deadbeef" in m], 10)
        for path in (lab.run + "/secrets/" + "deadbeef" * 8, lab.run + "/containers/" + "deadbeef" * 8, lab.data + "/containers/" + "deadbeef" * 8, lab.data + "/image/tmp/x"):
            wait_for(lambda: not os.path.exists(path), 5)
        lab.running("web", 2)


def test_killed_while_it_starts_and_stops_services_it_settles():
    rng = random.Random(11)
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        for round_ in range(4):
            lab.docker("service", "create", "-d", "--no-resolve-image", "--name", "r%d" % round_, "--replicas", "3", "--secret", "s", "busybox:latest")
            time.sleep(rng.random() * 0.15)
            lab.kill9()
            lab.start()
        have = [s["Spec"]["Name"] for s in lab.api("GET", "/services")[2]]
        for name in have:
            lab.running(name, 3, 30)
        for name in have[:2]:
            lab.ok("service", "rm", name)
        time.sleep(0.02)
        lab.kill9()
        lab.start()
        keep = 3 * len(have[2:])
        wait_for(lambda: len(lab.containers(all=True)) == keep, 30)
        wait_for(lambda: len([m for m in lab.mounts() if " tmpfs " in m]) == keep, 10)


def test_sigterm_ends_it_in_order_and_the_next_start_finds_everything():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("web", "--secret", "s")
        before = pids(lab, "web")
        pid = manager_pid(lab)
        lab.stop()
        wait_for(lambda: not alive(pid), 10)
        assert lab.proc.returncode == 0 and not os.path.exists(lab.dir + "/keepd.pid")
        assert all(alive(p) for p in before.values())
        lab.start()
        lab.running("web", 1)
        assert pids(lab, "web") == before


if __name__ == "__main__":
    run(globals())
