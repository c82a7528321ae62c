"""Programs under test: started in a namespace, logged to a file, ended by their recorded PID."""
import os
import re
import signal
import subprocess
import time

SANITIZER = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|runtime error:|WARNING: ThreadSanitizer")


class Daemon:
    def __init__(self, name, argv, log, environment=None):
        self.name = name
        self.log = log
        self.output = open(log, "ab")
        self.output.write(f"--- {' '.join(map(str, argv))}\n".encode())
        self.output.flush()
        # A session of its own: an interrupt at the terminal reaches pytest alone, which then ends this in order.
        self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, start_new_session=True,
                                        env={**os.environ, **(environment or {})})

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """As the out-of-memory killer would."""
        self.process.kill()
        self.process.wait()
        self.output.close()

    def stop(self, timeout=15):
        """Returns its exit status; None when it had to be killed."""
        if self.alive():
            self.process.terminate()
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            time.sleep(0.2)
            self.process.kill()
            self.process.wait()
            status = None
        self.output.close()
        return status

    def text(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def complaints(self):
        """Lines of the log that a sanitizer wrote, with what follows."""
        found = SANITIZER.search(self.text())
        return self.text()[found.start():found.start() + 4000] if found else None

    def cpu_seconds(self):
        """User and system time of all its threads so far."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(what, condition, timeout=15, interval=0.02):
    """Polls condition() until it is true; its last value is returned. what completes "gave up waiting until ..."."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up waiting {timeout} s until {what}; last seen: {value!r}")
        time.sleep(interval)
