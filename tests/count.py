#!/usr/bin/python3
"""Counts the tests in a log of meson, Criterion's one by one and any other as one: prints "PASSED FAILED SKIPPED".

usage: count.py TESTLOG.JSON STATUS

STATUS is what the run itself ended with.
"""
import json
import re
import sys

SYNTHESIS = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def count_meson(path):
    passed = failed = skipped = 0
    for line in open(path):
        test = json.loads(line)
        good = test["result"] in ("OK", "EXPECTEDFAIL")
        text = COLOUR.sub("", (test.get("stdout") or "") + (test.get("stderr") or ""))
        found = SYNTHESIS.search(text)
        if test["result"] == "SKIP":
            skipped += 1
        elif found:
            _, passing, failing, crashing = map(int, found.groups())
            passed += passing
            failed += failing + crashing
            if not good and failing + crashing == 0:
                failed += 1
        elif good:
            passed += 1
        else:
            failed += 1
    return passed, failed, skipped


def main():
    path, status = sys.argv[1:]
    try:
        passed, failed, skipped = count_meson(path)
    except (OSError, ValueError):
        passed, failed, skipped = 0, 0, 0
    # A run that failed without a test that says so, or that ran nothing at all, is one failure.
    if failed == 0 and (status != "0" or passed + skipped == 0):
        failed = 1
    print(max(passed, 0), failed, skipped)


main()
