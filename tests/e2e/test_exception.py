"""What is not overlay goes to the kernel and back: the underlay address on the TAP is as good as on the port."""
import pytest

from harness import Lab, ping, tcp_transfer, udp_transfer
from harness.star import Star


@pytest.fixture(scope="module", params=["net_af_xdp", "net_af_packet"])
def star(request, build):
    lab = Lab(build)
    yield Star(lab, driver=request.param).start()
    lab.close()


FAMILIES = pytest.mark.parametrize("family", [6, 4], ids=["v6", "v4"])


@FAMILIES
def test_neighbours_are_found(star, family):
    """Neighbour discovery and ARP, from both ends, from nothing."""
    host, node = star.namespace("left"), star.node.namespace
    host.ip(f"-{family} neighbour flush dev eth0")
    ping(host, star.local("left", family), count=1)
    assert star.node.mac("left") in host.ip(f"-{family} neighbour show dev eth0").stdout
    ping(node, star.peer("left", family), count=1)
    assert host.mac("eth0") in node.ip(f"-{family} neighbour show dev tap-left").stdout


@pytest.mark.no_traffic
def test_tap_has_the_ports_mac(star):
    for side in star.sides:
        assert star.node.namespace.mac(f"tap-{side}") == star.node.mac(side)


@FAMILIES
@pytest.mark.parametrize("size", [0, 1, 56, 1400])
def test_ping(star, family, size):
    ping(star.namespace("left"), star.local("left", family), count=3, size=size)


@FAMILIES
def test_tcp_to_the_underlay_address(star, family):
    """As ssh would: whole segments both ways, checksums computed by the kernel on the TAP's side too."""
    tcp_transfer(star.namespace("left"), star.node.namespace, star.peer("left", family), star.local("left", family), 1 << 20)
    tcp_transfer(star.node.namespace, star.namespace("right"), star.local("right", family), star.peer("right", family),
                 1 << 20)


def test_udp_to_the_underlay_address(star):
    udp_transfer(star.namespace("left"), star.node.namespace, star.peer("left", 6), star.local("left", 6), 1452)


def test_fragments(star):
    """A packet in pieces is the kernel's to put together."""
    done = star.namespace("left").run(["ping", "-n", "-c", 2, "-i", "0.1", "-W", 2, "-s", 4000, "-M", "dont",
                                       star.local("left", 6)], check=False)
    assert "2 received" in done.stdout, done.stdout


def test_multicast_reaches_the_kernel(star):
    """All nodes on the link: the address that every router advertisement comes to."""
    done = star.namespace("left").run(["ping", "-n", "-c", 2, "-i", "0.2", "-W", 2, "ff02::1%eth0"], check=False)
    assert "bytes from fe80" in done.stdout or "0% packet loss" in done.stdout, done.stdout


def test_overlay_and_kernel_at_once(star):
    left, right = star.namespace("left"), star.namespace("right")
    tcp_transfer(left, star.node.namespace, star.peer("left", 6), star.local("left", 6), 1 << 20)
    tcp_transfer(left, right, star.member("left"), star.member("right"), 1 << 20)
    grown = star.node.grown()
    assert grown["packets.punted"] > 100 and grown["packets.injected"] > 100 and grown["node.fabric_encap"] > 100
