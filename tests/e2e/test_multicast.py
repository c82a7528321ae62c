"""Multicast within a group: members find each other by mDNS, over one node and over two, and nobody else hears of it."""
import pathlib
import sys

import pytest

from harness import Lab, parse_gpe, reach
from harness.client_hub import PORT, ClientHub
from harness.frames import inner_udp
from harness.process import wait_until
from harness.star import VNI, Star

MDNS = pathlib.Path(__file__).parent / "harness" / "mdns.py"
NAME = "printer.local"
PRINTER = "fd12:3456:789a::beef"
OTHER_GROUP, OTHER_VNI = "fd99:9999:9999::/48", 99


def respond(lab, client):
    daemon = lab.daemon(client.namespace, f"mdns-{client.interface}",
                        [sys.executable, MDNS, "respond", client.interface, NAME, PRINTER])
    wait_until("the responder listens", lambda: "ready" in daemon.text(), timeout=60)


def ask(client, seconds=30, check=True):
    done = client.namespace.run([sys.executable, MDNS, "ask", client.interface, NAME, seconds], check=check)
    return done.stdout.split()


def test_wireguard_clients_find_each_other_on_one_node(build):
    lab = Lab(build)
    hub = ClientHub(lab).start()
    hub.node.cli("policies", "set", "lab", "--multicast", "50")
    left, right = (hub.join(side, side) for side in ("left", "right"))
    reach(left.namespace, right.address)
    reach(right.namespace, left.address)
    respond(lab, right)
    assert ask(left) == [PRINTER, right.address]
    counters = hub.node.counters()
    assert counters["multicast.packets"] >= 2
    # Without multicast nothing is heard, and the counter says why.
    hub.node.cli("policies", "remove", "lab")
    assert ask(left, seconds=2, check=False) == []
    assert hub.node.counters()["drop.multicast_group"] > 0
    lab.close()


def test_wireguard_clients_find_each_other_over_two_nodes(build):
    lab = Lab(build)
    hubs = {name: ClientHub(lab, sides=("access",), name=name, number=number)
            for number, name in enumerate(("alpha", "beta"), 1)}
    between = {"alpha": "2001:db8::1", "beta": "2001:db8::2"}
    lab.cable(hubs["alpha"].node, "uplink", hubs["beta"].node, "uplink")
    for name, hub in hubs.items():
        hub.node.port("uplink", f"{between[name]}/64")
        hub.start()
        hub.node.cli("policies", "set", "lab", "--multicast", "50")
    clients = {name: hub.join(f"{name}-client", "access") for name, hub in hubs.items()}
    for name, other in (("alpha", "beta"), ("beta", "alpha")):
        key = hubs[other].node.call("wireguard.show")["public_key"]
        hubs[name].node.cli("peer", "add", other, "--group", "lab", "--public-key", key, "--endpoint",
                            f"[{between[other]}]:{PORT}", "--address", "none")
        hubs[name].node.cli("members", "add", clients[other].address, other)
    for one, other in (("alpha", "beta"), ("beta", "alpha")):
        reach(clients[one].namespace, clients[other].address)
    respond(lab, clients["beta"])
    assert ask(clients["alpha"]) == [PRINTER, clients["beta"].address]
    lab.close()


# --- crafted frames ---


@pytest.fixture(scope="module")
def star(build):
    lab = Lab(build)
    star = Star(lab, join=False)
    star.node.group("other", OTHER_GROUP, OTHER_VNI, "fd99:9999:9999::1")
    star.node.link("other-right", "other", star.peer("right"))
    star.node.link("other-left", "other", star.peer("left"))
    star.node.member("fd99:9999:9999::5", "other-right")
    star.node.member("fd99:9999:9999::6", "other-left")
    star.start()
    star.node.cli("policies", "set", "lab", "--multicast", "20")
    star.node.cli("policies", "set", "other", "--multicast", "20")
    yield star
    lab.close()


def copies(wire, destination, seconds=0.5):
    """VNI and inner packet of each copy that comes."""
    return [(got.vni, got.inner) for got in map(parse_gpe, wire.frames(seconds)) if got and got.inner.dst == destination]


@pytest.mark.parametrize("destination, hops", [("ff02::fb", 0), ("ff05::c", 1), ("ff0e::1234", 1)])
def test_a_copy_goes_to_the_group_and_to_no_other(star, destination, hops):
    wire, there = star.wire("left"), star.wire("right")
    flow = star.flow()
    star.node.rest()
    star.node.mark()
    wire.send(flow.frame(inner_udp(flow.source, destination)))
    got = copies(there, destination)
    assert [vni for vni, _ in got] == [VNI]
    assert got[0][1].hlim == 64 - hops and got[0][1].src == flow.source
    assert not copies(wire, destination, 0.2), "not to its sender, nor by the other group's link to its host"
    grown = star.node.grown()
    assert grown["multicast.packets"] == 1 and not any(name.startswith("drop.") for name in grown), grown
    wire.close()
    there.close()


def test_a_burst_beyond_the_rate_is_dropped_and_counted(star):
    wire = star.wire("left")
    flow = star.flow()
    star.node.rest()
    star.node.mark()
    for _ in range(200):
        wire.send(flow.frame(inner_udp(flow.source, "ff02::fb")))
    wait_until("all have been judged", lambda: star.node.grown().get("multicast.packets", 0) +
               star.node.grown().get("drop.multicast_rate", 0) == 200)
    grown = star.node.grown()
    assert grown["multicast.packets"] < 200 and grown["drop.multicast_rate"] > 0
    wire.close()
