"""ICMPv6 errors: which, to whom, and never too many."""
import time

import pytest
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6TimeExceeded, IPv6

from harness import inner_udp, parse_gpe
from harness.star import NODE, Star


@pytest.fixture(scope="module")
def star(build):
    from harness import Lab
    lab = Lab(build)
    yield Star(lab, join=False).start()
    lab.close()


def error_of(kind):
    def matches(frame):
        got = parse_gpe(frame)
        return got if got and kind in got.inner else None
    return matches


def test_time_exceeded(star):
    wire, there = star.wire("left"), star.wire("right")
    flow = star.flow()
    wire.send(flow.frame(inner_udp(flow.source, flow.destination, hop_limit=1)))
    answer = wire.expect(error_of(ICMPv6TimeExceeded))
    assert (answer.inner.src, answer.inner.dst, answer.checksum_right) == (NODE, flow.source, True)
    checked = IPv6(answer.inner_bytes)
    del checked[ICMPv6TimeExceeded].cksum
    assert bytes(checked) == answer.inner_bytes
    there.expect_none(parse_gpe)
    grown = star.node.grown()
    assert grown["packets.generated"] == 1 and grown["drop.hop_limit"] == 1


def test_no_route(star):
    wire = star.wire("left")
    flow = star.flow()
    wire.send(flow.frame(inner_udp(flow.source, "fd12:3456:789a::dead")))
    answer = wire.expect(error_of(ICMPv6DestUnreach))
    assert (answer.inner.src, answer.inner.dst) == (NODE, flow.source)
    assert star.node.grown()["drop.no_route"] == 1


def test_no_error_about_an_error(star):
    """RFC 4443 2.4 (e.1)."""
    wire = star.wire("left")
    flow = star.flow()
    unreachable = IPv6(src=flow.source, dst=flow.destination, hlim=1) / ICMPv6DestUnreach() / \
        inner_udp(flow.destination, flow.source)
    wire.send(flow.frame(bytes(unreachable)))
    wire.expect_none(parse_gpe)
    grown = star.node.grown()
    drops = {name: value for name, value in grown.items() if name.startswith("drop.")}
    assert drops == {"drop.hop_limit": 1} and "packets.generated" not in grown


def test_echo_request_to_the_node(star):
    """The node's own address is the host's: the kernel answers through the overlay device."""
    wire = star.wire("left")
    flow = star.flow()
    wire.send(flow.frame(bytes(IPv6(src=flow.source, dst=NODE) / ICMPv6EchoRequest(data=b"hello"))))
    answer = wire.expect(lambda frame: parse_gpe(frame) and parse_gpe(frame).inner_bytes[40] == 129 and parse_gpe(frame))
    assert answer.inner.src == NODE and answer.checksum_right


def test_errors_are_rate_limited(star, figure):
    """Ten thousand packets that each ask for an error get a few, and each of the others is counted."""
    wire = star.wire("left")
    flow = star.flow()
    frame = flow.frame(inner_udp(flow.source, flow.destination, hop_limit=1))
    for number in range(10000):
        wire.send(frame)
        if number % 64 == 0:
            time.sleep(0.002)
    answers = sum(1 for got in wire.frames(1.5) if error_of(ICMPv6TimeExceeded)(got))
    grown = star.node.grown()
    assert grown["packets.generated"] == answers
    assert 0 < answers < 5000
    assert grown["packets.received"] >= 10000
    figure("ICMPv6 errors for 10,000 packets", answers)
