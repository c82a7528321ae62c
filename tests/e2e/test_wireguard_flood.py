"""Junk handshakes at whatever rate they come: established traffic goes on, and whoever is really there gets in."""
import random
import re
import time

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from harness import ping
from harness.frames import write_pcap
from harness.hub import PORT, Hub, Pings, key_pair
from harness.noise import Client, Initiator
from harness.process import wait_until
from harness.star import overlay

FRAMES = 2000
NEWCOMERS = 20


class Flood:
    """A hub, two guests with a session each, and a third host that means no good."""

    def __init__(self, lab):
        self.lab = lab
        self.hub = Hub(lab, sides=("left", "right", "far"))
        self.newcomers = []
        for number in range(NEWCOMERS):
            private, public = key_pair()
            self.newcomers.append(private)
            self.hub.node.config["peers"].append(
                {"name": f"newcomer-{number}", "group": "lab", "public-key": public, "address": overlay(0x100 + number)})
        self.hub.start()
        self.left, self.right, self.far = self.hub.guests.values()
        wait_until("both have a session",
                   lambda: ping(self.left.namespace, self.right.address, count=1, check=False, wait=0.5))
        self.mac = self.hub.node.mac("far")

    def frame(self, datagram, source, port):
        return bytes(Ether(src=self.far.namespace.mac("eth0"), dst=self.mac) /
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


@pytest.fixture
def flood(lab):
    return Flood(lab)


@pytest.mark.parametrize("kind", ["bad MAC1", "forged sources", "replayed"])
def test_junk_handshakes(flood, figure, kind):
    file = flood.junk(kind)
    before = flood.hub.node.rest()
    sender = flood.lab.daemon(flood.far.namespace, "junk",
                              [flood.lab.build.traffic, "send", "eth0", "--frames", file, "--plain"])
    wait_until("junk arrives", lambda: flood.hub.node.counters()["packets.received"] > before["packets.received"] + 10000)
    memory = flood.memory()
    attempts = []
    began = time.time()
    with Pings(flood.left, flood.right.address, interval=0.005) as pings:
        for private in flood.newcomers:
            # On the right host, so that what the flood's own wire loses is not counted.
            client = flood.lab.closing(Client(flood.right.namespace, private, flood.hub.public, ("2001:db8:2::1", PORT)))
            attempts.append(client.handshake(attempts=17, timeout=0.5))
        time.sleep(max(0, 4 - (time.time() - began)))
    grown = flood.memory() - memory
    sender.stop()
    after = flood.hub.node.rest().since(before)
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
