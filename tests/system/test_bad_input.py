#!/usr/bin/env python3
"""What bad input gets: a clear error in the engine's words and status, and nothing changed."""
import json
import socket

from lab import Lab, run, wait_for

IA = "rpc error: code = InvalidArgument desc = "
NAME_RULE = IA + "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]"
SIZE_RULE = IA + "secret data must be larger than 0 and less than 512000 bytes"


class Swarm(Lab):
    def __enter__(self):
        super().__enter__()
        self.init()
        return self

    def expect(self, method, path, body, status, message, **kw):
        st, _, data = self.api(method, path, body, **kw)
        got = data.get("message") if isinstance(data, dict) else data
        assert (st, got) == (status, message), "%s %s: %r, expected %r" % (method, path, (st, got), (status, message))

    def secrets(self):
        return [s["Spec"]["Name"] for s in self.api("GET", "/secrets")[2]]


def b64(n):
    import base64
    return base64.b64encode(b"x" * n).decode()


def test_payloads_of_every_wrong_size_are_refused_and_the_largest_right_one_is_taken():
    with Swarm(images=False) as lab:
        for n in (0, 512000, 1000000):
            lab.expect("POST", "/secrets/create", {"Name": "n%d" % n, "Data": b64(n)}, 400, SIZE_RULE)
        lab.expect("POST", "/secrets/create", {"Name": "none"}, 400, SIZE_RULE)
        assert lab.secrets() == []
        for n in (1, 511999):
            assert lab.api("POST", "/secrets/create", {"Name": "n%d" % n, "Data": b64(n)})[0] == 201, n


def test_names_of_every_wrong_kind_are_refused():
    with Swarm(images=False) as lab:
        for name in ("-a", "a-", ".a", "a.", "_a", "a b", "a/b", "a\n", "é", "x" * 65, "a*", "$x", "a:b"):
            lab.expect("POST", "/secrets/create", {"Name": name, "Data": "eA=="}, 400, NAME_RULE)
        lab.expect("POST", "/secrets/create", {"Name": "", "Data": "eA=="}, 400, IA + "name must be provided")
        lab.expect("POST", "/secrets/create", {"Data": "eA=="}, 400, IA + "name must be provided")
        for name in ("a..b", "a--b", "a", "x" * 64, "A.b_c-d9"):
            assert lab.api("POST", "/secrets/create", {"Name": name, "Data": "eA=="})[0] == 201, name


def test_a_name_that_differs_only_in_case_is_taken():
    with Swarm(images=False) as lab:
        lab.secret("redis")
        lab.expect("POST", "/secrets/create", {"Name": "REDIS", "Data": "eA=="}, 409, "rpc error: code = AlreadyExists desc = secret REDIS already exists")
        assert lab.secrets() == ["redis"]


def test_unknown_and_ambiguous_references():
    with Swarm(images=False) as lab:
        for kind in ("secrets", "services", "nodes", "tasks"):
            lab.expect("GET", "/%s/nope" % kind, None, 404, "%s nope not found" % kind[:-1])
        lab.expect("DELETE", "/secrets/nope", None, 404, "secret nope not found")
        ids = [lab.secret("s%d" % i) for i in range(40)]
        first = max(set(i[0] for i in ids), key=lambda ch: sum(i[0] == ch for i in ids))
        n = sum(i[0] == first for i in ids)
        assert n > 1
        lab.expect("GET", "/secrets/" + first, None, 400, "secret %s is ambiguous (%d matches found)" % (first, n))
        unique = [i for i in ids if sum(o.startswith(i[:4]) for o in ids) == 1][0]
        assert lab.api("GET", "/secrets/" + unique[:4])[2]["ID"] == unique


def test_stale_versions_are_refused_and_change_nothing():
    with Swarm(images=False) as lab:
        sid = lab.secret("s")
        v = lab.api("GET", "/secrets/" + sid)[2]["Version"]["Index"]
        for bad in (v + 1, v - 1, 0):
            lab.expect("POST", "/secrets/%s/update?version=%d" % (sid, bad), {"Name": "s", "Labels": {"a": "b"}}, 500,
                       "rpc error: code = Unknown desc = update out of sequence")
        for bad in ("", "x", "-1", "1.5", "99999999999999999999999"):
            lab.expect("POST", "/secrets/%s/update?version=%s" % (sid, bad), {"Name": "s"}, 400, "invalid secret version")
        assert lab.api("GET", "/secrets/" + sid)[2]["Spec"]["Labels"] == {}
        lab.expect("POST", "/secrets/%s/update?version=%d" % (sid, v), {"Name": "s", "Data": "bmV3"}, 400, IA + "only updates to Labels are allowed")
        assert lab.api("POST", "/secrets/%s/update?version=%d" % (sid, v), {"Name": "s", "Labels": {"a": "b"}})[0] == 200
        assert lab.api("GET", "/secrets/" + sid)[2]["Spec"]["Labels"] == {"a": "b"}


def test_broken_json_and_wrong_types():
    with Swarm(images=False) as lab:
        for path in ("/secrets/create", "/services/create"):
            for body in ("", "{", "[]", "nope", '{"Name":', '{"Name":5}', '{"Labels":[]}', '{"Labels":{"a":5}}', "null" * 2, "\x00"):
                st, _, data = lab.api("POST", path, body)
                assert st in (400, 500) and data["message"], (path, body, st, data)
        for data in ("!!!!", "eA", "eA=", "e_-x", 5, ["x"], {"a": 1}):
            st, _, got = lab.api("POST", "/secrets/create", {"Name": "x", "Data": data})
            assert st in (400, 500) and got["message"], (data, st, got)
        lab.expect("POST", "/secrets/create", '{"Name":"x","Data":"%%%%"}', 400, "illegal base64 data at input byte 0")
        assert lab.secrets() == []


def test_json_as_deep_as_a_well_is_refused():
    with Swarm(images=False) as lab:
        for body in ('{"Labels":' + "[" * 100000, '{"a":' * 100000, "[" * 1000000):
            st = lab.api("POST", "/services/create", body)[0]
            assert st in (400, 500), st
        assert lab.api("GET", "/_ping")[0] == 200


def test_a_body_cut_short_changes_nothing():
    with Swarm(images=False) as lab:
        whole = json.dumps({"Name": "cut", "Data": b64(1000)}).encode()
        for n in (0, 1, 10, 30, len(whole) - 1):
            lab.raw(b"POST /secrets/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(whole) + whole[:n])
        assert lab.secrets() == []


def test_a_body_that_is_huge_is_refused_without_being_kept():
    with Swarm(images=False) as lab:
        head = b"POST /secrets/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n"
        out = lab.raw(head + b'{"Name":"x","Data":"' + b"A" * (4 << 20), half_close=False, timeout=3)
        assert out == b"" or out.split(b" ")[1] in (b"400", b"413"), out[:200]
        assert lab.secrets() == []
        assert lab.api("GET", "/_ping")[0] == 200


def test_chunked_nonsense_is_refused():
    with Swarm(images=False) as lab:
        head = b"POST /secrets/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for tail in (b"zz\r\n", b"5\r\nab\r\n", b"-1\r\n", b"ffffffffffffffff\r\nx", b"5\r\nhello\r\n0\r\n\r\n", b"\r\n\r\n"):
            out = lab.raw(head + tail, timeout=2)
            assert not out or not out.startswith(b"HTTP/1.1 2"), (tail, out[:200])
        good = b'{"Name":"ok","Data":"eA=="}'
        out = lab.raw(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(good), good), timeout=2, half_close=False)
        assert out.startswith(b"HTTP/1.1 201"), out[:200]
        assert lab.secrets() == ["ok"]


def test_paths_that_are_not_clean_lead_nowhere_new():
    with Swarm(images=False) as lab:
        lab.secret("s")
        for path in ("/secrets//s", "//secrets", "/secrets/../secrets", "/v1.41//secrets"):
            st, headers, _ = lab.api("GET", path)
            assert st == 301 and headers["Location"].startswith("/"), (path, st, headers)
        for path in ("/secrets/%2e%2e/secrets", "/secrets/%2Fs", "/secrets/s%2F", "/secrets/s/", "/Secrets", "/secrets/%zz", "/nope", "/v1.41/nope"):
            st = lab.api("GET", path)[0]
            assert st in (301, 400, 404), (path, st)
        for method, path in (("PUT", "/secrets/create"), ("DELETE", "/secrets"), ("PATCH", "/secrets/s")):
            st, _, data = lab.api(method, path)
            assert st == 404 and data["message"] == "page not found", (method, path, st, data)
        assert lab.secrets() == ["s"]


def test_versions_in_the_path():
    with Swarm(images=False) as lab:
        st, _, data = lab.api("GET", "/v1.99/secrets")
        assert st == 400 and "client version 1.99 is too new. Maximum supported API version is" in data["message"], data
        st, _, data = lab.api("GET", "/v1.12/secrets")
        assert st == 400 and "client version 1.12 is too old" in str(data), data
        for v in ("1.24", "1.41", "1.44"):
            assert lab.api("GET", "/v%s/secrets" % v)[0] == 200, v


def test_garbage_instead_of_http_ends_that_connection_only():
    with Swarm(images=False) as lab:
        for junk in (b"\x00" * 1000, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"A" * 200000):
            lab.raw(junk, timeout=2)
        out = lab.raw(b"GET /_ping HTTP/1.1\r\n\r\n", timeout=2)
        assert out.startswith(b"HTTP/1.1 400"), out[:100]
        assert lab.api("GET", "/_ping")[0] == 200


def test_a_client_that_goes_away_in_the_middle_of_a_stream_leaves_nothing_open():
    with Swarm() as lab:
        lab.service("web", image="busybox:latest", args=("sh", "-c", "while :; do echo line; sleep 0.01; done"))
        c = lab.containers("web")[0]
        def fds():
            import os
            return len(os.listdir("/proc/%d/fd" % lab.proc.pid))
        before = fds()
        for path in ("/events", "/containers/%s/logs?stdout=1&follow=1" % c, "/containers/%s/wait" % c):
            for _ in range(10):
                s = socket.socket(socket.AF_UNIX)
                s.connect(lab.sock)
                method = b"POST" if path.endswith("wait") else b"GET"
                s.sendall(method + b" " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                s.recv(100)
                s.close()
        wait_for(lambda: fds() <= before + 3, 10)


def test_an_image_that_is_missing_is_said_in_the_task():
    with Swarm() as lab:
        lab.service("web", "--restart-condition", "none", image="nosuch:1", running=False)
        t = wait_for(lambda: [x for x in lab.tasks("web") if x["Status"]["State"] == "rejected"], 30)
        assert t[0]["Status"]["Err"] == "No such image: nosuch:1", t[0]["Status"]


def test_a_command_that_does_not_exist_fails_the_task_with_words():
    with Swarm() as lab:
        lab.service("web", "--restart-condition", "none", args=("/no/such/program",), running=False)
        t = wait_for(lambda: [x for x in lab.tasks("web") if x["Status"]["State"] in ("failed", "rejected")], 20)
        assert "/no/such/program" in t[0]["Status"]["Err"], t[0]["Status"]
        wait_for(lambda: not [m for m in lab.mounts() if " tmpfs " in m], 10)


def test_what_is_no_image_is_refused_and_leaves_nothing():
    with Lab() as lab:
        import os
        before = lab.ok("images", "-q")
        for junk in (b"", b"garbage" * 1000, b"\x1f\x8b" + b"\0" * 100):
            st, _, data = lab.api("POST", "/images/load?quiet=1", junk, {"Content-Type": "application/x-tar"})
            assert "error" in str(data), (junk[:10], st, data)
        assert lab.ok("images", "-q") == before
        tmp = lab.data + "/image/tmp"
        assert os.listdir(tmp) == [], os.listdir(tmp)


def test_services_that_cannot_be_are_refused_with_the_engine_s_words():
    with Swarm(images=False) as lab:
        spec = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}}}
        sid = lab.secret("s")
        ref = {"File": {"Name": "s", "UID": "0", "GID": "0", "Mode": 292}, "SecretID": sid, "SecretName": "s"}

        def with_secrets(*refs):
            return {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "busybox", "Secrets": list(refs)}}}
        cases = [
            ({**spec, "Name": "a.b"}, 400, IA + "name must be valid as a DNS name component"),
            ({**spec, "Name": "x" * 64}, 400, IA + "name must be 63 characters or fewer"),
            ({"Name": "web", "TaskTemplate": {"ContainerSpec": {}}}, 400, IA + "ContainerSpec: image reference must be provided"),
            ({"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "UPPER/x y"}}}, 400, IA + 'ContainerSpec: "UPPER/x y" is not a valid repository/tag'),
            (with_secrets({**ref, "SecretID": "x" * 25}), 400, IA + "secret not found: s"),
            (with_secrets({**ref, "SecretName": "other"}), 400, IA + "secret not found: other"),
            (with_secrets(ref, ref), 400, IA + "secret references 's' and 's' have a conflicting target: 's'"),
            (with_secrets({"SecretID": sid, "SecretName": "s"}), 400, IA + "malformed secret reference, no target provided"),
            (with_secrets({**ref, "File": {"Name": ""}}), 400, IA + "malformed file secret reference, invalid target file name provided"),
            (with_secrets({"File": ref["File"], "SecretName": "s"}), 400, IA + "malformed secret reference"),
        ]
        for body, status, message in cases:
            lab.expect("POST", "/services/create", body, status, message)
        assert lab.api("GET", "/services")[2] == []
        assert lab.api("POST", "/services/create", with_secrets(ref))[0] == 201
        lab.expect("POST", "/services/create", {**spec, "Name": "WEB"}, 409,
                   "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service WEB already exists")


def test_outside_a_swarm_everything_says_how_to_get_in():
    with Lab(images=False) as lab:
        text = ('This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.')
        for method, path in (("GET", "/secrets"), ("GET", "/services"), ("GET", "/nodes"), ("GET", "/tasks"), ("GET", "/swarm"),
                             ("GET", "/secrets/x"), ("DELETE", "/secrets/x")):
            st, _, data = lab.api(method, path)
            assert (st, data["message"]) == (503, text), (method, path, st, data)
        st, _, data = lab.api("POST", "/secrets/create", {"Name": "x", "Data": "eA=="})
        assert (st, data["message"]) == (503, text), (st, data)
        st, _, data = lab.api("POST", "/swarm/leave?force=1")
        assert (st, data["message"]) == (503, "This node is not part of a swarm"), data


def test_a_second_init_is_refused_and_the_first_swarm_stays():
    with Swarm(images=False) as lab:
        lab.secret("s")
        r = lab.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        assert r.rc == 1 and 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.' in r.err, r
        assert lab.secrets() == ["s"]


def test_unknown_filters_are_named():
    with Swarm(images=False) as lab:
        for path in ("secrets", "services", "nodes", "tasks"):
            st, _, data = lab.api("GET", "/%s?filters=%%7B%%22nope%%22%%3A%%5B%%22x%%22%%5D%%7D" % path)
            assert st == 400 and data["message"].lower() == "invalid filter 'nope'", (path, st, data)
            st, _, data = lab.api("GET", "/%s?filters=nonsense" % path)
            assert st in (400, 500) and data["message"], (path, st, data)


if __name__ == "__main__":
    run(globals())
