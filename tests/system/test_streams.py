#!/usr/bin/env python3
"""Streams: exec with and without a terminal, logs, events; slow and vanished readers."""
import os
import pty
import select
import socket
import subprocess
import threading
import time

from lab import DOCKER, Lab, run, wait_for


def in_terminal(lab, argv, keys=b"", seconds=15):
    """Runs argv on a pseudo terminal; (exit status, output)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.clear()
        os.environ.update({"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "DOCKER_HOST": "unix://" + lab.sock, "KEEP_HOST": "unix://" + lab.sock,
                           "TERM": "xterm", "HOME": lab.dir})
        os.execv(argv[0], argv)
    out, end, sent = b"", time.monotonic() + seconds, False
    while time.monotonic() < end:
        r, _, _ = select.select([fd], [], [], 0.2)
        if r:
            try:
                b = os.read(fd, 65536)
            except OSError:
                break
            if not b:
                break
            out += b
        if keys and not sent and (b"#" in out or b"$" in out):
            os.write(fd, keys)
            sent = True
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), out.decode(errors="replace")


def test_exec_gives_output_errors_and_the_exit_code():
    with Lab() as lab:
        lab.init()
        lab.service("web")
        c = lab.containers("web")[0]
        for cli in (lab.docker, lab.keep):
            r = cli("exec", c, "sh", "-c", "echo out; echo err >&2; exit 7")
            assert (r.rc, r.out, r.err) == (7, "out\n", "err\n"), r
            r = cli("exec", "-i", c, "cat", stdin=b"x" * 300000, text=False)
            assert r.rc == 0 and r.out == b"x" * 300000, (r.rc, len(r.out), r.err)
            r = cli("exec", "-e", "A=b", "-w", "/tmp", "-u", "1000", c, "sh", "-c", "echo $A $(pwd) $(id -u)")
            assert r.out == "b /tmp 1000\n", r
            r = cli("exec", c, "/no/such")
            assert r.rc in (126, 127) and "/no/such" in r.out + r.err, r
            r = cli("exec", "-d", c, "touch", "/tmp/" + cli.__name__)
            assert r.rc == 0, r
            wait_for(lambda: cli("exec", c, "ls", "/tmp/" + cli.__name__).rc == 0, 5)


def test_exec_with_a_terminal():
    with Lab() as lab:
        lab.init()
        lab.service("web")
        c = lab.containers("web")[0]
        from lab import KEEP
        for cli in (DOCKER, KEEP):
            rc, out = in_terminal(lab, [cli, "exec", "-it", c, "sh"], b"tty; stty size; exit 5\n")
            assert rc == 5 and "/dev/pts/" in out, (cli, rc, out)


def test_exec_into_what_is_not_there_or_not_running():
    with Lab() as lab:
        lab.init()
        r = lab.docker("exec", "nope", "true")
        assert r.rc == 1 and "No such container: nope" in r.err, r
        lab.service("once", "--restart-condition", "none", args=("true",), running=False)
        c = wait_for(lambda: lab.containers("once", all=True))[0]
        wait_for(lambda: lab.api("GET", "/containers/%s/json" % c)[2]["State"]["Status"] == "exited", 10)
        r = lab.docker("exec", c, "true")
        assert r.rc == 1 and "is not running" in r.err, r


def test_logs_come_whole_and_can_be_followed():
    with Lab() as lab:
        lab.init()
        lab.service("web", args=("sh", "-c", "for i in 1 2 3; do echo line $i; done; echo oops >&2; printf partial; sleep 1000"))
        c = lab.containers("web")[0]
        wait_for(lambda: "line 3" in lab.docker("logs", c).out)
        r = lab.docker("logs", c)
        assert r.out == "line 1\nline 2\nline 3\npartial" and r.err == "oops\n", r
        assert lab.docker("logs", "--tail", "1", c).out.endswith("partial")
        stamped = lab.ok("logs", "-t", c).splitlines()[0].split()
        assert stamped[0].endswith("Z") and stamped[1:] == ["line", "1"], stamped
        p = subprocess.Popen([DOCKER, "logs", "-f", c], stdout=subprocess.PIPE, env={"DOCKER_HOST": "unix://" + lab.sock, "PATH": os.environ["PATH"]})
        time.sleep(0.3)
        lab.ok("rm", "-f", c)
        out = p.communicate(timeout=10)[0]
        assert b"line 3" in out, out


def test_a_follower_that_never_reads_stops_nobody():
    with Lab() as lab:
        lab.init()
        lab.service("web", args=("sh", "-c", "i=0; while [ $i -lt 200000 ]; do echo a line of some length to fill buffers with $i; i=$((i+1)); done; touch /tmp/done; sleep 1000"))
        c = lab.containers("web")[0]
        readers = []
        for path in ("/containers/%s/logs?stdout=1&follow=1" % c, "/events"):
            s = socket.socket(socket.AF_UNIX)
            s.connect(lab.sock)
            s.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            readers.append(s)
        wait_for(lambda: lab.docker("exec", c, "ls", "/tmp/done").rc == 0, 60, 0.5)
        with open("/proc/%d/status" % lab.proc.pid) as f:
            rss = [int(line.split()[1]) for line in f if line.startswith("VmRSS")][0]
        assert rss < 64 << 10, "keepd holds %d kB" % rss
        for s in readers:
            s.close()


def test_events_tell_of_secrets_services_and_containers():
    with Lab() as lab:
        lab.init()
        p = subprocess.Popen([DOCKER, "events", "--format", "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}"], stdout=subprocess.PIPE, text=True,
                             env={"DOCKER_HOST": "unix://" + lab.sock, "PATH": os.environ["PATH"]})
        seen = []
        threading.Thread(target=lambda: seen.extend(iter(p.stdout.readline, "")), daemon=True).start()
        time.sleep(0.5)
        lab.secret("s")
        lab.service("web", "--secret", "s")
        name = lab.api("GET", "/containers/json")[2][0]["Names"][0][1:]
        lab.ok("service", "rm", "web")
        wait_for(lambda: any("container destroy" in line for line in seen), 20)
        lab.ok("secret", "rm", "s")
        wanted = ["secret create s", "service create web", "container create " + name, "container start " + name, "service remove web",
                  "container die " + name, "container destroy " + name, "secret remove s"]
        wait_for(lambda: all(w + "\n" in seen for w in wanted), 5)
        p.kill()
        time.sleep(1.1)  # the client sends whole seconds
        past = lab.ok("events", "--since", "10m", "--until", "0s", "--format", "{{.Type}} {{.Action}}").splitlines()
        assert "secret create" in past, past


if __name__ == "__main__":
    run(globals())
