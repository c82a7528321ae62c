"""Two workers with two queues forward as one does, and keep the order within each flow."""
import time

import pytest

from harness import Lab, ping, tcp_transfer, udp_transfer
from harness.star import Star
from harness.stream import Stream

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def star(build):
    lab = Lab(build)
    # A veth tells net_af_xdp of one queue only; net_af_packet spreads flows by the kernel's hash.
    yield Star(lab, workers=2, queues=2, driver="net_af_packet").start()
    lab.close()


def test_same_forwarding(star):
    left, right = star.namespace("left"), star.namespace("right")
    ping(left, star.member("right"), count=20)
    udp_transfer(left, right, star.member("left"), star.member("right"), star.overlay_mtu("right") - 48)
    for _ in range(4):
        tcp_transfer(left, right, star.member("left"), star.member("right"), 1 << 20)


def test_both_workers_take_part_and_keep_the_order(star, figure):
    with Stream(star, 40000, flows=256) as stream:
        time.sleep(3)
    assert stream.late == 0, stream.summary()
    assert stream.lost == 0, stream.summary()
    answer = star.node.call("counters", per_worker=True)
    place = [counter["name"] for counter in answer["counters"]].index("packets.received")
    received = [worker["values"][place] for worker in answer["workers"] if worker["values"][place]]
    figure("packets received by each of two workers", received)
    assert len(received) == 2 and min(received) > sum(received) / 10
