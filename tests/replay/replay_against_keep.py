"""Starts a keepd of its own for each scenario, replays the recording against it, adds up what passed. See run.

    replay_against_keep.py [--cli docker|keep] [--http] [--verbose] [SCENARIO...]

Without --cli each scenario runs through the stock CLI and through ours. The tolerances are those of the recordings plus tolerances.json
beside this file: what differs here on purpose, each rule with its reason."""
import argparse
import json
import os
import re
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
from lab import DOCKER, KEEP, ROOTFS, Lab  # noqa: E402

# 14_service_secret_syntax passes too, and takes two minutes: name it.
SCENARIOS = ("03_outside_swarm", "04_swarm_init_leave", "05_seed000_db_pwd", "07_seed002_nginx", "09_seed003_linuxtips",
             "11_secret_create", "13_secret_update_api")
CLIS = {"docker": DOCKER, "keep": KEEP}


def tolerances(shared, cli, where):
    """The recordings' own rules and ours, in one file for the replayer. Ours may be for one CLI only ("cli")."""
    with open(shared + "/replay/tolerances.json") as f:
        rules = json.load(f)
    with open(os.path.join(HERE, "tolerances.json")) as f:
        rules["rules"] += [r for r in json.load(f)["rules"] if r.pop("cli", cli) == cli]
    with open(where, "w") as f:
        json.dump(rules, f)
    return where


def rootfs(where):
    """The lab's root file system without /etc/group: the recordings' images had none, so listings name groups by number."""
    with tarfile.open(ROOTFS) as old, tarfile.open(where, "w") as new:
        for m in old:
            if m.name.lstrip("./") != "etc/group":
                new.addfile(m, old.extractfile(m) if m.isreg() else None)
    return where


def command(shared, scenario, opt, cli, lab):
    argv = ["nsenter", "--net=/run/netns/" + lab.name, sys.executable, shared + "/replay/replay.py", "--host", "unix://" + lab.sock,
            "--rootfs", rootfs(lab.dir + "/rootfs.tar"), "--reset", "--scratch", lab.dir + "/scratch",
            "--tolerances", tolerances(shared, cli, lab.dir + "/tolerances.json")]
    if cli == "keep":
        argv += ["--cli", KEEP, "--host-env", "KEEP_HOST"]
    if opt.http:
        argv.append("--http")
    argv.append("--verbose" if opt.verbose else "--quiet")
    if opt.report:
        argv += ["--report", "%s/%s-%s.json" % (opt.report, scenario, cli)]
    return argv + ["%s/recordings/%s.jsonl" % (shared, scenario)]


def replay(shared, scenario, opt, cli):
    """(passed, failed, skipped) of one scenario; a replay that did not end as it should counts as a failure"""
    with Lab(debug=bool(os.environ.get("KEEP_TEST_LOGS"))) as lab:  # /info tells whether the daemon debugs
        env = {"PATH": os.path.dirname(DOCKER) + ":" + os.environ["PATH"], "HOME": lab.dir}
        p = subprocess.run(command(shared, scenario, opt, cli, lab), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=900)
        log = lab.tail(6000) if os.environ.get("KEEP_TEST_LOGS") else ""
    found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", p.stdout, re.M)
    passed, failed, skipped = map(int, found[-1]) if found else (0, 1, 0)
    if failed or opt.verbose:
        print(p.stdout[-40000:] + log)
    print("# %s through %s: %d passed, %d failed, %d skipped" % (scenario, cli, passed, failed, skipped), flush=True)
    return passed, failed, skipped


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("scenario", nargs="*", help="names or first numbers of recordings (%s)" % ", ".join(SCENARIOS))
    ap.add_argument("--cli", choices=sorted(CLIS), action="append")
    ap.add_argument("--http", action="store_true", help="also compare the HTTP exchanges behind each step")
    ap.add_argument("--report", help="directory for one JSON report of each run")
    ap.add_argument("--verbose", action="store_true")
    return ap.parse_args()


def recorded_client():
    p = subprocess.run([DOCKER, "--version"], stdout=subprocess.PIPE, text=True)
    return " version 28." in p.stdout


def main():
    opt = arguments()
    shared = os.path.abspath(os.environ.get("RECORDINGS") or os.path.join(TOP, "..", "shared"))
    if not os.path.exists(shared + "/replay/replay.py"):
        print("# SKIP the recordings are not here: set RECORDINGS to the folder that holds recordings/ and replay/")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    names = sorted(f[:-6] for f in os.listdir(shared + "/recordings") if f.endswith(".jsonl"))
    wanted = [n for s in opt.scenario or SCENARIOS for n in names if n == s or n.startswith(s + "_")]
    if not wanted:
        sys.exit("no recording is called %s" % " or ".join(opt.scenario))
    totals = [0, 0, 0]
    clis = opt.cli or ["docker", "keep"]
    if "docker" in clis and not recorded_client():
        print("# SKIP replays through docker: the recordings are of client 28, whose words other versions do not use")
        clis = [c for c in clis if c != "docker"]
        totals[2] += len(wanted)
    for scenario in wanted:
        for cli in clis:
            totals = [a + b for a, b in zip(totals, replay(shared, scenario, opt, cli))]
    print("%d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


sys.exit(main())
