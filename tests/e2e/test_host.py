"""The supernode's own programs are members too, through the overlay device."""
import pytest

from harness import Lab, ping, tcp_transfer, udp_transfer
from harness.star import NODE, Star


@pytest.fixture(scope="module", params=[6, 4], ids=["v6", "v4"])
def star(request, build):
    lab = Lab(build)
    yield Star(lab, family=request.param).start()
    lab.close()


def test_ping_both_ways(star):
    ping(star.namespace("left"), NODE, count=5)
    ping(star.node.namespace, star.member("right"), count=5)


def test_tcp_both_ways(star):
    tcp_transfer(star.namespace("left"), star.node.namespace, star.member("left"), NODE, 1 << 20)
    tcp_transfer(star.node.namespace, star.namespace("right"), NODE, star.member("right"), 1 << 20)


def test_udp_of_1_mb(star):
    size = star.overlay_mtu("left") - 48
    udp_transfer(star.node.namespace, star.namespace("left"), NODE, star.member("left"), size)
    udp_transfer(star.namespace("left"), star.node.namespace, star.member("left"), NODE, size)


@pytest.mark.no_traffic
def test_the_device_has_what_the_group_says(star):
    shown = star.node.namespace.ip("-6 address show dev bypeer0").stdout
    assert f"{NODE}/128" in shown or f"{NODE}/48" in shown
    assert f"mtu {star.overlay_mtu('left')}" in star.node.namespace.ip("link show dev bypeer0").stdout
    route = star.node.namespace.ip(f"-6 route get {star.member('left')}").stdout
    assert "bypeer0" in route
