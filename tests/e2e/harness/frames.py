"""Frames as they are on the wire: VXLAN-GPE around IPv6, built and taken apart with scapy."""
import dataclasses
import ipaddress
import struct

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

GPE_PORT = 4790
GPE_FLAGS = 0x0C  # I and P
GPE_IPV6 = 2


@dataclasses.dataclass
class Flow:
    """From whom to whom a crafted frame goes, outside and inside. Addresses as text; outer ones of either family."""
    source_mac: str
    node_mac: str
    peer: str
    node: str
    vni: int
    source: str
    destination: str

    def frame(self, inner=None, **options):
        if inner is None:
            inner = inner_udp(self.source, self.destination)
        return gpe(self.source_mac, self.node_mac, self.peer, self.node, self.vni, inner, **options)


def gpe_header(vni, flags=GPE_FLAGS, next_protocol=GPE_IPV6):
    return struct.pack("!BxxBI", flags, next_protocol, vni << 8)


def gpe(source_mac, destination_mac, source, destination, vni, inner, checksum=True, tos=0, hop_limit=64, sport=0xC123,
        header=None):
    """One frame. checksum: True computes it, False sends zero, a number is sent as it is."""
    payload = (header if header is not None else gpe_header(vni)) + bytes(inner)
    udp = UDP(sport=sport, dport=GPE_PORT)
    if checksum is not True:
        udp.chksum = checksum or 0
    if ipaddress.ip_address(source).version == 6:
        outer = IPv6(src=source, dst=destination, hlim=hop_limit, tc=tos)
    else:
        outer = IP(src=source, dst=destination, ttl=hop_limit, tos=tos, flags="DF", id=0)
    return bytes(Ether(src=source_mac, dst=destination_mac) / outer / udp / Raw(payload))


def inner_udp(source, destination, payload=b"bypeer", hop_limit=64, tc=0, sport=5000, dport=5001):
    return bytes(IPv6(src=source, dst=destination, hlim=hop_limit, tc=tc) / UDP(sport=sport, dport=dport) / Raw(payload))


@dataclasses.dataclass
class Received:
    """A VXLAN-GPE frame taken apart, its checksums checked."""
    ether: Ether
    outer: Packet
    udp: UDP
    flags: int
    next_protocol: int
    vni: int
    inner: IPv6
    inner_bytes: bytes
    udp_checksum: int
    checksum_right: bool


def parse_gpe(frame):
    """None when the frame is no VXLAN-GPE packet, whatever else may be wrong with it."""
    ether = Ether(frame)
    outer = ether.payload
    if not isinstance(outer, (IP, IPv6)) or not isinstance(outer.payload, UDP) or outer.payload.dport != GPE_PORT:
        return None
    udp = outer.payload
    start = 14 + (40 if isinstance(outer, IPv6) else outer.ihl * 4)
    end = start + udp.len
    payload = frame[start + 8:end]
    flags, next_protocol, vni = payload[0], payload[3], struct.unpack("!I", payload[4:8])[0] >> 8
    return Received(ether, outer, udp, flags, next_protocol, vni, IPv6(payload[8:]), payload[8:], udp.chksum,
                    checksum_is_right(outer, frame[start:end]))


def ones_complement_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum_is_right(outer, datagram):
    """Of a UDP datagram with its header, and of the IPv4 header around it."""
    source, destination = (ipaddress.ip_address(a).packed for a in (outer.src, outer.dst))
    if isinstance(outer, IP) and ones_complement_sum(bytes(outer)[:outer.ihl * 4]) != 0xFFFF:
        return False
    pseudo = source + destination + struct.pack("!IxxxB", len(datagram), 17)
    return ones_complement_sum(pseudo + datagram) == 0xFFFF


def write_pcap(path, frames):
    """For bypeer-traffic and tshark."""
    with open(path, "wb") as file:
        file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, frame in enumerate(frames):
            file.write(struct.pack("=IIII", number, 0, len(frame), len(frame)) + frame)
