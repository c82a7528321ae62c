"""The node's own code for formats that the harness has, too."""
import subprocess


class Codec:
    """A program of codec.c: one line in and one line out."""

    def __init__(self, build, name):
        self.process = subprocess.Popen([build.directory / "tests" / "e2e" / name], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, profile, what, data):
        self.process.stdin.write(f"{profile} {what} {bytes(data).hex()}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0
