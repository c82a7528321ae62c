"""Frames of up to 9000 bytes, which no veth here carries to a poll-mode driver: read from a file, and written to one."""
import os
import signal
import struct

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

from harness import inner_udp, parse_gpe
from harness.frames import Flow, write_pcap
from harness.member import OVERHEAD
from harness.process import wait_until

GROUP = "fd12:3456:789a::/48"
VNI = 7
MTU = 9000
FROM, TO = "fd12:3456:789a::11", "fd12:3456:789a::12"
PORT_MAC = "02:70:63:61:70:00"  # of the first net_pcap device
HOSTS = {"left": ("2001:db8:1::10", "198.51.100.10", "02:00:00:00:01:10"),
         "right": ("2001:db8:1::11", "198.51.100.11", "02:00:00:00:01:11")}
NODE = ("2001:db8:1::1", "198.51.100.1")


def read_pcap(path):
    with open(path, "rb") as file:
        assert struct.unpack("=I", file.read(24)[:4])[0] == 0xA1B23C4D  # net_pcap writes nanoseconds
        while header := file.read(16):
            captured, length = struct.unpack("=8xII", header)
            frame = file.read(captured)
            assert captured == length == len(frame)
            yield frame


def inners_of_all_lengths(room):
    """Each 71st length from the shortest packet on, and the longest ones; no two alike."""
    return [inner_udp(FROM, TO, payload=os.urandom(length - 48), sport=number + 1)
            for number, length in enumerate([*range(56, room - 3, 71), room - 3, room - 2, room - 1, room])]


@pytest.mark.parametrize("family", [6, 4], ids=["v6", "v4"])
def test_every_byte_of_large_frames(lab, family, figure):
    which = 0 if family == 6 else 1
    flow = Flow(HOSTS["left"][2], PORT_MAC, HOSTS["left"][which], NODE[which], VNI, FROM, TO)
    inners = inners_of_all_lengths(MTU - OVERHEAD[family])
    source, sink = lab.directory / "in.pcap", lab.directory / "out.pcap"
    write_pcap(source, [flow.frame(inner, checksum=number % 2 == 0) for number, inner in enumerate(inners)])

    node = lab.node("alpha")
    node.config["ports"].append({
        "name": "file", "device": f"net_pcap0,rx_pcap={source},infinite_rx=1,tx_pcap={sink}", "mtu": MTU,
        "tap": "tap-file", "addresses": [f"{NODE[0]}/64", f"{NODE[1]}/24"]})
    node.group("lab", GROUP, VNI)
    for name, overlay in (("left", FROM), ("right", TO)):
        node.link(name, "lab", HOSTS[name][which])
        node.member(overlay, name)
    node.start(ready=False)
    node.wait_ready(links=False)
    for host in HOSTS.values():
        node.namespace.ip(f"neigh replace {host[which]} lladdr {host[2]} nud permanent dev tap-file")
    wait_until("every frame was forwarded", lambda: node.counters().get("packets.sent", 0) > 2 * len(inners), interval=0)
    node.dataplane.signal(signal.SIGSTOP)  # the file grows by gigabytes a second
    node.namespace.ip(f"neigh del {HOSTS['right'][which]} dev tap-file")
    wait_until("nothing is forwarded any more", lambda: node.call("status")["links"]["up"] < 2)
    node.dataplane.signal(signal.SIGCONT)
    assert node.stop_dataplane() == 0
    assert node.counters().difference == 0  # a file that never ends leaves no moment at which nothing is in flight

    expected = {inner[:7] + bytes([inner[7] - 1]) + inner[8:]: 0 for inner in inners}  # one hop
    for got in filter(None, map(parse_gpe, set(read_pcap(sink)))):  # the rest is the kernel's: neighbour discovery
        assert got.checksum_right and got.udp_checksum != 0 and got.vni == VNI
        assert isinstance(got.outer, IPv6 if family == 6 else IP)
        assert (got.ether.dst, got.outer.src, got.outer.dst) == (HOSTS["right"][2], NODE[which], HOSTS["right"][which])
        assert bytes(got.inner_bytes) in expected
        expected[bytes(got.inner_bytes)] += 1
    assert min(expected.values()) > 0
    figure(f"lengths up to {MTU} from a file with every byte right, IPv{family}", len(expected))
