"""What an idle node costs. Times are stated, not asserted."""
import time

import pytest

from harness import ping
from harness.star import Star

pytestmark = pytest.mark.alone


@pytest.mark.parametrize("idle, limit", [("sleep", 0.03), ("interrupt", 0.03)])
def test_idle_share(lab, figure, idle, limit):
    star = Star(lab)
    star.node.config["dataplane"]["idle"] = idle
    star.start()
    ping(star.namespace("left"), star.member("right"), count=2)
    time.sleep(2)
    shares = {}
    before = {daemon.name: daemon.cpu_seconds() for daemon in (star.node.dataplane, star.node.control)}
    time.sleep(5)
    for daemon in (star.node.dataplane, star.node.control):
        shares[daemon.name] = (daemon.cpu_seconds() - before[daemon.name]) / 5
    figure(f"idle node, idle: {idle}, share of a core (aim: under {limit:.0%})",
           ", ".join(f"{name} {share:.1%}" for name, share in shares.items()))
    assert shares["bypeer-dataplane"] < 0.5, "the data plane does not sleep at all"


@pytest.mark.parametrize("idle", ["sleep", "interrupt"])
def test_wake_up_time(lab, figure, idle):
    """Round trips of a few pings a second: host to host through a node that has gone to sleep meanwhile."""
    star = Star(lab)
    star.node.config["dataplane"]["idle"] = idle
    star.start()
    ping(star.namespace("left"), star.member("right"), count=2)
    done = star.namespace("left").run(f"ping -n -q -c 10 -i 0.3 {star.member('right')}")
    figure(f"round trip through an idle node, idle: {idle}, min/avg/max/mdev", done.stdout.strip().splitlines()[-1].split("= ")[1])
