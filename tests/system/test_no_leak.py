#!/usr/bin/env python3
"""A canary in every call, right and wrong: it must be in no log, error, argv, environment, file, core, image or answer."""
import base64
import binascii
import os
import urllib.parse

from lab import Lab, run, wait_for

CANARY = "cAnArY-7f3e9b-Zq"


def forms(value):
    raw = value.encode()
    out = {raw, base64.b64encode(raw).rstrip(b"="), binascii.hexlify(raw), urllib.parse.quote(value).encode()}
    for pad in (b"x", b"xx"):  # the other two alignments of base64
        out.add(base64.b64encode(pad + raw + b"zzz")[4:-4])
    return out


def look(where, data, allowed=False):
    for f in forms(CANARY):
        assert allowed or f not in data, "%s holds the secret (as %r)" % (where, f)


def look_below(path):
    for base, _, files in os.walk(path):
        for name in files:
            p = os.path.join(base, name)
            if os.path.islink(p) or not os.path.isfile(p):
                continue
            with open(p, "rb") as f:
                look(p, f.read())


def our_pids(lab):
    out = []
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open("/proc/%s/cmdline" % p, "rb") as f:
                    if lab.dir.encode() in f.read():
                        out.append(int(p))
            except OSError:
                pass
    return out


def look_at_processes(lab):
    for pid in our_pids(lab):
        for f in ("cmdline", "environ"):
            try:
                with open("/proc/%d/%s" % (pid, f), "rb") as h:
                    look("/proc/%d/%s" % (pid, f), h.read())
            except OSError:
                pass


def heap_of(pid):
    """What lies in ordinary writable memory: everything but the mapping that holds the locked arena."""
    with open("/proc/%d/smaps" % pid) as f:
        text = f.read()
    regions, cur = [], None
    for line in text.splitlines():
        head = line.split()
        if "-" in head[0] and head[0][0] in "0123456789abcdef" and len(head) >= 5:
            lo, hi = (int(x, 16) for x in head[0].split("-"))
            cur = [lo, hi, head[1], ""]
            regions.append(cur)
        elif head[0] == "VmFlags:" and cur:
            cur[3] = line
    data = b""
    with open("/proc/%d/mem" % pid, "rb", 0) as m:
        for lo, hi, perms, flags in regions:
            if not perms.startswith("rw") or " dd" in flags or hi - lo > (256 << 20):
                continue  # "dd": kept out of core dumps, that is the arena
            try:
                m.seek(lo)
                data += m.read(hi - lo)
            except OSError:
                pass
    return data


def test_a_canary_through_right_and_wrong_calls_stays_inside():
    with Lab() as lab:
        lab.init()
        enc = base64.b64encode(CANARY.encode()).decode()
        answers = []

        def call(method, path, body):
            answers.append(lab.api(method, path, body)[2])
        call("POST", "/secrets/create", {"Name": "good", "Data": enc})
        sid = answers[0]["ID"]
        for name in ("-bad", "", "good", "x" * 65):
            call("POST", "/secrets/create", {"Name": name, "Data": enc})
        for body in ('{"Name":"t","Data":"%s' % enc, '{"Data":"%s","Name":5}' % enc, '{"Name":"t","Data":["%s"]}' % enc, '{"Name":"t","Data":"%s!"}' % enc,
                     '{"Name":"t","Labels":"%s","Data":"eA=="}' % "x", '{"Name":"t","data":"%s"' % enc, '{"Data":"%s"}' % enc):
            call("POST", "/secrets/create", body)
        v = lab.api("GET", "/secrets/" + sid)[2]["Version"]["Index"]
        call("POST", "/secrets/%s/update?version=%d" % (sid, v), {"Name": "good", "Data": base64.b64encode(b"y" + CANARY.encode()).decode()})
        call("POST", "/secrets/%s/update?version=0" % sid, {"Name": "good", "Data": enc})
        call("GET", "/secrets", None)
        call("GET", "/secrets/good", None)
        lab.service("web", "--secret", "good")
        c = lab.containers("web")[0]
        assert lab.read(c, "/run/secrets/good") == CANARY
        for path in ("/containers/%s/json" % c, "/tasks", "/services", "/info", "/containers/json?all=1", "/containers/%s/changes" % c):
            call("GET", path, None)
        r = lab.docker("events", "--since", "1h", "--until", "0s", timeout=20)
        answers.append(r.out + r.err)
        look("an answer", repr(answers).encode())
        look_at_processes(lab)
        with open(lab.log, "rb") as f:
            look("the log, at its most talkative", f.read())
        look_below(lab.data)


def test_the_daemons_ordinary_memory_does_not_keep_it():
    with Lab() as lab:
        lab.init()
        lab.secret("good", CANARY)
        lab.service("web", "--secret", "good")
        wait_for(lambda: lab.containers("web"))
        for pid in our_pids(lab):
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                program = f.read().split(b"\0")[0]
            if program.endswith((b"/keepd", b"/keep-manager")):
                look("ordinary memory of " + program.decode(), heap_of(pid))


def test_no_core_can_be_had_of_the_daemons():
    with Lab(images=False) as lab:
        lab.init()
        for pid in our_pids(lab):
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                program = f.read().split(b"\0")[0]
            if program.endswith((b"/keepd", b"/keep-manager")):
                with open("/proc/%d/limits" % pid) as f:
                    core = [line for line in f if line.startswith("Max core file size")][0].split()
                assert core[4] == "0" and core[5] == "0", core
                # a process that is not dumpable belongs to root in /proc, whoever it runs as
                assert os.stat("/proc/%d/mem" % pid).st_uid == 0


def test_the_manager_has_no_rights():
    with Lab(images=False) as lab:
        lab.init()
        for pid in our_pids(lab):
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                if not f.read().split(b"\0")[0].endswith(b"/keep-manager"):
                    continue
            with open("/proc/%d/status" % pid) as f:
                st = dict(line.split(":\t", 1) for line in f if ":\t" in line)
            assert st["Uid"].split()[0] != "0" and st["Groups"].strip() == "", st["Uid"]
            assert int(st["CapEff"], 16) & ~(1 << 14) == 0, st["CapEff"]
            assert int(st["CapBnd"], 16) == 0 and int(st["CapInh"], 16) == 0, st["CapBnd"]
            assert st["NoNewPrivs"].strip() == "1"
            return
        raise AssertionError("no keep-manager found")


def test_state_directories_are_closed_whatever_the_umask():
    with Lab(start=False) as lab:
        old = os.umask(0)
        try:
            lab.start()
        finally:
            os.umask(old)
        lab.init()
        lab.secret("s", "value")
        for path in (lab.data, lab.run, lab.data + "/containers", lab.data + "/image", lab.data + "/swarm", lab.data + "/swarm/manager",
                     lab.run + "/containers", lab.run + "/secrets"):
            if os.path.isdir(path):
                mode = os.stat(path).st_mode & 0o777
                assert mode & 0o027 == 0, "%s is %o" % (path, mode)
        for base, _, files in os.walk(lab.data + "/swarm"):
            for f in files:
                mode = os.stat(os.path.join(base, f)).st_mode & 0o777
                assert mode & 0o077 == 0, "%s is %o" % (f, mode)


def test_processes_in_containers_inherit_no_descriptor_of_ours():
    with Lab() as lab:
        lab.init()
        lab.service("web", args=("sh", "-c", "ls -l /proc/self/fd; sleep 1000"))
        c = lab.containers("web")[0]
        started = wait_for(lambda: lab.docker("logs", c).out)
        execed = lab.ok("exec", c, "ls", "-l", "/proc/self/fd")
        for text in (started, execed):
            numbers = [line.split()[8] for line in text.splitlines() if "->" in line]
            assert set(numbers) <= {"0", "1", "2", "3"}, text  # 3 is ls's own
            assert lab.dir not in text, text
        env = lab.ok("exec", c, "cat", "/proc/1/environ")
        for name in ("KEEP", "DOCKER", "LISTEN", "NOTIFY", "_OCI"):
            assert name not in env, env


def test_inheritable_capabilities_are_empty_in_a_container():
    with Lab() as lab:
        lab.init()
        lab.service("web")
        c = lab.containers("web")[0]
        for pid in ("1", "self"):
            st = lab.ok("exec", c, "cat", "/proc/%s/status" % pid)
            caps = {line.split(":")[0]: int(line.split()[1], 16) for line in st.splitlines() if line.startswith("Cap")}
            assert caps["CapInh"] == 0, st
            assert caps["CapEff"] == 0xA80425FB, hex(caps["CapEff"])
        assert "Seccomp:\t2" in st, st


if __name__ == "__main__":
    run(globals())
