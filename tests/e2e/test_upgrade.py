"""Processes of neighbouring releases work together, so that an upgrade is one restart after the other."""
import pytest

from harness import ping
from harness.star import Star


def layout(node):
    return node.call("status")["tables"]["layout"]


@pytest.mark.parametrize("first", ["control", "dataplane"])
@pytest.mark.parametrize("way", ["up", "down"])
def test_one_restart_after_the_other(lab, build, next_build, first, way):
    old, new = (build, next_build) if way == "up" else (next_build, build)
    star = Star(lab, build=old)
    star.start()
    node, left = star.node, star.namespace("left")
    ping(left, star.member("right"), count=2)
    for turn in (first, "dataplane" if first == "control" else "control"):
        if turn == "control":
            node.kill_control()
            node.start_control(new)
        else:
            node.kill_dataplane()
            node.start_dataplane(new)
        node.wait_ready()
        ping(left, star.member("right"), count=2)
    assert layout(node) == (2 if way == "up" else 1)
