"""kill -9 of either process, or of both, while sessions carry traffic: they go on, and no nonce comes twice."""
import time

import pytest

from harness import ping, reach
from harness.process import wait_until
from harness.hub import Hub, Listener, Pings

RESTARTS = 20


@pytest.fixture
def hub(lab):
    hub = Hub(lab).start()
    left, right = hub.guests.values()
    reach(left.namespace, right.address)
    return hub


def kill_control(hub):
    hub.node.kill_control()
    time.sleep(0.1)
    hub.node.start_control()
    hub.node.wait_ready(links=False)


def kill_dataplane(hub):
    hub.node.kill_dataplane()
    hub.node.start_dataplane()
    started = time.time()
    hub.node.wait_ready(links=False)
    return started


def handshakes(hub):
    return [guest.handshake() for guest in hub.guests.values()]


def test_control_is_killed(hub, figure):
    """Nothing is lost, and both directions rekey afterwards."""
    left, right = hub.guests.values()
    before = handshakes(hub)
    with Pings(left, right.address) as pings:
        time.sleep(0.5)
        for _ in range(3):
            kill_control(hub)
            time.sleep(0.5)
    assert handshakes(hub) == before
    figure("bypeerd killed three times, echo requests through two sessions", f"{pings.received} of {pings.sent}")
    assert pings.lost == 0


@pytest.mark.soak
def test_sessions_rekey_after_control_was_killed(hub):
    """The initiator's two minutes are over while the new control runs."""
    left, right = hub.guests.values()
    before = handshakes(hub)
    kill_control(hub)
    with Pings(left, right.address, interval=0.05) as pings:
        wait_until("both have rekeyed", lambda: all(now > then for now, then in zip(handshakes(hub), before)), 200, 1)
        time.sleep(1)
    assert pings.lost == 0


def test_dataplane_is_killed(hub, figure):
    left, right = hub.guests.values()
    before = handshakes(hub)
    listener = hub.lab.closing(Listener(left.namespace))
    took = []
    with Pings(left, right.address) as pings:
        time.sleep(0.5)
        for _ in range(5):
            took.append(kill_dataplane(hub))
            time.sleep(1)
    assert handshakes(hub) == before and listener.handshakes == 0
    again = [pings.silence_after(started) for started in took]
    figure("bypeer-dataplane killed five times, echo replies again after its start",
           f"median {sorted(again)[2] * 1000:.0f} ms, worst {max(again) * 1000:.0f} ms")
    assert ping(left.namespace, right.address, count=20) == 20


def test_both_are_killed(hub):
    """Nothing is left of the sessions: the guests begin anew by themselves, as they do with any peer."""
    left, right = hub.guests.values()
    before = handshakes(hub)
    hub.node.kill_control()
    hub.node.kill_dataplane()
    time.sleep(1)
    hub.node.start_control()
    hub.node.start_dataplane()
    hub.node.wait_ready(links=False)
    reach(left.namespace, right.address, 60)
    assert all(now > then for now, then in zip(handshakes(hub), before))


@pytest.mark.slow
def test_no_nonce_comes_twice(hub, figure):
    """Twenty times one of the processes is killed, both ends being watched on the wire."""
    left, right = hub.guests.values()
    listeners = [hub.lab.closing(Listener(guest.namespace)) for guest in (left, right)]
    with Pings(left, right.address, interval=0.002), Pings(right, left.address, interval=0.002):
        for number in range(RESTARTS):
            (kill_control, kill_dataplane)[number % 2](hub)
            time.sleep(0.3)
            if number % 4 == 3:
                left.begin_anew()
    packets = sum(sum(listener.nonces.values()) for listener in listeners)
    sessions = {index for listener in listeners for index, _ in listener.nonces}
    figure(f"nonces watched across {RESTARTS} restarts", f"{packets} packets of {len(sessions)} sessions")
    assert len(sessions) > 2
    for listener in listeners:
        assert len(listener.nonces) > 1000
        assert not listener.repeated()
