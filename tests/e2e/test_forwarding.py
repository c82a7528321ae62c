"""Linux hosts exchange ping, TCP and UDP through one node: both underlay families, both drivers."""
import subprocess

import pytest

from harness import Lab, inner_udp, parse_gpe, ping, tcp_transfer, udp_transfer, write_pcap
from harness.star import VNI, Star

BOTH_IN_THE_MIDDLE = {"left": 6, "right": 4}


@pytest.fixture(scope="module", params=[
    pytest.param(("net_af_xdp", 6), id="xdp-v6"),
    pytest.param(("net_af_xdp", 4), id="xdp-v4"),
    pytest.param(("net_af_packet", 6), id="packet-v6"),
    pytest.param(("net_af_xdp", BOTH_IN_THE_MIDDLE), id="xdp-v6-to-v4"),
])
def star(request, build):
    driver, family = request.param
    lab = Lab(build)
    yield Star(lab, driver=driver, family=family).start()
    lab.close()


def smallest(star):
    return min(star.overlay_mtu(side) for side in star.sides)


def test_ping(star):
    for source, destination in (("left", "right"), ("right", "left")):
        ping(star.namespace(source), star.member(destination), count=20)
    assert star.node.grown()["node.fabric_encap"] >= 80


def test_ping_of_the_largest_size(star):
    ping(star.namespace("left"), star.member("right"), count=3, size=smallest(star) - 48)


def test_tcp(star):
    tcp_transfer(star.namespace("left"), star.namespace("right"), star.member("left"), star.member("right"), 4 << 20)
    assert star.node.grown()["node.fabric_encap"] >= (8 << 20) // 1444


def test_udp_of_1_mb(star):
    count = udp_transfer(star.namespace("left"), star.namespace("right"), star.member("left"), star.member("right"),
                         smallest(star) - 48)
    assert star.node.grown()["node.fabric_encap"] >= count


def test_frames_are_as_the_kernel_would_write_them(star):
    """Flags, VNI, checksums, hop limit and source port; the inner packet is untouched but for its hop limit."""
    wire, into = star.wire("right"), star.wire("left")
    flow = star.flow()
    inner = inner_udp(flow.source, flow.destination, payload=b"untouched" * 11, hop_limit=9)
    for checksum in (True, 0):
        into.send(flow.frame(inner, checksum=checksum))
        came = wire.expect(lambda frame: to_member(frame, flow.destination), what="the packet at the other side")
        assert (came.flags, came.next_protocol, came.vni) == (0x0C, 2, VNI)
        assert came.udp_checksum != 0 and came.checksum_right
        assert came.outer.src == star.local("right") and came.outer.dst == star.peer("right")
        assert came.ether.dst == wire.mac and came.ether.src == star.node.mac("right")
        assert came.udp.sport >= 0xC000
        assert came.inner_bytes == inner[:7] + bytes([8]) + inner[8:]
        if star.family["right"] == 6:
            assert came.outer.hlim == 64
        else:
            assert came.outer.ttl == 64 and came.outer.flags.DF


def to_member(frame, address):
    got = parse_gpe(frame)
    return got if got and got.inner.nh == 17 and got.inner.dst == address else None


def test_one_source_port_a_flow(star):
    """The UDP source port comes from the inner flow: the same for all of a flow, different for most others."""
    wire, into = star.wire("right"), star.wire("left")
    flow = star.flow()
    ports = {}
    for sport in range(6000, 6032):
        for _ in range(2):
            into.send(flow.frame(inner_udp(flow.source, flow.destination, sport=sport)))
    for frame in wire.frames(1):
        got = to_member(frame, flow.destination)
        if got:
            ports.setdefault(got.inner.payload.sport, set()).add(got.udp.sport)
    assert len(ports) == 32
    assert all(len(seen) == 1 for seen in ports.values())
    assert len(set.union(*ports.values())) > 20


def test_tshark_decodes_it(star, tmp_path):
    wire = star.wire("right")
    ping(star.namespace("left"), star.member("right"), count=2, size=333)
    frames = [frame for frame in wire.frames(0.3) if parse_gpe(frame)]
    assert len(frames) >= 2
    write_pcap(tmp_path / "frames.pcap", frames)
    done = subprocess.run(
        ["tshark", "-n", "-r", tmp_path / "frames.pcap", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
         "-T", "fields", "-e", "_ws.expert.message", "-e", "frame.protocols", "-e", "udp.checksum.status",
         "-e", "vxlan.vni", "-e", "icmpv6.checksum.status"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(frames)
    for line in lines:
        message, protocols, outer, vni, inner = line.split("\t")
        assert protocols.endswith(("icmpv6:data", "icmpv6")), protocols
        assert (outer, int(vni, 0), inner) == ("1", VNI, "1"), line
        assert "Malformed" not in message and "Bad" not in message, line
