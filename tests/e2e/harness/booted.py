"""A machine that was booted: systemd as its first process, bypeer installed as the README says."""
import pathlib
import shlex

from .namespace import run
from .process import Daemon, wait_until

SCRIPT = pathlib.Path(__file__).resolve().parent / "booted.sh"
NAMESPACES = ["--mount", "--pid", "--ipc", "--uts", "--cgroup"]


def cgroup2():
    """Where this process's own cgroup of version 2 is mounted."""
    mounts = (line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines())
    mounted = next(words[1] for words in mounts if words[2] == "cgroup2")
    own = next(line for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    return pathlib.Path(mounted) / own[len("0::/"):]


class Booted:
    """In a network namespace of the lab, with a cgroup of its own, as systemd shares one with nobody."""

    def __init__(self, lab, namespace):
        self.cgroup = cgroup2() / f"bypeer-e2e-{lab.name}"
        self.cgroup.mkdir()
        upper = lab.directory / "booted"
        upper.mkdir()
        # Not by "ip netns exec", which hides the cgroups.
        enter = f"echo $$ > {self.cgroup}/cgroup.procs && exec nsenter --net=/run/netns/{namespace.name} \"$@\""
        self.daemon = Daemon("systemd", ["bash", "-c", enter, "-", "unshare", *NAMESPACES, "--fork", "--kill-child", SCRIPT,
                                         lab.build.directory, upper], lab.directory / "systemd.log")
        lab.daemons.append(self.daemon)
        lab.closing(self)
        self.first = int(wait_until("there is a first process", self.children))
        wait_until("systemd has started", lambda: self.run("systemctl is-system-running", check=False).stdout.strip()
                   in ("running", "degraded"), 60)

    def children(self):
        pid = self.daemon.pid
        assert self.daemon.alive(), self.daemon.text()
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def run(self, command, **options):
        words = shlex.split(command) if isinstance(command, str) else command
        return run(["nsenter", "--all", "--target", self.first, "--", *words], **options)

    def write(self, path, text):
        self.run(["install", "-D", "-m", "644", "/dev/null", path])
        self.run(["bash", "-c", f"printf %s {shlex.quote(text)} > {path}"])

    def show(self, unit, name):
        return self.run(["systemctl", "show", "--property", name, "--value", unit]).stdout.strip()

    def journal(self, unit):
        return self.run(["journalctl", "--no-pager", "--output", "cat", "--unit", unit]).stdout

    def close(self):
        self.daemon.kill()
        for directory in reversed([self.cgroup, *sorted(path for path in self.cgroup.rglob("*") if path.is_dir())]):
            wait_until("the cgroup is empty", lambda: removed(directory))


def removed(directory):
    try:
        directory.rmdir()
    except OSError:
        return False
    return True
