#!/usr/bin/env python3
"""keepd that cannot start: one sentence that says what to do, and nothing half done."""
import os
import socket
import subprocess

from lab import KEEPD, Lab, run, wait_for


def start_once(lab, *args, env=None, prefix=(), timeout=20):
    p = subprocess.run(["nsenter", "--net=/run/netns/" + lab.name, *prefix, KEEPD, "--data-root", lab.data, "--exec-root", lab.run,
                        "-H", "unix://" + lab.sock, "-p", lab.dir + "/p.pid", *args],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                       env=env or {"PATH": os.environ["PATH"]})
    return p.returncode, [line for line in p.stdout.splitlines() if line.strip()]


def one_sentence(result, *words):
    rc, lines = result
    assert rc == 1, result
    errors = [line for line in lines if "error" in line.lower() or line == lines[-1]]
    assert len(errors) == 1, lines
    for w in words:
        assert w in errors[0], (w, errors[0])


def test_without_root():
    with Lab(start=False) as lab:
        os.chmod(lab.dir, 0o755)
        one_sentence(start_once(lab, prefix=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")), "must run as root", "sudo")


def test_a_socket_path_in_use_names_the_path():
    with Lab(start=False) as lab:
        s = socket.socket(socket.AF_UNIX)
        s.bind(lab.sock)
        s.listen(1)
        one_sentence(start_once(lab), lab.sock, "listens")
        s.close()
        os.unlink(lab.sock)
        open(lab.sock, "w").close()
        one_sentence(start_once(lab), lab.sock, "no socket")
        os.unlink(lab.sock)


def test_a_stale_socket_is_replaced():
    with Lab(start=False) as lab:
        s = socket.socket(socket.AF_UNIX)
        s.bind(lab.sock)
        s.close()
        lab.start()


def test_a_second_daemon_on_the_same_roots_is_refused():
    with Lab(images=False) as lab:
        rc, lines = start_once(lab, "-H", "unix://" + lab.dir + "/other.sock")
        one_sentence((rc, lines), "another keepd uses")
        assert lab.api("GET", "/_ping")[0] == 200


def test_unknown_flags_and_values():
    with Lab(start=False) as lab:
        one_sentence(start_once(lab, "--nope"), "--nope")
        one_sentence(start_once(lab, "extra"), "extra")
        one_sentence(start_once(lab, "-H", "ftp://x"), "ftp://x")
        one_sentence(start_once(lab, "-H", "tcp://127.0.0.1:2375"), "tcp://127.0.0.1:2375")
        one_sentence(start_once(lab, "--data-root", "relative"), "absolute")
        with open(lab.dir + "/c.json", "w") as f:
            f.write('{"data-rot": "/x"}')
        one_sentence(start_once(lab, "--config-file", lab.dir + "/c.json"), "data-rot")
        with open(lab.dir + "/c.json", "w") as f:
            f.write("{")
        one_sentence(start_once(lab, "--config-file", lab.dir + "/c.json"), "c.json")


def hidden(program):
    """Runs the rest with `program` bound over by an empty file: as if it were not installed."""
    import shutil
    path = shutil.which(program)
    return ("unshare", "-m", "--propagation", "slave", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', path)


def test_without_conmon_it_says_how_to_get_it():
    with Lab(start=False) as lab:
        one_sentence(start_once(lab, prefix=hidden("conmon")), "conmon", "install")


def test_without_crun_and_runc_it_says_how_to_get_one():
    with Lab(start=False) as lab:
        one_sentence(start_once(lab, prefix=hidden("crun") + hidden("runc")), "crun", "install")


def test_without_crun_it_takes_runc_and_says_so():
    with Lab(start=False) as lab:
        base = lab.command()
        lab.command = lambda: base[:2] + list(hidden("crun")) + base[2:]
        lab.start()
        info = lab.api("GET", "/info")[2]
        assert info["DefaultRuntime"] == "runc", info["DefaultRuntime"]


def test_a_user_that_is_missing_is_named_with_the_command_that_makes_it():
    with Lab(start=False) as lab:
        one_sentence(start_once(lab, "--manager-user", "no-such-user"), "no-such-user", "useradd")


def test_two_daemons_side_by_side_do_not_see_each_other():
    with Lab() as a, Lab() as b:
        for lab in (a, b):
            lab.init()
            lab.secret("same", lab.name)
            lab.service("web", "--secret", "same")
        for lab in (a, b):
            c = lab.containers("web")
            assert len(c) == 1 and lab.read(c[0], "/run/secrets/same") == lab.name
        a.ok("service", "rm", "web")
        wait_for(lambda: not a.containers("web", all=True), 20)
        assert b.read(b.containers("web")[0], "/run/secrets/same") == b.name


if __name__ == "__main__":
    run(globals())
