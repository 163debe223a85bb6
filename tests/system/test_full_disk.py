#!/usr/bin/env python3
"""A full disk and a full memory: a clear error, nothing changed, and everything works again when there is room."""
import base64
import os
import subprocess

from lab import Lab, run, wait_for


class SmallDisk(Lab):
    """data-root on a tmpfs of a few megabytes."""

    def __enter__(self):
        os.makedirs(self.data, mode=0o710)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=0710" % self.size, "small", self.data], check=True)
        return super().__enter__()

    size = "8m"

    def __exit__(self, *a):
        r = super().__exit__(*a)
        return r


def fill(path):
    with open(path, "wb") as f:
        try:
            while True:
                f.write(b"\0" * 65536)
                f.flush()
        except OSError:
            pass


def test_creating_on_a_full_disk_is_refused_and_works_again_when_there_is_room():
    with SmallDisk(images=False) as lab:
        lab.init()
        lab.secret("before")
        fill(lab.data + "/filler")
        refused = 0
        for i in range(40):
            st, _, data = lab.api("POST", "/secrets/create", {"Name": "n%d" % i, "Data": base64.b64encode(b"x" * 100000).decode()})
            if st != 201:
                refused += 1
                assert st == 500 and ("space" in data["message"] or "full" in data["message"]), (st, data)
        assert refused > 30, refused
        names = [s["Spec"]["Name"] for s in lab.api("GET", "/secrets")[2]]
        assert "before" in names and len(names) == 41 - refused, (refused, names)
        os.unlink(lab.data + "/filler")
        wait_for(lambda: lab.api("POST", "/secrets/create", {"Name": "after", "Data": "eA=="})[0] == 201, 10)
        lab.kill9()
        lab.start()
        wait_for(lambda: lab.api("GET", "/secrets")[0] == 200)
        names2 = [s["Spec"]["Name"] for s in lab.api("GET", "/secrets")[2]]
        assert sorted(names2) == sorted(names + ["after"]), (names, names2)


def test_an_image_that_does_not_fit_leaves_nothing():
    with SmallDisk(images=False) as lab:
        big = lab.dir + "/big.tar"
        subprocess.run("mkdir -p %s/t && head -c 20000000 /dev/zero > %s/t/zero && tar -C %s/t -cf %s ." % (lab.dir, lab.dir, lab.dir, big), shell=True, check=True)
        r = lab.docker("import", big, "big:1")
        assert r.rc == 1 and r.err, r
        assert lab.ok("images", "-q") == ""
        assert os.listdir(lab.data + "/image/tmp") == []
        assert lab.api("GET", "/_ping")[0] == 200


def test_more_secrets_than_the_tmpfs_of_a_task_holds_fail_the_task_with_words_or_fit():
    with Lab() as lab:
        lab.init()
        flags = []
        for i in range(8):
            lab.ok("secret", "create", "b%d" % i, "-", stdin=os.urandom(511999))
            flags += ["--secret", "b%d" % i]
        lab.service("web", "--restart-condition", "none", *flags, running=False)
        t = wait_for(lambda: [x for x in lab.tasks("web") if x["Status"]["State"] in ("running", "failed", "rejected")], 20)[0]
        assert t["Status"]["State"] == "running", t["Status"]
        c = lab.containers("web")[0]
        assert lab.ok("exec", c, "sh", "-c", "cat /run/secrets/* | wc -c") == str(8 * 511999)


if __name__ == "__main__":
    run(globals())
