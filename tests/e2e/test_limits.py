"""Accounts, rates and quotas of members, over the end of either process."""
import pytest

from harness import Lab, ping
from harness.process import wait_until
from harness.star import Star

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
    star.node.call("limits.set", name="left", rate=100000, burst=16384)
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
