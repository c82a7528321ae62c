"""Accounts, rates, shares and quotas of members, over the end of either process."""
import dataclasses
import time

import pytest

from harness import Lab, ping
from harness.process import wait_until
from harness.star import Star
from harness.stream import Stream

pytestmark = pytest.mark.alone

COUNT = 50
SIZE = 1000
INNER = SIZE + 48  # with the headers of IPv6 and ICMPv6


@pytest.fixture
def star(build):
    lab = Lab(build)
    yield Star(lab).start()
    lab.close()


def account(star, name="left"):
    return next(entry for entry in star.node.call("usage.list")["usage"] if entry["name"] == name)


def send(star, count=COUNT, **options):
    return ping(star.namespace("left"), star.member("right"), count=count, size=SIZE, **options)


def test_accounts_survive_the_end_of_either_process(star):
    send(star)
    before = account(star)
    assert before["received_bytes"] >= COUNT * INNER and before["sent_bytes"] >= COUNT * INNER
    assert account(star, "right")["sent_bytes"] >= COUNT * INNER
    for kill, start in ((star.node.kill_control, star.node.start_control),
                        (star.node.kill_dataplane, star.node.start_dataplane)):
        kill()
        start()
        star.node.wait_ready()
        after = account(star)
        assert after["received_bytes"] >= before["received_bytes"], "nothing is forgotten"
        assert after["received_bytes"] < before["received_bytes"] + COUNT * INNER, "or counted twice"
        send(star)
        before = account(star)
        assert before["received_bytes"] >= after["received_bytes"] + COUNT * INNER
    text = star.node.cli("usage", "--openmetrics").stdout
    assert f'direction="received"}} {before["received_bytes"]}' in text and text.endswith("# EOF\n")


def test_a_rate_holds_as_soon_as_it_is_set(star):
    send(star, 200, interval=0.003)
    star.node.call("limits.set", name="left", rate=10000, burst=16384)
    assert send(star, 200, interval=0.003, check=False, wait=0.5) < 100
    assert star.node.counters()["drop.rate"] > 0
    star.node.kill_control()
    star.node.start_control()
    star.node.wait_ready()
    assert send(star, 200, interval=0.003, check=False, wait=0.5) < 100, "also after a restart"
    star.node.call("limits.remove", name="left")
    send(star, 200, interval=0.003)


def test_a_quota_ends_and_is_raised(star):
    used = account(star)["received_bytes"] + account(star)["sent_bytes"]
    star.node.call("limits.set", name="left", quota=used + 20 * INNER)
    send(star, 20, check=False, wait=0.5)
    wait_until("the member is blocked", lambda: account(star)["limit"]["blocked"], timeout=5)
    assert send(star, 10, check=False, wait=0.5) == 0
    assert star.node.counters()["drop.quota"] > 0
    star.node.call("limits.set", name="left", quota=used + 10**9)
    wait_until("it is carried for again", lambda: not account(star)["limit"]["blocked"], timeout=5)
    send(star)


# --- shares ---

FRAME = 1000
BITS = 8 * (FRAME + 48)  # of an inner packet
FAIR = 1250  # packets a second that are due to each of a group's two members


@pytest.fixture
def crowd(build):
    """Two members of a group, one of another, and whom they send to."""
    lab = Lab(build)
    star = Star(lab, sides=("greedy", "sink", "polite", "bucket", "stranger", "well"), join=False)
    star.node.group("other", "fd12:3456:789b::/48", 8, "fd12:3456:789b::1")
    for side in ("stranger", "well"):
        star.links[side]["group"] = "other"
        next(one for one in star.node.config["members"] if one["link"] == side)["address"] = elsewhere(star, side)
    yield star.start()
    lab.close()


def elsewhere(star, side):
    return star.member(side).replace("789a", "789b")


def test_a_greedy_member_takes_nobodys_share(crowd, figure):
    crowd.node.call("limits.set", group="lab", rate=2 * FAIR * BITS)
    crowd.node.call("limits.set", group="other", rate=FAIR * BITS)
    steady = Stream(crowd, FAIR, source="polite", destination="bucket", bytes=FRAME)
    strangers = Stream(crowd, FAIR, source="stranger", destination="well", bytes=FRAME,
                       flow=dataclasses.replace(crowd.flow("stranger", "well"), vni=8, source=elsewhere(crowd, "stranger"),
                                                destination=elsewhere(crowd, "well")))
    line_rate = Stream(crowd, 1000000, source="greedy", destination="sink", bytes=FRAME)
    with steady, strangers:
        with line_rate:
            time.sleep(3)
    figure("a greedy member", line_rate.summary())
    figure("a polite one beside it, at its fair share", steady.summary())
    figure("a member of another group, at that group's rate", strangers.summary())
    assert line_rate.sent > 20 * FAIR * line_rate.seconds, "it was greedy"
    assert line_rate.received < 1.1 * FAIR * line_rate.seconds, "and held to its share"
    assert steady.received >= 0.95 * steady.sent
    assert strangers.received >= 0.95 * strangers.sent
