"""What a benchmark changes on the machine, and how it is undone whatever happens.

A process of its own, made before anything is changed, is told of every change and reads a pipe. When the pipe ends,
because the benchmark has ended, was interrupted or was killed, it undoes the changes, the last one first.
"""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time

HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
LOCK = "/run/lock/bypeer-perf.lock"


def start_time(pid):
    """Tells a process from a later one with its number; None: there is no such process, or it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def get_hugepages():
    with open(HUGEPAGES, encoding="ascii") as file:
        return int(file.read())


def set_hugepages(pages):
    with open(HUGEPAGES, "w", encoding="ascii") as file:
        file.write(str(pages))


def undo(change):
    kind, value = change
    if kind == "process":
        pid, started = value
        if started is not None and start_time(pid) == started:
            os.kill(pid, signal.SIGKILL)
        for _ in range(500):  # huge pages that a process still gives back cannot be taken from the pool
            if started is None or start_time(pid) != started:
                break
            time.sleep(0.01)
    elif kind == "namespace":
        subprocess.run(["ip", "netns", "delete", value], check=False, stderr=subprocess.DEVNULL)
    elif kind == "directory":
        shutil.rmtree(value, ignore_errors=True)
    elif kind == "hugepages":  # as many as were added: somebody else may have added some since
        set_hugepages(max(get_hugepages() - value, 0))


class Keeper:
    def __init__(self):
        self.lock = open(LOCK, "w", encoding="ascii")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another benchmark is running, and they would disturb each other; wait for its end")
        reader, writer = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            os.setsid()
            os.close(writer)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            self.lock.close()
            with os.fdopen(reader, encoding="utf-8") as pipe:
                changes = [json.loads(line) for line in pipe]
            for change in reversed(changes):
                try:
                    undo(change)
                except OSError as error:
                    print(f"cannot undo {change}: {error}", file=sys.stderr)
            os._exit(0)
        os.close(reader)
        self.pipe = os.fdopen(writer, "w", encoding="utf-8")

    def note(self, kind, value):
        """Before (or, of a process, right after) the change."""
        self.pipe.write(json.dumps([kind, value]) + "\n")
        self.pipe.flush()

    def process(self, pid):
        self.note("process", [pid, start_time(pid)])

    def hugepages(self, pages):
        """Makes at least this many more 2 MiB pages available."""
        before = get_hugepages()
        self.note("hugepages", pages)
        set_hugepages(before + pages)
        got = get_hugepages() - before
        if got < pages:
            self.note("hugepages", got - pages)
            sys.exit(f"hugepages: the kernel found {got} of {pages} (2 MiB each); free some memory, or restart")

    def close(self):
        """Undoes everything and waits until it is done."""
        self.pipe.close()
        os.waitpid(self.child, 0)
        self.lock.close()
