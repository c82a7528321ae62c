#!/usr/bin/python3
"""Counts tests in a log: prints "PASSED FAILED SKIPPED".

usage: count.py meson TESTLOG.JSON STATUS   Criterion's tests one by one, any other meson test as one
       count.py junit FILE.XML STATUS

STATUS is what the run itself ended with.
"""
import json
import re
import sys
import xml.etree.ElementTree

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


def count_junit(path):
    passed = failed = skipped = 0
    for suite in xml.etree.ElementTree.parse(path).iter("testsuite"):
        tests, errors, failures, skips = (int(suite.get(k)) for k in ("tests", "errors", "failures", "skipped"))
        failed += errors + failures
        skipped += skips
        passed += tests - errors - failures - skips
    return passed, failed, skipped


def main():
    kind, path, status = sys.argv[1:]
    try:
        passed, failed, skipped = {"meson": count_meson, "junit": count_junit}[kind](path)
    except (OSError, ValueError, xml.etree.ElementTree.ParseError):
        passed, failed, skipped = 0, 0, 0
    # A run that failed without a test that says so, or that ran nothing at all, is one failure.
    if failed == 0 and (status != "0" or passed + skipped == 0):
        failed = 1
    print(max(passed, 0), failed, skipped)


main()
