"""A million random and a million mutated frames: each is counted, and the node goes on forwarding."""
import json
import os
import pathlib

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment,
                                IPv6ExtHdrHopByHop, IPv6ExtHdrRouting)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from harness import Lab, inner_udp, write_pcap
from harness.frames import gpe_header
from harness.star import Star
from harness.stream import Stream

pytestmark = pytest.mark.alone

CORPORA = pathlib.Path(__file__).parent.parent / "fuzz" / "corpus"
RATE = 100000
FRAMES = int(os.environ.get("BYPEER_HOSTILE_FRAMES", "1000000"))


@pytest.fixture(scope="module", params=[6, 4], ids=["v6", "v4"])
def star(request, build):
    lab = Lab(build)
    yield Star(lab, family=request.param, join=False).start()
    lab.close()


def seeds(star):
    """Good frames of every kind that the node looks into, and what the fuzz targets' corpora hold."""
    flow = star.flow()
    source, destination = flow.source, flow.destination
    inners = [
        inner_udp(source, destination), inner_udp(source, destination, payload=b"x" * 1300),
        inner_udp(source, destination, hop_limit=1), inner_udp(source, "fd12:3456:789a::dead"),
        inner_udp(source, "fd12:3456:789a::1"),
        IPv6(src=source, dst=destination) / TCP(sport=1, dport=2) / Raw(b"abc"),
        IPv6(src=source, dst=destination) / ICMPv6EchoRequest(data=b"ping"),
        IPv6(src=source, dst=destination) / ICMPv6PacketTooBig(mtu=1280) / inner_udp(destination, source),
        IPv6(src=source, dst=destination) / IPv6ExtHdrFragment(offset=100, m=1) / Raw(b"f" * 64),
        IPv6(src=source, dst=destination) / IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / UDP(),
        IPv6(src=source, dst=destination) / Raw(b""),
    ]
    frames = [flow.frame(bytes(inner), checksum=checksum) for inner in inners for checksum in (True, 0)]
    ether = Ether(src=flow.source_mac, dst=flow.node_mac)
    outer6 = IPv6(src=star.peer("left", 6), dst=star.local("left", 6))
    outer4 = IP(src=star.peer("left", 4), dst=star.local("left", 4))
    frames += [bytes(frame) for frame in (
        ether / outer6 / ICMPv6EchoRequest(data=b"a" * 40), ether / outer4 / ICMP() / Raw(b"b" * 40),
        ether / outer6 / TCP(dport=22, flags="S"), ether / outer4 / TCP(dport=22, flags="S"),
        Ether(src=flow.source_mac, dst="33:33:ff:00:00:01") / IPv6(src=star.peer("left", 6), dst="ff02::1:ff00:1") /
        ICMPv6ND_NS(tgt=star.local("left", 6)),
        Ether(src=flow.source_mac, dst="ff:ff:ff:ff:ff:ff") / ARP(pdst=star.local("left", 4), psrc=star.peer("left", 4)),
        ether / Dot1Q(vlan=5) / outer6 / UDP(dport=4790) / Raw(gpe_header(7) + inners[0]),
        ether / IPv6(src=star.peer("left", 6), dst=star.local("left", 6)) / IPv6ExtHdrFragment(offset=0, m=1) /
        UDP(dport=4790) / Raw(gpe_header(7) + inners[0]),
        ether / IP(src=star.peer("left", 4), dst=star.local("left", 4), flags="MF") / UDP(dport=4790) /
        Raw(gpe_header(7) + inners[0]),
    )]
    for file in sorted(CORPORA.rglob("*")):
        if file.is_file() and 0 < file.stat().st_size <= 1400:
            data = file.read_bytes()
            frames.append(flow.frame(data, checksum=0))
            frames.append(bytes(ether / outer6) + data)
    return frames


def standing(star):
    """Where the node's counters, the hosts' and the device's losses stand, at one moment: the kernels on the hosts send
    a frame of their own now and then (neighbour discovery), which must be in all of them or in none."""
    hosts = [star.namespace(name) for name in ("left", "right")]
    while True:
        sent = sum(host.statistic("eth0", "tx_packets") for host in hosts)
        counters, lost = star.node.rest(), device_losses(star.node, "left")
        if sum(host.statistic("eth0", "tx_packets") for host in hosts) == sent:
            return counters, lost, sent


def storm(star, *words):
    """Sends FRAMES frames; every one is in the node's counters, or in the device's own account of what it lost."""
    before, lost, sent_before = standing(star)
    done = star.namespace("left").run(
        [star.lab.build.traffic, "send", "eth0", "--rate", RATE, "--count", FRAMES, *words], timeout=600)
    assert json.loads(done.stdout)["sent"] == FRAMES
    after, missed, sent = standing(star)
    grown, missed, arrived = after.since(before), missed - lost, sent - sent_before
    assert arrived >= FRAMES
    assert grown["packets.received"] + missed == arrived, \
        f"{arrived} frames were sent to the node, {grown['packets.received']} counted, {missed} lost by the device"
    return grown, missed


def device_losses(node, name):
    """What the veth says it lost between the wire and the port; the port's own "missed" is a part of it."""
    lost = node.namespace.statistic(name, "rx_dropped")
    port = next(port for port in node.call("status")["dataplane"]["ports"] if port["name"] == name)
    assert port["missed"] <= lost
    return lost


def forwards(star):
    with Stream(star, 10000) as stream:
        pass
    assert stream.lost == 0 and stream.sent > 1000, stream.summary()


def drops_of(grown):
    return {name[5:]: value for name, value in sorted(grown.items()) if name.startswith("drop.")}


@pytest.mark.slow
def test_random_frames(star, figure):
    grown, missed = storm(star, "--seed", "0x62797065")
    forwards(star)
    figure(f"{FRAMES} random frames, IPv{star.family['left']}", f"{drops_of(grown)}, lost by the device {missed}")


@pytest.mark.slow
def test_mutated_frames(star, figure):
    file = star.lab.directory / "seeds.pcap"
    write_pcap(file, seeds(star))
    grown, missed = storm(star, "--seed", "0x65727265", "--frames", file, "--mutate")
    forwards(star)
    reasons = drops_of(grown)
    figure(f"{FRAMES} mutated frames, IPv{star.family['left']}", f"{reasons}, lost by the device {missed}")
    assert len(reasons) >= 6, f"the mutations should get further into the node than {reasons}"
