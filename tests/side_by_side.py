#!/usr/bin/python3
"""Runs the end-to-end tests in several processes of pytest at the same time.

usage: side_by_side.py files|tests JOBS SCRATCH-DIRECTORY -m MARKS PYTEST-ARGUMENT...

files: each process gets one file; tests that are marked alone come afterwards, with nothing beside them. tests: each
process gets one test. SCRATCH-DIRECTORY must not exist; it gets a log and a report of each, and "counts", which holds
"PASSED FAILED SKIPPED".
"""
import concurrent.futures
import os
import pathlib
import queue
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

TESTS = pathlib.Path(__file__).parent / "e2e"
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider"]


def collect(arguments, marks):
    """Which tests there are: name of the file -> its tests."""
    expression = " and ".join(f"({mark})" for mark in marks)
    done = subprocess.run([*PYTEST, "--collect-only", "-q", *arguments, "-m", expression, TESTS], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode not in (0, 5):  # 5: none
        sys.exit(done.stdout)
    files = {}
    for line in done.stdout.splitlines():
        if "::" in line:
            files.setdefault(line.split("::")[0].rsplit("/", 1)[-1], []).append(line.split("/")[-1])
    return files, ["-m", expression]


def count_junit(path):
    passed = failed = skipped = 0
    for suite in xml.etree.ElementTree.parse(path).iter("testsuite"):
        tests, errors, failures, skips = (int(suite.get(k)) for k in ("tests", "errors", "failures", "skipped"))
        failed += errors + failures
        skipped += skips
        passed += tests - errors - failures - skips
    return passed, failed, skipped


class Runs:
    """Processes of pytest, and what came of them."""

    def __init__(self, scratch, arguments, total):
        self.scratch, self.arguments, self.total = scratch, arguments, total
        self.children, self.over = set(), 0
        self.counts = [0, 0, 0]

    def run(self, name, selection):
        began = time.monotonic()
        place, core = self.scratch / name.replace("/", "-"), self.cores.get()
        with open(f"{place}.log", "wb") as log:
            child = subprocess.Popen([*PYTEST, "-v", "--tb=short", f"--junitxml={place}.xml", *self.arguments, *selection,
                                      TESTS / name], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                     env={**os.environ, "BYPEER_FIRST_CORE": str(core)})
            self.children.add(child)
            status = child.wait()
        self.cores.put(core)
        return name, place, status, time.monotonic() - began

    def all(self, names, selection, jobs):
        """Big files first, so that none is left to run when all others are over."""
        order = sorted(names, key=lambda name: -(TESTS / name.split("::")[0]).stat().st_size)
        self.cores = queue.SimpleQueue()
        for core in range(jobs):
            self.cores.put(core)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            try:
                for done in concurrent.futures.as_completed([pool.submit(self.run, name, selection) for name in order]):
                    self.take(*done.result())
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                for child in self.children:
                    child.terminate()
                raise

    def take(self, name, place, status, seconds):
        self.over += 1
        try:
            passed, failed, skipped = count_junit(f"{place}.xml")
        except (OSError, xml.etree.ElementTree.ParseError):
            passed, failed, skipped = 0, 0, 0
        if failed == 0 and (status != 0 or passed + skipped == 0):
            failed = 1
        self.counts = [sum(pair) for pair in zip(self.counts, (passed, failed, skipped))]
        log = pathlib.Path(f"{place}.log").read_text(errors="replace").splitlines()
        for line in log if not failed else log[-200:]:
            if failed or line.startswith("figure: "):
                print(line)
        print(f"[{self.over}/{self.total}] {name}: {f'{failed} failed' if failed else 'passed'}, {seconds:.0f} s", flush=True)


def interrupt(number, frame):
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    unit, jobs, scratch, arguments = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4:]
    at = arguments.index("-m")
    marks = [arguments.pop(at + 1)]
    arguments.pop(at)
    scratch.mkdir(parents=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    beside = collect(arguments, [*marks, "not alone"] if unit == "files" else marks)
    alone = collect(arguments, [*marks, "alone"]) if unit == "files" else ({}, [])
    if unit == "tests":
        beside = ({test: [test] for tests in beside[0].values() for test in tests}, [])
    runs = Runs(scratch, arguments, len(beside[0]) + len(alone[0]))
    print(f"[0/{runs.total}]", flush=True)
    runs.all(beside[0], beside[1], jobs)
    runs.scratch = scratch / "alone"
    runs.scratch.mkdir()
    runs.all(alone[0], alone[1], 1)
    passed, failed, skipped = runs.counts
    (scratch / "counts").write_text(f"{passed} {failed or int(runs.total == 0)} {skipped}\n")
    return failed != 0 or runs.total == 0


os.chdir(pathlib.Path(__file__).parents[1])
sys.exit(main())
