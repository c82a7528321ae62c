"""SIGHUP applies what has changed, and nothing at all when the file is bad."""
import pytest

from harness import Refused, ping
from harness.process import wait_until
from harness.star import Star
from harness.stream import Stream

pytestmark = pytest.mark.alone


@pytest.fixture
def star(lab):
    return Star(lab).start()


def test_difference_is_applied(star):
    node = star.node
    left = star.namespace("left")
    ping(left, star.member("right"), count=2)
    generation = node.call("status")["tables"]["generation"]
    moved = "fd12:3456:789a::77"
    star.namespace("right").ip(f"address add {moved}/128 dev overlay nodad")
    assert ping(left, moved, count=1, check=False, wait=1) == 0
    entry = node.member(moved, "right")
    node.reload()
    wait_until("the new member answers", lambda: ping(left, moved, count=1, check=False, wait=1))
    node.config["members"].remove(entry)
    node.reload()
    wait_until("the member is gone", lambda: moved not in str(node.call("members.list")))
    assert ping(left, moved, count=1, check=False, wait=1) == 0
    ping(left, star.member("right"), count=2)
    assert node.call("status")["tables"]["generation"] == generation


def test_bad_file_is_refused_whole(star):
    node = star.node
    left = star.namespace("left")
    before = node.call("members.list")
    node.member("fd12:3456:789a::78", "right")
    node.member("fd12:3456:789a::79", "no such link")
    node.reload()
    wait_until("the log names the mistake", lambda: "no such link" in node.control.text())
    assert node.call("members.list") == before
    ping(left, star.member("right"), count=2)
    assert node.control.alive()
    with pytest.raises(Refused) as refused:
        node.call("config.reload")
    assert any("no such link" in message for message in refused.value.data["messages"])


def test_reload_under_traffic_loses_nothing(star, figure):
    with Stream(star, rate=20000) as stream:
        for number in range(10):
            entry = star.node.member(f"fd12:3456:789a::9{number}", "right")
            star.node.reload()
            wait_until("the member is there", lambda entry=entry: entry["address"] in str(star.node.call("members.list")))
    assert stream.lost == 0, stream.summary()
    figure("lost by ten reloads at 20,000 packets/s", f"{stream.lost} of {stream.sent}")
