#!/usr/bin/python3
"""Runs clang-tidy on the C files named on standard input (NUL-terminated), two at a time.

usage: tidy.py BUILD-DIRECTORY...     the first one whose compile_commands.json knows a file is used for it

Compilation options that only gcc knows are left out, so that a gcc build will do.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile


def database(directories):
    """One compile command a source file, options of gcc removed."""
    commands = {}
    for directory in directories:
        path = pathlib.Path(directory, "compile_commands.json")
        if not path.exists():
            continue
        for entry in json.loads(path.read_text()):
            source = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
            if source in commands:
                continue
            entry["command"] = " ".join(
                word for word in entry["command"].split() if not word.startswith(("-fsanitize", "-Werror")))
            commands[source] = entry
    return commands


def main():
    sources = [os.path.realpath(name) for name in sys.stdin.buffer.read().decode().split("\0") if name]
    commands = database(sys.argv[1:])
    unbuilt = [s for s in sources if s not in commands]
    for source in unbuilt:
        print(f"not in any build: {os.path.relpath(source)}")
    todo = [s for s in sources if s in commands]
    findings = []
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "compile_commands.json").write_text(json.dumps([commands[s] for s in todo]))

        def run(source):
            return source, subprocess.run(
                ["clang-tidy", "--quiet", "-p", directory, "--extra-arg=-Wno-unknown-warning-option", source],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for number, (source, done) in enumerate(pool.map(run, todo), 1):
                print(f"[{number}/{len(todo)}] {os.path.relpath(source)}", flush=True)
                if done.returncode != 0:
                    findings.append(done.stdout)
    for text in findings:
        print("\n".join(line for line in text.splitlines() if " error: " in line or " note: " in line))
    print(f"{len(findings)} of {len(todo)} files have findings")
    return len(findings) != 0


sys.exit(main())
