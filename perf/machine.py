"""The two that are compared, bypeer and dpdk-testpmd, each with one worker on the same frames and the same device.

The device is net_pcap with infinite_rx: it copies frames of a file, over and over, into fresh buffers, and since no file
is given to write to, what is transmitted is freed and counted as sent. So there is no wire and no kernel in the way; what
is measured is what a program does between receive and transmit.
"""
import argparse
import ipaddress
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import keeper

FRAMES = 262144
PEERS = 16
PREFIX = "fd12:3456:789a::/48"
VNI = 7
NODE_ADDRESS = "2001:db8:1::1"
PORT_MAC = "02:70:63:61:70:00"  # of the first net_pcap device
LOAD_AT_ONCE = 50000
MEBIBYTE = 1 << 20


class Refused(Exception):
    """What the API said."""


class Api:
    """JSON-RPC 2.0, an object a line."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.reader = self.socket.makefile("rb")
        self.number = 0

    def encode(self, method, params):
        self.number += 1
        return json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}).encode() + b"\n"

    def send(self, request):
        self.socket.sendall(request)
        line = self.reader.readline()
        if not line:
            raise Refused("bypeerd closed the connection")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"]["message"])
        return answer["result"]

    def call(self, method, **params):
        return self.send(self.encode(method, params))


class Telemetry:
    """DPDK's, of the process with this file prefix."""

    def __init__(self, prefix):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(f"/run/dpdk/{prefix}/dpdk_telemetry.v2")
        self.socket.recv(4096)

    def ask(self, command):
        self.socket.send(command.encode())
        return json.loads(self.socket.recv(65536))[command.partition(",")[0]]

    def close(self):
        self.socket.close()


def wait_for(what, condition, seconds=60):
    """The condition's first true value; an OSError or a refusal means not yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, Refused, ValueError):
            pass
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Clock:
    """Time as the worker of a process sees it: the clock's, or only what the worker ran of it."""

    def __init__(self, process, cpu_time):
        self.cpu_time = cpu_time
        tasks = pathlib.Path(f"/proc/{process.pid}/task")
        self.worker = next(task for task in tasks.iterdir() if (task / "comm").read_text() == "rte-worker-1\n")
        self.last = self.read()

    def read(self):
        return time.monotonic(), int((self.worker / "schedstat").read_text().split()[0]) / 1e9

    def lap(self):
        """(seconds since the last lap, share of its core that the worker had)"""
        (wall, ran), self.last = self.last, self.read()
        wall, ran = self.last[0] - wall, self.last[1] - ran
        return ran if self.cpu_time else wall, ran / wall


class Bench:
    """
    A network namespace, hugepages, a directory and two cores for one benchmark, given back at the end; bypeerd, the data
    plane and its rival on them. What they are given to do is the subclass's: configure(), ready().

    frames: how many are in the file self.pcap, which a subclass writes. tables_megabytes: of one generation.
    """

    def __init__(self, build, frames, mtu, tables_megabytes):
        self.build = build
        self.mtu = mtu
        self.keeper = keeper.Keeper()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, _: sys.exit(128 + number))
        cpus = sorted(os.sched_getaffinity(0))
        self.main_cpu, self.worker_cpu = cpus[0], cpus[-1]
        self.name = f"bypeer-perf-{os.getpid()}"
        self.prefix = self.name
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="bypeer-perf-"))
        self.keeper.note("directory", str(self.directory))
        self.keeper.note("directory", f"/run/dpdk/{self.prefix}")
        self.keeper.note("namespace", self.name)
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run(["ip", "-n", self.name, "link", "set", "lo", "up"], check=True)
        self.pcap = self.directory / "frames.pcap"
        # An mbuf as either program makes it: its header, headroom, the frame, and the pool's own line.
        self.mbuf_bytes = 128 + max(2048 + 128, self.mtu + 64 + 128) + 128
        self.packet_megabytes = (frames + 40000) * self.mbuf_bytes // MEBIBYTE + 64
        self.keeper.hugepages((self.packet_megabytes + 192 + 2 * tables_megabytes) // 2)
        self.control = self.dataplane = self.api = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.keeper.close()

    def program(self, name, *arguments):
        """What a program of perf/ prints."""
        argv = [self.build / "perf" / name, *map(str, arguments)]
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout

    def start(self, name, argv, cpu=None, **more):
        """A process in the namespace, which does not outlive the benchmark; its words are in a file of its name."""
        pin = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
        with open(self.directory / f"{name}.log", "ab") as log:
            process = subprocess.Popen(["ip", "netns", "exec", self.name, *map(str, argv)],
                                       **{"stdout": log, "stderr": log, "preexec_fn": pin, **more})
        self.keeper.process(process.pid)
        return process

    def last_words(self, name):
        return (self.directory / f"{name}.log").read_text(errors="replace")[-2000:]

    def alive(self, process, name):
        if process.poll() is not None:
            raise SystemExit(f"{name} ended with {process.returncode}:\n{self.last_words(name)}")

    # --- bypeer ---

    def dataplane_config(self):
        return {"workers": 1, "cores": [self.worker_cpu], "main-core": self.main_cpu, "memory": "hugepages",
                "megabytes": self.packet_megabytes, "file-prefix": self.prefix}

    def write_config(self, config):
        """The file, of config and what every benchmark has."""
        config = {
            "node": {"name": "perf", "state": str(self.directory / "state"), "run": str(self.directory / "run")},
            "dataplane": self.dataplane_config(),
            "ports": [{"name": "fabric", "device": f"net_pcap0,rx_pcap={self.pcap},infinite_rx=1", "mtu": self.mtu,
                       "addresses": [f"{NODE_ADDRESS}/64"]}],
            **config,
        }
        for part in ("state", "run"):
            (self.directory / part).mkdir()
        file = self.directory / "bypeer.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        return file

    def start_bypeerd(self, config):
        self.config = self.write_config(config)
        self.control = self.start("bypeerd", [self.build / "control" / "bypeerd", "--config", self.config],
                                  self.main_cpu)

        def connected():
            self.alive(self.control, "bypeerd")
            return Api(self.directory / "run" / "control.sock")
        self.api = wait_for("bypeerd's socket", connected)

    def ready(self):
        """What there is to do, and to wait for, when the data plane has its tables."""

    def start_dataplane(self):
        self.dataplane = self.start("bypeer-dataplane",
                                    [self.build / "dataplane" / "bypeer-dataplane", "--config", self.config])

        def attached():
            self.alive(self.dataplane, "bypeer-dataplane")
            self.alive(self.control, "bypeerd")
            status = self.api.call("status")
            dataplane = status["dataplane"]
            return (dataplane["state"] == "attached" and dataplane["pid"] == self.dataplane.pid
                    and dataplane["generation"] == status["tables"]["generation"])
        wait_for("the data plane", attached)
        self.ready()

    def stop_dataplane(self):
        self.stop(self.dataplane, "bypeer-dataplane", 20)

    def counters(self):
        """({counter: value}, frames that the device lost)"""
        values = {entry["name"]: entry["value"] for entry in self.api.call("counters")["counters"]}
        missed = sum(port["missed"] for port in self.api.call("status")["dataplane"]["ports"])
        return values, missed

    def nodes(self):
        telemetry = Telemetry(self.prefix)
        answer = telemetry.ask("/bypeer/nodes")
        telemetry.close()
        return answer

    # --- its rival ---

    def start_rival(self):
        """testpmd that swaps the MAC addresses of each frame and sends it back."""
        log = self.directory / "testpmd.log"
        argv = ["dpdk-testpmd", f"--lcores=0@{self.main_cpu},1@{self.worker_cpu}", "--main-lcore=0", "--in-memory",
                f"--file-prefix={self.prefix}", "--no-pci", "--iova-mode=va", "-m", self.packet_megabytes + 64,
                f"--vdev=net_pcap0,rx_pcap={self.pcap},infinite_rx=1", "--",
                "--forward-mode=macswap", "--burst=32", "--port-topology=loop", "--nb-cores=1", "--rxq=1", "--txq=1",
                f"--total-num-mbufs={FRAMES + 32768}", "--auto-start"]
        if self.mtu > 1500:
            argv += [f"--mbuf-size={self.mtu + 64 + 128}", f"--max-pkt-len={self.mtu + 18}"]
        log.write_bytes(b"")
        rival = self.start("testpmd", argv, stdin=subprocess.PIPE)

        def forwarding():
            self.alive(rival, "testpmd")
            telemetry = Telemetry(self.prefix)
            if telemetry.ask("/ethdev/stats,0")["opackets"] > 0:
                return telemetry
            telemetry.close()
            return None
        return rival, wait_for("testpmd", forwarding)

    def stop(self, process, name, seconds=10):
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{name} did not end within {seconds} s of SIGTERM:\n{self.last_words(name)}") from None
        if status not in (0, -signal.SIGTERM):
            raise SystemExit(f"{name} ended with {status}:\n{self.last_words(name)}")


class Machine(Bench):
    """Forwarding among members."""

    def __init__(self, build, members, frame, extra_members=0):
        self.members = members
        self.frame = frame
        self.room = members + extra_members
        super().__init__(build, FRAMES, max(1500, frame - 14), self.room * 100 // MEBIBYTE + 64)
        self.program("bypeer-frames", "write", self.pcap, members, PEERS, frame, FRAMES, PORT_MAC)

    def addresses(self, first, count):
        return self.program("bypeer-frames", "addresses", first, count).split()

    @staticmethod
    def peer_address(peer):
        return str(ipaddress.IPv6Address(f"{NODE_ADDRESS}:0") + peer)

    def start_control(self):
        """bypeerd with all members, loaded by its API."""
        links = [{"name": f"peer{peer}", "group": "perf", "peer": self.peer_address(peer)} for peer in range(PEERS)]
        self.start_bypeerd({
            "tables": {"members": max(self.room + self.room // 16, 1000), "links": 64},
            "groups": [{"name": "perf", "prefix": PREFIX, "vni": VNI}],
            "links": links,
        })
        addresses = self.addresses(0, self.members)
        for peer in range(PEERS):
            behind = addresses[peer::PEERS]
            for at in range(0, len(behind), LOAD_AT_ONCE):
                self.api.call("members.load", link=f"peer{peer}", addresses=behind[at:at + LOAD_AT_ONCE])
        count = self.api.call("members.count")["count"]
        if count != self.members:
            raise SystemExit(f"loaded {self.members} members, and bypeerd counts {count}")

    def introduce_peers(self):
        """Their MAC addresses, which nobody else would tell: behind the device there is nothing but a file."""
        lines = [f"neigh replace {self.peer_address(peer)} lladdr 02:00:00:00:01:{peer:02x} nud permanent "
                 "dev bp-fabric\n" for peer in range(PEERS)]
        subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="".join(lines), text=True, check=True)

    def ready(self):
        self.introduce_peers()  # now, because the TAP has got the port's MAC, and that flushed whom it knew
        wait_for("all links", lambda: self.api.call("status")["links"]["up"] == PEERS)


def find_build():
    """The meson build directory: where this file was copied to, or build/ in the source tree, or $BYPEER_BUILD."""
    here = pathlib.Path(__file__).resolve().parent
    for candidate in (os.environ.get("BYPEER_BUILD"), here.parent, here.parent / "build"):
        if candidate and (pathlib.Path(candidate) / "perf" / "bypeer-frames").is_file():
            return pathlib.Path(candidate).resolve()
    raise SystemExit("there is no build: meson setup build && ninja -C build, or name its directory in BYPEER_BUILD")


def check_machine():
    if os.geteuid() != 0:
        raise SystemExit("needs root: it makes a network namespace and reserves hugepages (and gives both back)")
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("needs two cores: one for the worker that is measured, one for everything else")


def parser(description, seconds=5.0):
    """What every benchmark can be told."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--seconds", type=float, default=seconds, help=f"of each turn (default {seconds:g})")
    result.add_argument("--cpu-time", action="store_true",
                        help="count the time that the worker ran, not the clock's: where others use its core, too")
    result.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return result


def options(description=None, members=1000000, frame=128, own=None):
    own = own or parser(description)
    own.add_argument("--members", type=int, default=members, help=f"members in the tables (default {members})")
    own.add_argument("--frame", type=int, default=frame, help=f"bytes of a frame without its FCS (default {frame})")
    arguments = own.parse_args()
    if not 1000 <= arguments.members <= 50000000:
        own.error(f"--members {arguments.members}: use 1000 to 50000000")
    if not 118 <= arguments.frame <= 9014:
        own.error(f"--frame {arguments.frame}: use 118 (the headers of both layers) to 9014")
    check_machine()
    return arguments


def median(values):
    return statistics.median(list(values))


def share_note(share):
    """Why a figure is too low, if it is."""
    return "" if share > 0.97 else f"   (the worker had {100 * share:.0f} % of its core: others use it, too)"


def drops_between(before, after):
    """{reason: packets} of two sets of counters."""
    return {name: after[name] - before[name] for name in after if name.startswith("drop.") and after[name] > before[name]}
