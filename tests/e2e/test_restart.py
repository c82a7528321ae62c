"""kill -9 of either process under 50,000 packets a second."""
import time

import pytest

from harness import ping
from harness.process import wait_until
from harness.star import Star
from harness.stream import Stream

pytestmark = pytest.mark.alone

RATE = 50000
MEMBERS = 1_000_000
KILLS = 10


@pytest.fixture
def star(lab):
    return Star(lab, join=False).start()


def undisturbed(star, seconds):
    with Stream(star, RATE) as stream:
        time.sleep(seconds)
    return stream


@pytest.mark.slow
def test_control_is_killed_ten_times(star, figure):
    """No packet more is lost than by a run in which nothing happens."""
    before = undisturbed(star, 5)
    with Stream(star, RATE) as stream:
        for _ in range(KILLS):
            star.node.kill_control()
            time.sleep(0.1)
            star.node.start_control()
            star.node.wait_ready()
    after = undisturbed(star, 5)
    figure("bypeerd killed ten times", stream.summary())
    figure("undisturbed, before and after", f"{before.summary()}; {after.summary()}")
    allowed = max(run.lost / run.sent for run in (before, after))
    assert stream.lost / stream.sent <= allowed, stream.summary()
    assert stream.late == 0


def million():
    """Addresses of the group that no test uses otherwise."""
    return [f"fd12:3456:789a:1::{i >> 16:x}:{i & 0xffff:x}" for i in range(1, MEMBERS + 1)]


def load(node, addresses, link="right", chunk=50000):
    start = time.monotonic()
    for i in range(0, len(addresses), chunk):
        node.call("members.load", link=link, addresses=addresses[i:i + chunk])
    return time.monotonic() - start


def kernel_state(node):
    """Addresses and routes on the node's own devices, and the MACs of its peers."""
    ip = node.namespace.ip
    return (ip("-o address show").stdout, ip("-6 route show").stdout, ip("-4 route show").stdout,
            sorted(line.split()[:5] for line in ip("neighbour show").stdout.splitlines()
                   if "lladdr" in line and not line.startswith("fe80:")))


@pytest.mark.slow
def test_dataplane_is_killed_ten_times(lab, figure):
    """With a million members: addresses, routes and next hops stay, and it forwards again by itself."""
    star = Star(lab, join=False)
    star.node.config["tables"]["members"] = MEMBERS + 1000
    star.start()
    node = star.node
    addresses = million()
    seconds = load(node, addresses)
    figure("members loaded through the API", f"{MEMBERS} in {seconds:.1f} s, {MEMBERS / seconds:.0f}/s")
    wait_until("all members are there", lambda: node.call("members.count")["count"] >= MEMBERS, timeout=60)
    state = kernel_state(node)
    took, ready = [], []
    step = MEMBERS // 64
    with Stream(star, RATE, destinations=addresses[::step]) as stream:
        for _ in range(KILLS):
            time.sleep(0.3)
            node.kill_dataplane()
            killed = time.monotonic()
            time.sleep(0.1)
            assert node.call("status")["dataplane"]["state"] == "absent"
            node.start_dataplane()
            started = time.monotonic()
            node.wait_ready()
            ready.append(time.monotonic() - started)
            took.append((killed, started))
            time.sleep(0.5)
    again = []
    for killed, started in took:
        first = stream.first_after(killed)
        assert first is not None, "the kill was not noticed in the stream: did it go through the data plane?"
        again.append(first - started)
    figure("bypeer-dataplane killed ten times, forwarding again after its start",
           f"median {sorted(again)[KILLS // 2] * 1000:.0f} ms, worst {max(again) * 1000:.0f} ms, with {MEMBERS} members")
    figure("the same, as seen by status", f"worst {max(ready) * 1000:.0f} ms")
    figure("the same, stream", stream.summary())
    assert kernel_state(node) == state
    assert node.call("members.count")["count"] >= MEMBERS
    # Nothing is forwarded wrongly or twice, and afterwards nothing is lost.
    assert stream.late == 0
    after = undisturbed(star, 2)
    assert after.lost == 0, after.summary()


def test_both_are_killed(star):
    """Durable state comes back from the database, the rest from the file."""
    node = star.node
    node.call("members.add", address="fd12:3456:789a::55", link="right")
    node.kill_control()
    node.kill_dataplane()
    node.start_control()
    node.start_dataplane()
    node.wait_ready()
    assert "fd12:3456:789a::55" in str(node.call("members.list"))
    with Stream(star, 1000, destinations=["fd12:3456:789a::55", star.member("right")]) as stream:
        time.sleep(0.5)
    assert stream.lost == 0


def test_control_runs_without_a_data_plane(lab):
    star = Star(lab, join=False)
    star.node.write()
    star.node.start_control()
    status = wait_until("control answers", lambda: answer(star.node))
    assert status["dataplane"]["state"] == "absent"
    star.node.start_dataplane()
    star.node.wait_ready()
    ping(star.namespace("left"), star.local("left"), count=1)


def test_dataplane_waits_for_control(lab):
    """Started first, it says that it has no tables, and takes them when they come."""
    star = Star(lab, join=False)
    star.node.write()
    star.node.start_dataplane()
    time.sleep(1)
    assert star.node.dataplane.alive()
    star.node.start_control()
    star.node.wait_ready()
    ping(star.namespace("left"), star.local("left"), count=1)


def answer(node):
    try:
        return node.call("status")
    except OSError:
        return None


def test_session_counts_survive_the_data_plane(star):
    with Stream(star, 10000):
        time.sleep(0.5)
    before = {link["name"]: link for link in star.node.call("links.list")["links"]}
    assert before["left"]["received_packets"] > 3000
    star.node.kill_dataplane()
    star.node.start_dataplane()
    star.node.wait_ready()
    after = {link["name"]: link for link in star.node.call("links.list")["links"]}
    assert after["left"]["received_packets"] >= before["left"]["received_packets"]
    ping(star.namespace("left"), star.local("left"), count=1)
