"""Network namespaces, and the veth pairs between them."""
import contextlib
import ctypes
import os
import re
import shlex
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000

QUIET = {
    "net.ipv6.conf.all.accept_dad": 0,
    "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.router_solicitations": 0,
    "net.ipv6.icmp.ratelimit": 0,
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.ping_group_range": "0 2147483647",
}


def run(command, check=True, timeout=60, **options):
    """One command, given as a string or a list; its output is in the exception when it fails."""
    argv = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{shlex.join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Namespace:
    """A network namespace of ours. name begins with the PID of its owner, so that a dead one's can be found."""

    def __init__(self, name):
        self.name = f"bypeer-e2e-{name}"
        run(["ip", "netns", "add", self.name])
        self.descriptor = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        self.sysctl(**QUIET)
        self.ip("link set dev lo up")

    def close(self):
        os.close(self.descriptor)
        run(["ip", "netns", "del", self.name], check=False)

    def argv(self, command):
        words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, command, **options):
        return run(self.argv(command), **options)

    def ip(self, command, **options):
        return run(["ip", "-n", self.name, *shlex.split(command)], **options)

    def sysctl(self, **values):
        self.run(["sysctl", "-qw", *(f"{key}={value}" for key, value in values.items())])

    @contextlib.contextmanager
    def entered(self):
        """Sockets made inside stay in this namespace for good, so only their making needs this."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(self.descriptor)
            yield
        finally:
            enter(home)
            os.close(home)

    def mac(self, interface):
        return self.run(["cat", f"/sys/class/net/{interface}/address"]).stdout.strip()

    def statistic(self, interface, name):
        return int(self.run(["cat", f"/sys/class/net/{interface}/statistics/{name}"]).stdout)


def enter(descriptor):
    if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def cable(left, left_interface, right, right_interface, mtu=1500, queues=1):
    ends = []
    for namespace, interface in ((left, left_interface), (right, right_interface)):
        ends.append(f"name {interface} netns {namespace.name} mtu {mtu} numtxqueues {queues} numrxqueues {queues}")
    run(f"ip link add {ends[0]} type veth peer {ends[1]}")
    for namespace, interface in ((left, left_interface), (right, right_interface)):
        no_offloads(namespace, interface)
        namespace.ip(f"link set dev {interface} up")


def no_offloads(namespace, interface):
    namespace.run(f"ethtool -K {interface} tx off tso off gso off gro off")


def capture(namespace, interface):
    """Leaves the interface to the data plane alone. Raw sockets and XDP see frames before this drops them."""
    namespace.sysctl(**{f"net.ipv6.conf.{interface}.disable_ipv6": 1})
    namespace.ip(f"address flush dev {interface}")
    namespace.run(f"tc qdisc add dev {interface} clsact")
    # One instruction of classic BPF: return 2 (TC_ACT_SHOT). It needs no compiler and no nftables.
    namespace.run(["tc", "filter", "add", "dev", interface, "ingress", "bpf", "da", "bytecode", "1,6 0 0 2"])


def remove_stale():
    """What a run that was killed outright has left."""
    for line in run("ip netns list").stdout.splitlines():
        found = re.match(r"bypeer-e2e-(\d+)-", line)
        if found and not os.path.exists(f"/proc/{found.group(1)}"):
            run(["ip", "netns", "del", line.split()[0]], check=False)
