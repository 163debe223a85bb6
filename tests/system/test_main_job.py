#!/usr/bin/env python3
"""The main job, with the stock CLI and with ours: a secret in the memory of exactly the tasks that were granted it."""
import json

from lab import Lab, run, wait_for


def test_a_secret_reaches_the_container_that_was_granted_it():
    with Lab() as lab:
        lab.init()
        lab.secret("db_pwd", "docker1234")
        lab.service("redis", "--secret", "db_pwd")
        c = lab.containers("redis")
        assert len(c) == 1, c
        assert lab.read(c[0], "/run/secrets/db_pwd") == "docker1234"
        ls = lab.ok("exec", c[0], "ls", "-l", "/run/secrets/db_pwd")
        assert ls.startswith("-r--r--r--"), ls


def test_our_own_cli_does_the_whole_walk():
    with Lab() as lab:
        def keep(*a, **kw):
            r = lab.keep(*a, **kw)
            assert r.rc == 0, (a, r)
            return r.out.strip()
        assert "is now a manager" in keep("swarm", "init", "--advertise-addr", "127.0.0.1")
        sid = keep("secret", "create", "db_pwd", "-", stdin="docker1234")
        assert len(sid) == 25, sid
        assert "db_pwd" in keep("secret", "ls")
        keep("service", "create", "--quiet", "--name", "redis", "--secret", "db_pwd", "busybox:latest")
        c = keep("ps", "--filter", "name=redis", "-q")
        assert keep("exec", c, "cat", "/run/secrets/db_pwd") == "docker1234"
        r = lab.keep("secret", "rm", "db_pwd")
        assert r.rc == 1 and "secret 'db_pwd' is in use by the following service: redis" in r.err, r
        keep("service", "update", "--quiet", "--secret-rm", "db_pwd", "redis")
        keep("service", "rm", "redis")
        keep("secret", "rm", "db_pwd")
        assert "Node left the swarm" in keep("swarm", "leave", "--force")


def test_a_secret_in_use_is_not_removed_and_says_by_whom():
    with Lab() as lab:
        lab.init()
        lab.secret("db_pwd")
        lab.service("redis", "--secret", "db_pwd")
        r = lab.docker("secret", "rm", "db_pwd")
        assert r.rc == 1, r
        assert r.err.strip() == ("Error response from daemon: rpc error: code = InvalidArgument desc = "
                                 "secret 'db_pwd' is in use by the following service: redis"), r.err


def test_a_rollback_to_a_secret_that_is_gone_is_refused_and_breaks_nothing():
    with Lab() as lab:
        lab.init()
        lab.secret("one", "first")
        lab.secret("two", "second")
        lab.service("web", "--secret", "source=one,target=pw")
        lab.ok("service", "update", "-d", "--secret-rm", "one", "--secret-add", "source=two,target=pw", "web")
        wait_for(lambda: any(lab.read(c, "/run/secrets/pw") == "second" for c in lab.containers("web")), 20)
        lab.ok("service", "rollback", "-d", "web")
        wait_for(lambda: any(lab.read(c, "/run/secrets/pw") == "first" for c in lab.containers("web")), 20)
        lab.ok("service", "rollback", "-d", "web")
        wait_for(lambda: any(lab.read(c, "/run/secrets/pw") == "second" for c in lab.containers("web")), 20)
        lab.ok("secret", "rm", "one")
        before = lab.containers("web")
        r = lab.docker("service", "rollback", "-d", "web")
        assert r.rc == 1 and "secret not found: one" in r.err, r
        assert lab.containers("web") == before and lab.read(before[0], "/run/secrets/pw") == "second"


def test_removing_the_secret_from_the_service_removes_it_from_the_new_container():
    with Lab() as lab:
        lab.init()
        lab.secret("db_pwd", "docker1234")
        lab.service("redis", "--secret", "db_pwd")
        old = lab.containers("redis")
        lab.ok("service", "update", "-d", "--secret-rm", "db_pwd", "redis")
        new = wait_for(lambda: [c for c in lab.containers("redis") if c not in old], 20)
        r = lab.docker("exec", new[0], "cat", "/run/secrets/db_pwd")
        assert r.rc == 1 and "No such file or directory" in r.err, r
        wait_for(lambda: not [m for m in lab.mounts() if old[0] in m and "tmpfs" in m], 20)


def test_only_the_tasks_that_were_granted_a_secret_see_it():
    with Lab() as lab:
        lab.init()
        lab.secret("a", "value-a")
        lab.secret("b", "value-b")
        lab.service("first", "--secret", "a")
        lab.service("second", "--secret", "b")
        lab.service("third")
        one, two, none = (lab.containers(n)[0] for n in ("first", "second", "third"))
        assert lab.read(one, "/run/secrets/a") == "value-a" and lab.read(one, "/run/secrets/b") is None
        assert lab.read(two, "/run/secrets/b") == "value-b" and lab.read(two, "/run/secrets/a") is None
        assert lab.read(none, "/run/secrets/a") is None and lab.read(none, "/run/secrets/b") is None


def test_scaling_up_and_down():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "v")
        lab.service("web", "--secret", "s")
        lab.ok("service", "scale", "-d", "web=5")
        lab.running("web", 5)
        values = [lab.read(c, "/run/secrets/s") for c in lab.containers("web")]
        assert values == ["v"] * 5, values
        lab.ok("service", "scale", "-d", "web=1")
        wait_for(lambda: len(lab.containers("web")) == 1, 20)
        wait_for(lambda: len([t for t in lab.tasks("web") if t["DesiredState"] == "running"]) == 1)


def test_a_service_converges_and_tells_so():
    with Lab() as lab:
        lab.init()
        r = lab.docker("service", "create", "--name", "app", "--no-resolve-image", "--detach=false", "busybox:latest", timeout=60)
        assert r.rc == 0 and "overall progress: 1 out of 1 tasks" in r.out and "converged" in r.out, r


def test_after_the_service_nothing_of_the_secret_is_left_on_the_node():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "v")
        lab.service("web", "--secret", "s", replicas=3)
        lab.ok("service", "rm", "web")
        wait_for(lambda: not lab.containers("web", all=True), 20)
        wait_for(lambda: not lab.mounts(), 10)
        lab.ok("secret", "rm", "s")


def test_leaving_the_swarm_takes_everything_along():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "v")
        lab.service("web", "--secret", "s")
        r = lab.docker("swarm", "leave")
        assert r.rc == 1 and "Removing the last manager erases all current state of the swarm" in r.err, r
        lab.ok("swarm", "leave", "--force")
        assert lab.containers(all=True) == []
        assert not lab.mounts(), lab.mounts()
        r = lab.docker("secret", "ls")
        assert r.rc == 1 and "This node is not a swarm manager" in r.err, r
        lab.init()
        assert lab.ok("secret", "ls", "-q") == ""


def test_a_container_of_a_service_that_was_stopped_by_hand_is_replaced():
    with Lab() as lab:
        lab.init()
        lab.secret("s", "v")
        lab.service("web", "--secret", "s", "--restart-delay", "100ms")
        old = lab.containers("web")[0]
        lab.ok("stop", "-t", "1", old)
        lab.ok("rm", old)
        new = wait_for(lambda: [c for c in lab.containers("web") if c != old], 20)
        assert lab.read(new[0], "/run/secrets/s") == "v"


def test_env_args_image_and_force_make_new_tasks():
    with Lab() as lab:
        lab.init()
        lab.image("other:1")
        lab.service("web")
        seen = set(lab.containers("web"))
        for flags in (["--env-add", "A=b"], ["--args", "sleep 1000"], ["--image", "other:1"], ["--force"]):
            lab.ok("service", "update", "-d", "--no-resolve-image", *flags, "web")
            new = wait_for(lambda: [c for c in lab.containers("web") if c not in seen], 30)
            seen |= set(new)
        info = json.loads(lab.ok("inspect", new[0]))[0]
        assert info["Config"]["Image"] == "other:1" and "A=b" in info["Config"]["Env"], info["Config"]
        assert info["Path"] == "sleep" and info["Args"] == ["1000"], info


if __name__ == "__main__":
    run(globals())
