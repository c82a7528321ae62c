#!/usr/bin/python3
"""Runs each fuzz target of a build over its corpus, then for some seconds, as many targets at once as there are cores.

usage: fuzz.py BUILD-DIRECTORY CORPORA SCRATCH-DIRECTORY SECONDS COUNTS-FILE

COUNTS-FILE gets "PASSED FAILED 0": each target is two tests, its corpus and its run.
"""
import base64
import concurrent.futures
import os
import pathlib
import subprocess
import sys


def run(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    return done.returncode == 0, "\n".join(done.stdout.splitlines()[-60:])


def fuzz(target, corpus, scratch, seconds):
    """What went well of the two, and what there is to say."""
    found = scratch / "new"
    found.mkdir(parents=True)
    seeds = [path for path in corpus.rglob("*") if path.is_file()] if corpus.is_dir() else []
    if not seeds:
        return 0, 1, f"{corpus} is empty"
    good, text = run([target, *seeds])
    if not good:
        return 0, 1, f"{target.name}, corpus:\n{text}"
    good, text = run([target, f"-max_total_time={seconds}", "-rss_limit_mb=2048", f"-artifact_prefix={scratch}/",
                      found, corpus])
    if good:
        return 2, 0, ""
    for kind in ("crash", "leak", "timeout", "oom"):
        for path in scratch.glob(f"{kind}-*"):
            text += f"\ninput that did it, base64: {base64.b64encode(path.read_bytes()).decode()}"
    return 1, 1, f"{target.name}, {seconds} s:\n{text}"


def main():
    build, corpora, scratch, counts = (pathlib.Path(sys.argv[i]) for i in (1, 2, 3, 5))
    targets = sorted(path for path in (build / "tests" / "fuzz").glob("fuzz_*")
                     if path.is_file() and os.access(path, os.X_OK))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        names = [target.name.removeprefix("fuzz_") for target in targets]
        results = pool.map(lambda target, name: fuzz(target, corpora / name, scratch / name, int(sys.argv[4])),
                           targets, names)
        for number, (name, (well, ill, text)) in enumerate(zip(names, results), 1):
            passed, failed = passed + well, failed + ill
            print(f"[{number}/{len(names)}] {name}{': failed' * bool(ill)}", flush=True)
            if text:
                print(text, flush=True)
    counts.write_text(f"{passed} {failed or int(not targets)} 0\n")
    return failed != 0 or not targets


sys.exit(main())
