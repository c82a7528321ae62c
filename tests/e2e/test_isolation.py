"""Group traffic never crosses to another group, by any kind of link; and who is cut off is so at once."""
import threading
import time

import pytest

from harness import Lab, parse_gpe
from harness.frames import Flow, inner_udp
from harness.hub import Hub
from harness.noise import Client
from harness.process import wait_until
from harness.star import VNI, overlay
from harness.wire import Wire

PLAY, PLAY_VNI = "fd99:9999:9999::/48", 99


class TwoGroups:
    """left's client, host and this node in lab; right's client, host and this node in play."""

    def __init__(self, lab):
        self.lab, self.hub = lab, Hub(lab)
        self.node = self.hub.node
        self.node.group("play", PLAY, PLAY_VNI, "fd99:9999:9999::1")
        right = self.hub.guests["right"]
        right.address = "fd99:9999:9999::11"
        self.node.config["peers"][1].update(group="play", address=right.address)
        self.own = {"left": "fd12:3456:789a::1", "right": "fd99:9999:9999::1"}
        self.fabric = {"left": overlay(9), "right": "fd99:9999:9999::9"}
        self.vni = {"left": VNI, "right": PLAY_VNI}
        for number, (side, group) in enumerate((("left", "lab"), ("right", "play")), 1):
            self.node.link(f"fabric-{side}", group, f"2001:db8:{number}::10")
            self.node.member(self.fabric[side], f"fabric-{side}")
        file = self.node.directory / "state" / "wireguard.key"
        file.write_text(self.hub.private + "\n")
        file.chmod(0o600)
        self.node.start()
        self.clients = {side: self.client(side) for side in ("left", "right")}
        self.wires = {side: lab.closing(Wire(self.hub.guests[side].namespace, "eth0")) for side in ("left", "right")}

    def client(self, side):
        guest, number = self.hub.guests[side], self.hub.sides.index(side) + 1
        client = self.lab.closing(Client(guest.namespace, guest.private, self.hub.public, (f"2001:db8:{number}::1", 51820)))
        assert client.handshake(attempts=20) == 1
        client.send(client.data())
        return client

    def addresses(self, side):
        return [self.hub.guests[side].address, self.fabric[side], self.own[side]]

    def by_client(self, side, destination):
        client = self.clients[side]
        client.send(client.data(inner_udp(self.hub.guests[side].address, destination)))

    def by_fabric(self, side, destination):
        number = self.hub.sides.index(side) + 1
        flow = Flow(self.hub.guests[side].namespace.mac("eth0"), self.node.mac(side), f"2001:db8:{number}::10",
                    f"2001:db8:{number}::1", self.vni[side], self.fabric[side], destination)
        self.wires[side].send(flow.frame())

    def by_this_host(self, side, destination):
        self.node.namespace.run(["ping", "-6", "-n", "-c", "1", "-W", "0.2", "-I", self.own[side], destination],
                                check=False)


@pytest.fixture(scope="module")
def two(build):
    lab = Lab(build)
    yield TwoGroups(lab)
    lab.close()


@pytest.mark.parametrize("kind", ["by_client", "by_fabric", "by_this_host"])
def test_from_every_member_to_every_address_of_another_group(two, kind):
    for side, other in (("left", "right"), ("right", "left")):
        for destination in two.addresses(other):
            if kind == "by_this_host" and destination == two.own[other]:
                continue  # the kernel's own business
            two.node.rest()
            two.node.mark()
            getattr(two, kind)(side, destination)
            grown = two.node.grown()
            drops = {name: value for name, value in grown.items() if name.startswith("drop.")}
            assert drops == {"drop.policy": 1}, (kind, side, destination, grown)


@pytest.mark.parametrize("kind", ["by_client", "by_fabric"])
def test_multicast_stays_in_its_group(two, kind):
    two.node.cli("policies", "set", "lab", "--multicast", "1000")
    two.node.cli("policies", "set", "play", "--multicast", "1000")
    for side, other in (("left", "right"), ("right", "left")):
        two.node.rest()
        two.node.mark()
        list(two.clients[other].datagrams(0.1))  # what the tests before were answered
        getattr(two, kind)(side, "ff02::fb")
        there = [got for got in map(parse_gpe, two.wires[other].frames(0.3)) if got and got.inner.src in two.addresses(side)]
        assert not there and not list(two.clients[other].datagrams(0.1))
        grown = two.node.grown()
        assert grown["multicast.packets"] == 1, grown
        assert not any(name.startswith("drop.") for name in grown), grown


def test_rules_refuse_within_a_group_and_say_so(two):
    two.node.cli("policies", "set", "lab", "deny any any udp 5001", "allow any any")
    two.node.rest()
    two.node.mark()
    two.by_client("left", two.fabric["left"])
    assert {name for name in two.node.grown() if name.startswith("drop.")} == {"drop.policy_rule"}
    assert "deny any any udp 5001" in two.node.cli("policies").stdout
    two.node.cli("policies", "remove", "lab")
    two.node.mark()
    two.by_client("left", two.fabric["left"])
    assert not any(name.startswith("drop.") for name in two.node.grown())


def test_who_is_cut_off_is_so_at_once(two, figure):
    """While he sends a thousand packets a second."""
    client, wire, node, guest = two.clients["left"], two.wires["left"], two.node, two.hub.guests["left"]
    stop, arrived = threading.Event(), []

    def send(count=None):
        while not stop.is_set() if count is None else count > 0:
            client.send(client.data(inner_udp(guest.address, two.fabric["left"])))
            count = count and count - 1
            time.sleep(0.001)

    def comes(seconds):
        return [frame for frame in wire.frames(seconds) if (got := parse_gpe(frame)) and got.inner.src == guest.address]

    sender = threading.Thread(target=send)
    sender.start()
    while len(arrived) < 100:
        arrived += comes(0.1)
    node.config["peers"] = [peer for peer in node.config["peers"] if peer["name"] != "left"]
    began = time.monotonic()
    node.reload()
    last = [began]

    def is_gone():
        if comes(0.01):
            last[0] = time.monotonic()
        return all(peer["name"] != "left" for peer in node.call("peers.list")["peers"])

    wait_until("the peer is gone", is_gone)
    stop.set()
    sender.join()
    figure("a peer is taken out of the file: from the signal to its last forwarded packet", f"{(last[0] - began) * 1000:.0f} ms")
    comes(0.2)
    before = node.rest()["drop.wireguard_session"]
    send(50)
    assert not comes(0.3)
    assert node.rest()["drop.wireguard_session"] == before + 50
