"""Every underlay MTU that carries an overlay packet of 1280, and what happens to packets that are too big."""
import pytest
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6

from harness import Lab, inner_udp, parse_gpe, ping, tcp_transfer, udp_transfer
from harness.member import OVERHEAD
from harness.process import wait_until
from harness.star import NODE, Star


@pytest.fixture(scope="module", params=[6, 4], ids=["v6", "v4"])
def star(request, build):
    lab = Lab(build)
    yield Star(lab, family=request.param).start()
    lab.close()


def mtus(smallest, long_run):
    """The edges, odd and even lengths around them, and something between; or all there are."""
    if long_run:
        return range(smallest, 1501)
    return sorted({smallest, smallest + 1, smallest + 3, 1400, 1443, 1498, 1499, 1500})


def test_every_underlay_mtu(star, long_run, figure):
    family = star.family["left"]
    left, right = star.namespace("left"), star.namespace("right")
    done = 0
    for mtu in mtus(1280 + OVERHEAD[family], long_run):
        star.set_underlay_mtu(mtu)
        overlay_mtu = mtu - OVERHEAD[family]
        wait_until(f"links have MTU {overlay_mtu}",
                   lambda: {link["mtu"] for link in star.node.call("links.list")["links"]} == {overlay_mtu})
        ping(left, star.member("right"), count=1, size=overlay_mtu - 48)
        udp_transfer(left, right, star.member("left"), star.member("right"), overlay_mtu - 48)
        tcp_transfer(left, right, star.member("left"), star.member("right"), 1 << 18)
        done += 1
    star.set_underlay_mtu(1500)
    figure(f"underlay MTUs with every byte right, IPv{family}", done)


@pytest.mark.parametrize("family", [6, 4], ids=["v6", "v4"])
@pytest.mark.parametrize("mtu", [1501, 2345, 3500])
def test_larger_frames_on_af_xdp(lab, family, mtu):
    star = Star(lab, family=family, mtu=mtu).start()
    left, right = star.namespace("left"), star.namespace("right")
    ping(left, star.member("right"), count=2, size=star.overlay_mtu("right") - 48)
    udp_transfer(left, right, star.member("left"), star.member("right"), star.overlay_mtu("right") - 48)
    tcp_transfer(left, right, star.member("left"), star.member("right"))


@pytest.fixture(scope="module", params=[6, 4], ids=["v6", "v4"])
def narrow(request, build):
    """The right side carries less than the left."""
    lab = Lab(build)
    star = Star(lab, family=request.param)
    star.links["right"]["mtu"] = 1300
    star.start()
    star.hosts["right"].set_mtu(1500, request.param, overlay_mtu=1300)
    yield star
    lab.close()


def too_big(frame):
    got = parse_gpe(frame)
    return got if got and ICMPv6PacketTooBig in got.inner else None


def test_packet_too_big(narrow):
    """RFC 4443 3.2: from the node, with the link's MTU and as much of the packet as 1280 bytes hold."""
    wire, there = narrow.wire("left"), narrow.wire("right")
    flow = narrow.flow()
    inner = inner_udp(flow.source, flow.destination, payload=b"x" * (1301 - 48))
    wire.send(flow.frame(inner))
    answer = wire.expect(too_big, what="Packet Too Big")
    assert answer.checksum_right
    assert (answer.inner.src, answer.inner.dst) == (NODE, flow.source)
    assert answer.inner[ICMPv6PacketTooBig].mtu == 1300
    assert len(answer.inner_bytes) <= 1280
    assert inner.startswith(answer.inner_bytes[48:48 + 7])
    # The hop limit that it shows may be the one on arrival or one less.
    assert inner[8:].startswith(answer.inner_bytes[56:]) and len(answer.inner_bytes) > 1200
    checked = IPv6(answer.inner_bytes)
    del checked[ICMPv6PacketTooBig].cksum
    assert bytes(checked) == answer.inner_bytes
    there.expect_none(lambda frame: parse_gpe(frame) and parse_gpe(frame).inner.dst == flow.destination)
    assert narrow.node.grown()["packets.generated"] == 1


def test_what_just_fits_is_forwarded(narrow):
    wire, there = narrow.wire("left"), narrow.wire("right")
    flow = narrow.flow()
    wire.send(flow.frame(inner_udp(flow.source, flow.destination, payload=b"x" * (1300 - 48))))
    there.expect(lambda frame: parse_gpe(frame) and parse_gpe(frame).inner.dst == flow.destination)


def test_tcp_recovers(narrow):
    """The hosts start with segments for 1444 or 1464; the node tells them better."""
    left, right = narrow.namespace("left"), narrow.namespace("right")
    segment = tcp_transfer(left, right, narrow.member("left"), narrow.member("right"), 4 << 20)
    assert segment <= 1300 - 60
