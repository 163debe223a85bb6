#!/usr/bin/env python3
"""The files of secrets in a container: where, whose, how, and on what kind of memory."""
import io
import os
import subprocess
import tarfile
import tempfile

from lab import ROOTFS, Lab, run, wait_for


def stat(lab, c, path):
    return lab.ok("exec", c, "stat", "-c", "%a %u %g %F", path)


def test_target_owner_and_mode_are_as_asked():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        cases = [("plain", "source=s", "/run/secrets/s", "444 0 0 regular file"),
                 ("renamed", "source=s,target=password,uid=2000,gid=3000,mode=0400", "/run/secrets/password", "400 2000 3000 regular file"),
                 ("below", "source=s,target=a/b/c", "/run/secrets/a/b/c", "444 0 0 regular file"),
                 ("absolute", "source=s,target=/etc/app/key,mode=0440", "/etc/app/key", "440 0 0 regular file"),
                 ("exec", "source=s,target=run.sh,mode=0555", "/run/secrets/run.sh", "555 0 0 regular file"),
                 ("nothing", "source=s,target=zero,mode=0000", "/run/secrets/zero", "0 0 0 regular file")]
        for name, ref, path, want in cases:
            lab.service(name, "--secret", ref)
            c = lab.containers(name)[0]
            got = stat(lab, c, path)
            assert got == want, (name, got, want)
            assert lab.read(c, path) == "value", name


def test_an_ordinary_user_reads_the_file_that_is_his():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("web", "--user", "1000", "--secret", "source=s,target=mine,uid=1000,mode=0400", "--secret", "source=s,target=roots,mode=0400")
        c = lab.containers("web")[0]
        assert lab.read(c, "/run/secrets/mine") == "value"
        r = lab.docker("exec", c, "cat", "/run/secrets/roots")
        assert r.rc == 1 and "Permission denied" in r.err, r


def test_the_files_lie_in_memory_and_cannot_be_written():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("web", "--secret", "source=s,mode=0777")
        c = lab.containers("web")[0]
        line = [m for m in lab.ok("exec", c, "cat", "/proc/mounts").splitlines() if " /run/secrets" in m]
        assert line and line[0].startswith(("tmpfs", "secret")) and " tmpfs " in line[0], line
        options = line[0].split()[3].split(",")
        for o in ("ro", "nosuid", "nodev", "noexec"):
            assert o in options, line
        for cmd in (["sh", "-c", "echo x > /run/secrets/s"], ["rm", "/run/secrets/s"], ["sh", "-c", "echo x > /run/secrets/new"]):
            r = lab.docker("exec", c, *cmd)
            assert r.rc != 0 and "Read-only file system" in r.err, (cmd, r)


def test_the_hosts_side_is_closed_to_others_and_never_swapped():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("web", "--secret", "s")
        tmpfs = [m for m in lab.mounts() if " tmpfs " in m]
        assert len(tmpfs) == 1, lab.mounts()
        path, options = tmpfs[0].split()[1], tmpfs[0].split()[3].split(",")
        assert os.stat(os.path.dirname(path)).st_mode & 0o077 == 0, "the parent may be entered by others"
        for o in ("nosuid", "nodev", "noexec", "noswap"):
            assert o in options, tmpfs


def test_binary_and_the_largest_payload_arrive_byte_for_byte():
    with Lab() as lab:
        lab.init()
        for name, value in (("bin", bytes(range(256)) * 3), ("big", os.urandom(511999)), ("nl", b"line\n"), ("one", b"\0")):
            lab.ok("secret", "create", name, "-", stdin=value)
            lab.service("svc-" + name, "--secret", name)
            c = lab.containers("svc-" + name)[0]
            r = lab.docker("exec", c, "cat", "/run/secrets/" + name, text=False)
            assert r.rc == 0 and r.out == value, (name, len(r.out), len(value))


def test_many_secrets_in_one_service():
    with Lab() as lab:
        lab.init()
        flags = []
        for i in range(100):
            lab.api("POST", "/secrets/create", {"Name": "s%d" % i, "Data": "dg=="})
            flags += ["--secret", "s%d" % i]
        lab.service("web", *flags)
        c = lab.containers("web")[0]
        assert lab.ok("exec", c, "sh", "-c", "cat /run/secrets/* | wc -c") == "100"


def hostile_image(lab, name, entries):
    """The busybox image with more entries: (name, type, linkname)."""
    path = os.path.join(lab.dir, name + ".tar")
    with tarfile.open(ROOTFS) as src, tarfile.open(path, "w") as dst:
        skip = {e[0] for e in entries}
        for m in src:
            if m.name.rstrip("/") not in skip:
                dst.addfile(m, src.extractfile(m) if m.isreg() else None)
        for ename, kind, link in entries:
            t = tarfile.TarInfo(ename)
            t.type, t.linkname, t.mode = kind, link, 0o777
            if kind == tarfile.REGTYPE:
                t.size = 5
                dst.addfile(t, io.BytesIO(b"fake\n"))
            else:
                dst.addfile(t)
    lab.ok("import", "--change", "CMD [\"sleep\",\"1000\"]", path, name + ":1")


def test_an_image_whose_run_secrets_is_no_directory_does_not_fool_it():
    outside = tempfile.mkdtemp(prefix="keep-outside-")
    try:
        with Lab() as lab:
            lab.init()
            lab.secret("s", "value")
            cases = {"abslink": [("run/secrets", tarfile.SYMTYPE, outside)],
                     "rellink": [("run/secrets", tarfile.SYMTYPE, "../../../../../.." + outside)],
                     "etclink": [("run/secrets", tarfile.SYMTYPE, "/etc")],
                     "loop": [("run/secrets", tarfile.SYMTYPE, "/run/secrets")],
                     "file": [("run/secrets", tarfile.REGTYPE, "")],
                     "fifo": [("run/secrets", tarfile.FIFOTYPE, "")],
                     "runlink": [("run", tarfile.SYMTYPE, outside)],
                     "runrel": [("run", tarfile.SYMTYPE, "../../../.." + outside)]}
            for name, entries in cases.items():
                hostile_image(lab, name, entries)
                lab.service(name, "--secret", "s", image=name + ":1")
                c = lab.containers(name)[0]
                assert lab.read(c, "/run/secrets/s") == "value", name
                assert os.listdir(outside) == [], (name, os.listdir(outside))
                assert lab.read(c, "/etc/s") is None, name
    finally:
        subprocess.run(["rm", "-rf", outside], check=True)


def test_an_absolute_target_through_a_link_of_the_image_stays_in_the_container():
    outside = tempfile.mkdtemp(prefix="keep-outside-")
    try:
        with Lab() as lab:
            lab.init()
            lab.secret("s", "value")
            hostile_image(lab, "tgt", [("etc/app", tarfile.SYMTYPE, outside)])
            lab.service("tgt", "--secret", "source=s,target=/etc/app/key", image="tgt:1", running=False)
            wait_for(lambda: lab.tasks("tgt") and lab.tasks("tgt")[0]["Status"]["State"] in ("running", "failed", "rejected"), 20)
            assert os.listdir(outside) == [], os.listdir(outside)
    finally:
        subprocess.run(["rm", "-rf", outside], check=True)


def test_a_task_that_ends_by_itself_leaves_no_secret_behind():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "value")
        lab.service("once", "--restart-condition", "none", "--secret", "s", args=("true",), running=False)
        wait_for(lambda: any(t["Status"]["State"] == "complete" for t in lab.tasks("once")), 20)
        wait_for(lambda: not [m for m in lab.mounts() if " tmpfs " in m], 10)


if __name__ == "__main__":
    run(globals())
