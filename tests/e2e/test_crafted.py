"""One wrong thing a frame: dropped, under exactly the reason that it deserves."""
import struct

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from harness import GPE_PORT, Lab, inner_udp, parse_gpe
from harness.frames import gpe_header
from harness.star import VNI, Star

OTHER_GROUP = "fd99:9999:9999::/48"
OTHER_MEMBER = "fd99:9999:9999::5"


@pytest.fixture(scope="module", params=[6, 4], ids=["v6", "v4"])
def star(request, build):
    lab = Lab(build)
    star = Star(lab, family=request.param, join=False)
    star.node.group("other", OTHER_GROUP, 99, "fd99:9999:9999::1")
    # A second group over the same peer: only the VNI tells the two links apart.
    star.node.link("other-right", "other", star.peer("right"))
    star.node.member(OTHER_MEMBER, "other-right")
    star.node.route("fd12:3456:789a:b::/64", "right")
    star.start()
    yield star
    lab.close()


def comes(frame, flow):
    got = parse_gpe(frame)
    return got if got and got.inner.dst == flow.destination else None


def refused(star, frame, reason, source="left"):
    """Sent once: nothing comes of it, and the counter of its reason went up by one, and no other reason's."""
    into, there = star.wire(source), star.wire("right" if source == "left" else "left")
    star.node.rest()
    star.node.mark()
    into.send(frame)
    there.expect_none(lambda got: parse_gpe(got), timeout=0.15)
    grown = star.node.grown()
    drops = {name: value for name, value in grown.items() if name.startswith("drop.")}
    assert drops == {f"drop.{reason}": 1}, grown
    into.close()
    there.close()


def outer_family(star):
    return star.family["left"]


@pytest.mark.parametrize("checksum", [True, 0], ids=["computed", "zero"])
def test_good_ones_pass(star, checksum):
    wire, there = star.wire("left"), star.wire("right")
    flow = star.flow()
    wire.send(flow.frame(checksum=checksum))
    got = there.expect(lambda frame: comes(frame, flow))
    assert got.checksum_right and got.udp_checksum


def test_padding_after_the_packet_is_cut_off(star):
    """A short frame is padded on Ethernet: what follows the IP packet is not forwarded."""
    wire, there = star.wire("left"), star.wire("right")
    flow = star.flow()
    wire.send(flow.frame() + b"\xaa" * 13)
    got = there.expect(lambda frame: comes(frame, flow))
    assert got.inner_bytes == inner_udp(flow.source, flow.destination, hop_limit=63)


def test_prefix_behind_a_member(star):
    wire, there = star.wire("left"), star.wire("right")
    flow = star.flow()
    wire.send(flow.frame(inner_udp(flow.source, "fd12:3456:789a:b::77")))
    there.expect(lambda frame: parse_gpe(frame) and parse_gpe(frame).inner.dst == "fd12:3456:789a:b::77")


def test_wrong_outer_checksum(star):
    flow = star.flow()
    refused(star, flow.frame(checksum=0x1234), "outer_checksum")


def test_wrong_vni(star):
    flow = star.flow()
    flow.vni = VNI + 1
    refused(star, flow.frame(), "fabric_peer")


def test_peer_that_is_not_listed(star):
    flow = star.flow()
    flow.peer = flow.peer[:-2] + "77" if outer_family(star) == 6 else flow.peer[:-2] + "77"
    refused(star, flow.frame(), "fabric_peer")


@pytest.mark.parametrize("header", [
    pytest.param(gpe_header(VNI, flags=0x04), id="no VNI flag"),
    pytest.param(gpe_header(VNI, flags=0x08), id="no protocol flag"),
    pytest.param(gpe_header(VNI, flags=0x1C), id="version 1"),
    pytest.param(gpe_header(VNI, flags=0x0D), id="OAM"),
    pytest.param(gpe_header(VNI, next_protocol=1), id="IPv4"),
    pytest.param(gpe_header(VNI, next_protocol=3), id="Ethernet"),
])
def test_gpe_header(star, header):
    refused(star, star.flow().frame(header=header), "gpe_header")


def test_inner_source_of_somebody_else(star):
    """The address is a member's, but not of the link that the packet came by."""
    flow = star.flow()
    refused(star, flow.frame(inner_udp(star.member("right"), star.member("right"))), "inner_source")


def test_inner_source_unknown(star):
    flow = star.flow()
    refused(star, flow.frame(inner_udp("fd12:3456:789a::bad", flow.destination)), "inner_source")


@pytest.mark.parametrize("source, destination", [
    (None, "ff01::1"), (None, "ff0f::1"), (None, "fe80::1"), (None, "::1"), (None, "::"), ("fe80::1", None), ("ff02::1", None), ("::1", None),
    ("::", None),
])
def test_inner_scope(star, source, destination):
    flow = star.flow()
    refused(star, flow.frame(inner_udp(source or flow.source, destination or flow.destination)), "inner_scope")


def test_other_group(star):
    """Default deny: a member of one group cannot reach one of another, though the node knows the way."""
    flow = star.flow()
    refused(star, flow.frame(inner_udp(flow.source, OTHER_MEMBER)), "policy")


def test_inner_packet_is_no_ipv6(star):
    flow = star.flow()
    refused(star, flow.frame(bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / Raw(b"x" * 40))), "inner_header")


def test_inner_packet_is_cut(star):
    flow = star.flow()
    refused(star, flow.frame(inner_udp(flow.source, flow.destination)[:39]), "inner_header")


def test_inner_length_exceeds_the_data(star):
    flow = star.flow()
    inner = bytearray(inner_udp(flow.source, flow.destination))
    struct.pack_into("!H", inner, 4, 500)
    refused(star, flow.frame(bytes(inner)), "inner_header")


def test_outer_length_exceeds_the_data(star):
    """An IP packet that says it is longer than the frame."""
    frame = bytearray(star.flow().frame())
    struct.pack_into("!H", frame, 14 + (4 if outer_family(star) == 6 else 2), 900)
    refused(star, bytes(frame), "length")


def test_udp_length_exceeds_the_packet(star):
    frame = bytearray(star.flow().frame(checksum=0))
    struct.pack_into("!H", frame, 14 + (44 if outer_family(star) == 6 else 24), 900)
    refused(star, bytes(frame), "length")


def test_to_the_node_but_not_fabric_goes_to_the_kernel(star):
    """Another UDP port: the kernel's business."""
    flow = star.flow()
    outer = IPv6(src=flow.peer, dst=flow.node) if outer_family(star) == 6 else IP(src=flow.peer, dst=flow.node)
    wire = star.wire("left")
    star.node.mark()
    wire.send(bytes(Ether(src=flow.source_mac, dst=flow.node_mac) / outer / UDP(sport=1, dport=GPE_PORT + 1) / b"hello"))
    grown = star.node.grown()
    assert grown["packets.punted"] >= 1
    assert not [name for name in grown if name.startswith("drop.")], grown


def test_fabric_in_an_extension_header_is_not_forwarded(star):
    """Hop-by-hop options before UDP: whatever happens to it, it is not taken for fabric."""
    if outer_family(star) == 4:
        pytest.skip("IPv6 only")
    flow = star.flow()
    wire, there = star.wire("left"), star.wire("right")
    inner = inner_udp(flow.source, flow.destination)
    wire.send(bytes(Ether(src=flow.source_mac, dst=flow.node_mac) / IPv6(src=flow.peer, dst=flow.node) /
                    IPv6ExtHdrHopByHop() / UDP(sport=0xC123, dport=GPE_PORT) / Raw(gpe_header(VNI) + inner)))
    there.expect_none(lambda frame: comes(frame, flow))


def test_not_to_the_node_at_all(star):
    """A frame for another machine's MAC, as a switch floods it."""
    flow = star.flow()
    flow.node_mac = "02:00:00:00:00:99"
    wire, there = star.wire("left"), star.wire("right")
    wire.send(flow.frame())
    there.expect_none(lambda frame: comes(frame, flow))


# RFC 6040 4.2: what the inner packet says after decapsulation, by its own field and that of the outer one.
NOT, ECT1, ECT0, CE = 0, 1, 2, 3
AFTER = {
    (NOT, NOT): NOT, (NOT, ECT0): NOT, (NOT, ECT1): NOT, (NOT, CE): None,
    (ECT0, NOT): ECT0, (ECT0, ECT0): ECT0, (ECT0, ECT1): ECT1, (ECT0, CE): CE,
    (ECT1, NOT): ECT1, (ECT1, ECT0): ECT1, (ECT1, ECT1): ECT1, (ECT1, CE): CE,
    (CE, NOT): CE, (CE, ECT0): CE, (CE, ECT1): CE, (CE, CE): CE,
}


@pytest.mark.parametrize("inner, outer", AFTER, ids=[f"inner{i}-outer{o}" for i, o in AFTER])
def test_congestion_notification(star, inner, outer):
    """RFC 6040, normal mode: decapsulation by the table above, encapsulation copies what came out of it."""
    flow = star.flow()
    packet = inner_udp(flow.source, flow.destination, tc=0xB8 | inner)
    frame = flow.frame(packet, tos=outer)
    if AFTER[inner, outer] is None:
        refused(star, frame, "ecn")
        return
    wire, there = star.wire("left"), star.wire("right")
    wire.send(frame)
    got = there.expect(lambda frame: comes(frame, flow))
    assert got.inner.tc == 0xB8 | AFTER[inner, outer]
    assert (got.outer.tc if outer_family(star) == 6 else got.outer.tos) & 3 == AFTER[inner, outer]
    assert got.checksum_right
