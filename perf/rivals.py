"""What carrying 100 Mb/s from one member to another costs this machine, through bypeer and through its rivals.

    left (an end) --- veth --- middle: who is measured --- veth --- right (an end)

One after another are in the middle: a bypeer node with hub links, one with a relay link, wireguard-go as a hub, Nebula as
a relay, coturn, and the kernel, which only forwards. The ends are wireguard-go, but for Nebula, which has its own, and
coturn, whose ends are its own test programs: they speak no WireGuard, so a client's datagrams go through an allocation
to a peer that sends them back, both ways counted.

Cost is the processor time of the whole machine, as /proc/stat has it, less that of the processes at both ends; so what
the kernel does for the middle in an interrupt counts for the middle. Load is what arrived, in inner packets of the size
that is named. All is made of the end-to-end tests' namespaces, so this runs from the source tree only.
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / "e2e")]
from harness.lab import Lab  # noqa: E402
from harness.namespace import cable, remove_stale, run  # noqa: E402
from harness.node import Build  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.wireguard import WireGuard  # noqa: E402

SIDES = {"left": 1, "right": 2}
GROUP = "fd12:3456:789a::"
PORT = 51820
HEADERS = 48  # IPv6 and UDP, of an inner packet
TURN_PORT, PEER_PORT = 3478, 3480
NEBULA_PORT = 4242


def underlay(side, host):
    return f"2001:db8:{SIDES[side]}::{host}"


def key_pair():
    private = run("wg genkey").stdout.strip()
    public = subprocess.run(["wg", "pubkey"], input=private, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return private, public


class Way:
    """One who is in the middle. ends: processes whose time is not his; own: his, to be shown beside."""

    name = None
    mtu = 1500

    def __init__(self, build):
        self.lab = Lab(Build(build))
        self.middle = self.lab.namespace("middle")
        self.ends, self.own = [], []
        self.sides = {}
        for side in SIDES:
            self.sides[side] = self.lab.namespace(side)
            cable(self.sides[side], "eth0", self.middle, side, mtu=self.mtu)
            self.sides[side].ip(f"address add {underlay(side, 10)}/64 dev eth0 nodad")
            self.sides[side].ip(f"route add default via {underlay(side, 1)}")

    def close(self):
        self.lab.close()

    def address_middle(self):
        for side in SIDES:
            self.middle.ip(f"address add {underlay(side, 1)}/64 dev {side} nodad")

    def forward(self):
        self.middle.sysctl(**{"net.ipv6.conf.all.forwarding": 1})

    def overlay(self, side):
        return f"{GROUP}{SIDES[side]}0"

    def wireguard(self, namespace, name, private, *peers, address):
        """wireguard-go with a file of its own. peers: (public key, allowed, endpoint or None)."""
        lines = ["[Interface]", f"PrivateKey = {private}", f"ListenPort = {PORT}", f"Address = {address}/128"]
        for public, allowed, endpoint in peers:
            lines += ["[Peer]", f"PublicKey = {public}", f"AllowedIPs = {allowed}"]
            lines += [f"Endpoint = {endpoint}", "PersistentKeepalive = 25"] if endpoint else []
        file = self.lab.directory / f"{name}.conf"
        file.write_text("\n".join(lines) + "\n")
        return self.up(namespace, file)

    def up(self, namespace, file):
        end = WireGuard(self.lab, namespace, file)
        namespace.ip(f"route add {GROUP}/48 dev {end.interface}")
        return end

    def connected(self):
        return self.sides["left"].run(["ping", "-c", "1", "-W", "1", self.overlay("right")], check=False).returncode == 0

    def wait(self):
        wait_until(f"{self.name}: the ends reach each other", self.connected, 40)

    # --- load ---

    def load(self, inner, mbps, seconds):
        """Begins to send for so long; the processes of it, or None, at the right and at the left."""
        server = self.lab.daemon(self.sides["right"], "iperf3", ["iperf3", "-s", "-1", "--forceflush"])
        wait_until("iperf3 listens", lambda: "listening" in server.text())
        payload = inner - self.headers()
        argv = ["iperf3", "-c", self.target(), "-u", "-l", payload, "-b", f"{mbps * payload / inner}M", "-t", seconds]
        return server, self.client(argv)

    def client(self, argv):
        return subprocess.Popen([str(word) for word in self.sides["left"].argv(argv)], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def headers(self):
        return HEADERS

    def target(self):
        return self.overlay("right")


class Kernel(Way):
    """Only forwards what the ends say to each other."""

    name = "kernel"

    def start(self):
        self.address_middle()
        self.forward()
        keys = {side: key_pair() for side in SIDES}
        for side, other in (("left", "right"), ("right", "left")):
            end = self.wireguard(self.sides[side], side, keys[side][0],
                                 (keys[other][1], f"{self.overlay(other)}/128", f"[{underlay(other, 10)}]:{PORT}"),
                                 address=self.overlay(side))
            self.ends.append(end.daemon.pid)


class Hub(Way):
    """What hubs have in common: each end has one peer, the middle."""

    def start_ends(self, hub_key, keys):
        for side in SIDES:
            end = self.wireguard(self.sides[side], side, keys[side][0],
                                 (hub_key, f"{GROUP}/48", f"[{underlay(side, 1)}]:{PORT}"), address=self.overlay(side))
            self.ends.append(end.daemon.pid)


class WireGuardGo(Hub):
    name = "wireguard-go"

    def start(self):
        self.address_middle()
        self.forward()
        private, public = key_pair()
        keys = {side: key_pair() for side in SIDES}
        hub = self.wireguard(self.middle, "hub", private,
                             *((keys[side][1], f"{self.overlay(side)}/128", None) for side in SIDES),
                             address=f"{GROUP}1")
        self.own.append(hub.daemon.pid)
        self.start_ends(public, keys)


class BypeerNode:
    def make_node(self):
        self.node = self.lab.node("middle")
        self.node.config["dataplane"]["idle"] = "interrupt"
        self.node.group("perf", f"{GROUP}/48", 7, f"{GROUP}1")
        for side in SIDES:
            self.node.port(side, f"{underlay(side, 1)}/64")

    def start_node(self):
        self.node.start(ready=False)
        self.node.wait_ready(links=False)
        self.own += [self.node.control.pid, self.node.dataplane.pid]


class BypeerHub(BypeerNode, Hub):
    name = "bypeer hub"

    def start(self):
        self.make_node()
        private, public = key_pair()
        keys = {side: key_pair() for side in SIDES}
        file = self.node.directory / "state" / "wireguard.key"
        file.touch(mode=0o600)
        file.write_text(private + "\n")
        self.node.config["peers"] = [{"name": side, "group": "perf", "public-key": keys[side][1],
                                      "address": self.overlay(side)} for side in SIDES]
        self.start_node()
        self.start_ends(public, keys)


class BypeerRelay(BypeerNode, Way):
    name = "bypeer relay"

    def start(self):
        self.make_node()
        self.node.config["relay"] = {"prefix": "2001:db8:5::/64"}
        self.start_node()
        files = self.lab.directory / "files"
        files.mkdir()
        self.node.cli("relay", "mesh", "--group", "perf", "--new-key", "--directory", files, *SIDES)
        self.at = {}
        for side in SIDES:
            end = self.up(self.sides[side], files / f"{side}.conf")
            self.at[side] = end.address
            self.ends.append(end.daemon.pid)

    def overlay(self, side):
        return self.at[side]


class Nebula(Way):
    """The ends cannot reach each other's underlay, so they agree on the relay."""

    name = "nebula"
    mtu = 1600  # its headers are larger, and are not to be blamed on fragments

    def start(self):
        self.address_middle()
        self.lab.directory.joinpath("ca").mkdir()
        certificates = self.lab.directory / "ca"
        run(["nebula-cert", "ca", "-name", "perf", "-out-crt", certificates / "ca.crt", "-out-key", certificates / "ca.key"])
        self.own.append(self.nebula(self.middle, "middle", 1))
        for side, number in SIDES.items():
            self.ends.append(self.nebula(self.sides[side], side, 10 * number))

    def nebula(self, namespace, name, host):
        certificates = self.lab.directory / "ca"
        run(["nebula-cert", "sign", "-name", name, "-ip", f"10.77.0.{host}/24", "-ca-crt", certificates / "ca.crt",
             "-ca-key", certificates / "ca.key", "-out-crt", certificates / f"{name}.crt",
             "-out-key", certificates / f"{name}.key"])
        is_middle = name == "middle"
        config = {
            "pki": {"ca": str(certificates / "ca.crt"), "cert": str(certificates / f"{name}.crt"),
                    "key": str(certificates / f"{name}.key")},
            "static_host_map": {} if is_middle else {"10.77.0.1": [f"[{underlay(name, 1)}]:{NEBULA_PORT}"]},
            "lighthouse": {"am_lighthouse": is_middle, "hosts": [] if is_middle else ["10.77.0.1"]},
            "listen": {"host": "::", "port": NEBULA_PORT},
            "relay": {"am_relay": is_middle, "use_relays": True, "relays": [] if is_middle else ["10.77.0.1"]},
            "tun": {"dev": f"neb{host}", "mtu": 1420},
            "firewall": {"outbound": [{"port": "any", "proto": "any", "host": "any"}],
                         "inbound": [{"port": "any", "proto": "any", "host": "any"}]},
        }
        file = self.lab.directory / f"nebula-{name}.yml"
        file.write_text(json.dumps(config))  # JSON is YAML
        return self.lab.daemon(namespace, f"nebula-{name}", ["nebula", "-config", file]).pid

    def headers(self):
        return 28  # IPv4 and UDP

    def overlay(self, side):
        return f"10.77.0.{10 * SIDES[side]}"


class Coturn(Way):
    name = "coturn"
    mtu = 1600

    def start(self):
        self.address_middle()
        listen = [word for side in SIDES for word in ("-L", underlay(side, 1))]
        self.own.append(self.lab.daemon(self.middle, "turnserver", [
            "turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "-a", "-u", "perf:perf", "-r", "perf", "-p", TURN_PORT,
            *listen, "-E", underlay("right", 1), "--log-file", "stdout", "--simple-log",
            "--pidfile", self.lab.directory / "turnserver.pid",
            "--userdb", self.lab.directory / "turn.sqlite"]).pid)
        peer = self.lab.daemon(self.sides["right"], "turnutils_peer", ["turnutils_peer", "-p", PEER_PORT,
                                                                       "-L", underlay("right", 10)])
        self.ends.append(peer.pid)

    def wait(self):
        time.sleep(1)

    def load(self, inner, mbps, seconds):
        """Half of the load each way. A client sends at most a message a millisecond, so there are several."""
        payload = inner - HEADERS
        a_second = mbps * 1e6 / 8 / inner / 2
        clients = max(1, round(a_second / 500))
        interval = max(1, round(1000 * clients / a_second))
        argv = ["turnutils_uclient", "-u", "perf", "-w", "perf", "-p", TURN_PORT, "-e", underlay("right", 10),
                "-r", PEER_PORT, "-l", payload, "-m", clients, "-z", interval, "-n", round(1000 / interval * seconds), "-c",
                "-x", underlay("left", 1)]
        return None, self.client(argv)


WAYS = (BypeerHub, BypeerRelay, WireGuardGo, Nebula, Coturn, Kernel)


# --- measuring ---

def busy_seconds():
    """
    Processor time that all cores together were not idle. Idle time is the one figure of /proc/stat that the kernel
    measures; the others are samples at its ticks, which miss who wakes up and sleeps again between two of them.
    """
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()
    idle, iowait = int(fields[4]), int(fields[5])
    return time.monotonic() * os.cpu_count() - (idle + iowait) / os.sysconf("SC_CLK_TCK")


def process_seconds(pids):
    """Of all threads, the ended ones included, where they are still known."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def packets(way):
    """That came out of the middle at either side."""
    return sum(way.sides[side].statistic("eth0", "rx_packets") for side in SIDES)


def measure(way, inner, mbps, seconds):
    """{cores_per_gbps, own_cores_per_gbps, mbps}"""
    silent = packets(way)
    server, client = way.load(inner, mbps, seconds + 2)
    wait_until(f"{way.name}: packets flow", lambda: packets(way) > silent + 500, 30)
    ends = way.ends + [client.pid] + ([server.pid] if server else [])
    before = busy_seconds(), process_seconds(ends), process_seconds(way.own), packets(way), time.monotonic()
    time.sleep(seconds)
    after = busy_seconds(), process_seconds(ends), process_seconds(way.own), packets(way), time.monotonic()
    client.terminate()
    client.wait()
    if server:
        server.stop()
    busy, at_ends, own, carried, wall = (late - early for late, early in zip(after, before))
    gigabits = carried * inner * 8 / 1e9
    if carried < 100 * seconds:
        raise SystemExit(f"{way.name}: only {gigabits / wall * 1000:.1f} of {mbps} Mb/s arrived")
    return {"cores_per_gbps": (busy - at_ends) / gigabits, "own_cores_per_gbps": own / gigabits,
            "mbps": gigabits / wall * 1000}


def idle_cores(way, seconds):
    """What the middle itself spends on nothing."""
    before, start = process_seconds(way.own), time.monotonic()
    time.sleep(seconds)
    return (process_seconds(way.own) - before) / (time.monotonic() - start)


def take(build, loads, rounds, seconds, say):
    """{way: {inner: {figure: median}}}; loads: {inner: Mb/s}"""
    remove_stale()
    taken = {kind.name: {inner: [] for inner in loads} for kind in WAYS}
    idle = {kind.name: [] for kind in WAYS}
    for _ in range(rounds):
        for kind in WAYS:
            way = kind(build)
            try:
                way.start()
                way.wait()
                idle[kind.name].append(idle_cores(way, min(seconds, 3)))
                for inner, mbps in loads.items():
                    taken[kind.name][inner].append(measure(way, inner, mbps, seconds))
                    last = taken[kind.name][inner][-1]
                    say(f"  {kind.name:<14}{inner:>5} bytes{last['mbps']:>7.0f} Mb/s{last['cores_per_gbps']:>8.2f} cores a "
                        f"Gb/s, {last['own_cores_per_gbps']:.2f} of it its own processes'")
            except BaseException:
                print(way.lab.logs(), file=sys.stderr)
                raise
            finally:
                way.close()
    return {name: {"idle_cores": round(statistics.median(idle[name]), 4) if idle[name] else None,
                   **{str(inner): {figure: round(statistics.median(one[figure] for one in values), 3)
                                   for figure in values[0]} for inner, values in of.items()}}
            for name, of in taken.items()}
