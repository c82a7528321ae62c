"""Junk handshakes at whatever rate they come: established traffic goes on, and whoever is really there gets in."""
import random
import re
import time

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from harness import reach
from harness.frames import write_pcap
from harness.hub import PORT, Hub, Pings, key_pair
from harness.noise import Client, Initiator
from harness.process import wait_until
from harness.star import overlay

pytestmark = pytest.mark.alone

FRAMES = 2000
NEWCOMERS = 20


FILE_MAC = "02:70:63:61:70:00"  # of the first net_pcap device


class Flood:
    """
    A hub, two guests with a session each, and a third host that means no good; or, with file (kind of junk), a port of
    the hub that reads junk from a file for ever, as fast as a worker can.
    """

    def __init__(self, lab, file=None):
        self.lab = lab
        self.hub = Hub(lab, sides=("left", "right") if file else ("left", "right", "far"))
        self.newcomers = []
        for number in range(NEWCOMERS):
            private, public = key_pair()
            self.newcomers.append(private)
            self.hub.node.config["peers"].append({"name": f"newcomer-{number}", "group": "lab", "public-key": public,
                                                  "address": overlay(0x100 + number)})
        if file:
            self.source_mac, self.mac = "02:00:00:00:03:10", FILE_MAC
            self.hub.node.config["ports"].append({
                "name": "file", "device": f"net_pcap0,rx_pcap={self.junk(file)},infinite_rx=1", "mtu": 1500,
                "tap": "tap-file", "addresses": ["2001:db8:3::1/64"]})
        self.hub.start()
        self.left, self.right = list(self.hub.guests.values())[:2]
        reach(self.left.namespace, self.right.address)
        if not file:
            self.far = self.hub.guests["far"]
            self.source_mac, self.mac = self.far.namespace.mac("eth0"), self.hub.node.mac("far")

    def frame(self, datagram, source, port):
        return bytes(Ether(src=self.source_mac, dst=self.mac) /
                     IPv6(src=source, dst="2001:db8:3::1") / UDP(sport=port, dport=PORT) / Raw(datagram))

    def junk(self, kind):
        """Frames of one kind; every source is another network, but for those that are replayed."""
        stranger = Initiator(key_pair()[0], self.hub.public)
        replayed = stranger.initiation()
        frames = []
        for number in range(FRAMES):
            source = f"2001:db8:{random.randrange(0x100, 0xffff):x}:{random.randrange(0xffff):x}::{number + 1:x}"
            if kind == "bad MAC1":
                datagram = b"\1\0\0\0" + random.randbytes(144)
            elif kind == "forged sources":
                datagram = stranger.stamped(b"\1\0\0\0" + random.randbytes(112))
            else:
                datagram, source = replayed, "2001:db8:3::10"
            frames.append(self.frame(datagram, source, random.randrange(1024, 65535)))
        file = self.lab.directory / f"{kind.replace(' ', '-')}.pcap"
        write_pcap(file, frames)
        return file

    def memory(self):
        """Of both processes, in KiB."""
        total = 0
        for daemon in (self.hub.node.control, self.hub.node.dataplane):
            with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
                total += int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
        return total


    def newcomers_come(self):
        """How many initiations each needed; 0: never got in. On the right host: what the flood's own wire loses does not
        count."""
        attempts = []
        for private in self.newcomers:
            client = self.lab.closing(Client(self.right.namespace, private, self.hub.public, ("2001:db8:2::1", PORT)))
            attempts.append(client.handshake(attempts=17, timeout=0.5))
        return attempts


def endure(flood, kind, figure, before):
    """What members and newcomers notice while junk comes, and what the node counts."""
    memory = flood.memory()
    began = time.time()
    with Pings(flood.left, flood.right.address, interval=0.005) as pings:
        attempts = flood.newcomers_come()
        time.sleep(max(0, 4 - (time.time() - began)))
    grown = flood.memory() - memory
    after = flood.hub.node.counters().since(before)
    seconds = time.time() - began
    figure(f"{kind}: junk received", f"{after['packets.received'] / seconds:.0f}/s beside {pings.sent} echo requests, "
           f"of which {pings.received} were answered; {sum(map(bool, attempts))} of {NEWCOMERS} newcomers got in, "
           f"after {max(attempts)} initiations at most; memory grew by {grown} KiB")
    assert all(attempts), attempts
    assert pings.received >= 0.95 * pings.sent
    assert grown < 4096
    reason = {"bad MAC1": "drop.wireguard_mac", "forged sources": "wireguard.cookies",
              "replayed": "drop.wireguard_rate"}[kind]
    assert after.get(reason, 0) + after.get("wireguard.cookies", 0) > 5000
    assert after.get("wireguard.handshakes", 0) < 0.2 * after["packets.received"]


KINDS = ["bad MAC1", "forged sources", "replayed"]


@pytest.mark.parametrize("kind", KINDS)
def test_junk_handshakes(lab, figure, kind):
    flood = Flood(lab)
    file = flood.junk(kind)
    before = flood.hub.node.rest()
    sender = lab.daemon(flood.far.namespace, "junk",
                        [lab.build.traffic, "send", "eth0", "--frames", file, "--plain"])
    wait_until("junk arrives",
               lambda: flood.hub.node.counters()["packets.received"] > before["packets.received"] + 10000)
    endure(flood, kind, figure, before)
    sender.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_junk_handshakes_from_a_file(lab, figure, kind):
    """A million a second and more: what no device here carries."""
    flood = Flood(lab, file=kind)
    endure(flood, kind, lambda name, value: figure(f"{name} from a file", value), flood.hub.node.counters())
    assert flood.hub.node.stop_dataplane() == 0
    assert flood.hub.node.counters().difference == 0  # a file that never ends leaves no moment at which all is at rest
