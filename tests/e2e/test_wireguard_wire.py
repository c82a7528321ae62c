"""Hub links message by message: replays, forged sources, moves, and every kind of way out, against a client in Python."""
import pytest
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

from harness.frames import inner_udp
from harness.hub import PORT, Hub
from harness.member import Member
from harness.noise import Client
from harness.process import wait_until
from harness.star import GROUP, NODE, VNI, overlay

WINDOW = 8192


class Wire:
    """A hub of two workers, each with a queue of each port; the hosts there run clients instead of wireguard-go."""

    def __init__(self, lab):
        self.lab = lab
        self.hub = Hub(lab, workers=2, queues=2, driver="net_af_packet")
        self.node = self.hub.node
        file = self.node.directory / "state" / "wireguard.key"
        file.write_text(self.hub.private + "\n")
        file.chmod(0o600)
        # A member behind VXLAN-GPE, on the right host.
        self.fabric = overlay(9)
        self.node.link("fabric", "lab", "2001:db8:2::10")
        self.node.member(self.fabric, "fabric")
        self.namespaces = {side: guest.namespace for side, guest in self.hub.guests.items()}
        Member(self.namespaces["right"]).join(self.fabric, GROUP, "2001:db8:2::1", VNI)
        self.node.start()

    def endpoint(self, side, family=6):
        number = self.hub.sides.index(side) + 1
        return (f"2001:db8:{number}::1" if family == 6 else f"198.51.{number}.1", PORT)

    def client(self, side, family=6):
        guest = self.hub.guests[side]
        client = self.lab.closing(
            Client(guest.namespace, guest.private, self.hub.public, self.endpoint(side, family)))
        assert client.handshake(timeout=10) == 1
        client.address = guest.address
        return client

    def by_worker(self, name):
        answer = self.node.call("counters", per_worker=True)
        place = [entry["name"] for entry in answer["counters"]].index(name)
        return [worker["values"][place] for worker in answer["workers"]][:2]

    def send_keepalive(self, client):
        """And waits until it is in: from then on the hub sends by the client's session, to where the client is."""
        before = self.node.counters()["packets.consumed"]
        client.send(client.data())
        wait_until("the keepalive is in", lambda: self.node.counters()["packets.consumed"] > before)

    def expect_grown(self, before, name, by):
        """Whatever was sent may still be on its way; more than that is wrong."""
        wait_until(f"{name} has grown by {by}", lambda: self.node.counters()[name] - before[name] >= by)
        assert self.node.rest()[name] - before[name] == by, name


@pytest.fixture
def wire(lab):
    return Wire(lab)


def packet(source, destination, payload=b"hello"):
    return inner_udp(source, destination, payload)


def sees(client, payload):
    received = client.expect()
    assert received[48:48 + len(payload)] == payload
    return True


def test_between_two_clients_and_over_ipv4(wire):
    left, right = wire.client("left"), wire.client("right", family=4)
    wire.send_keepalive(right)  # its session is confirmed
    left.send(left.data(packet(left.address, right.address, b"second")))
    assert sees(right, b"second")
    right.send(right.data(packet(right.address, left.address, b"back")))
    assert sees(left, b"back")
    assert wire.node.rest()["packets.consumed"] >= 1


def test_replays_at_every_edge_on_either_worker(wire, figure):
    """Source ports spread datagrams over both workers; session and window are the same."""
    left, right = wire.client("left"), wire.client("right")
    wire.send_keepalive(right)
    senders = [wire.lab.closing(Client(wire.namespaces["left"], wire.hub.guests["left"].private, wire.hub.public,
                                       wire.endpoint("left"))) for _ in range(8)]
    greatest = 100_000
    cases = [(greatest, True), (greatest - 1, True), (greatest - WINDOW + 1, True), (greatest - WINDOW, False), (0, False),
             (greatest + 1, True), (greatest - WINDOW + 1, False), (greatest - WINDOW + 2, True),
             (greatest + WINDOW, True), (greatest + 1, False), (greatest + 2, True)]
    for number, (counter, fresh) in enumerate(cases):
        message = left.data(packet(left.address, right.address, b"%d" % counter), counter)
        before = wire.node.rest()
        senders[number % len(senders)].send(message)
        if fresh:
            assert sees(right, b"%d" % counter)
        for sender in senders:
            sender.send(message)
        wire.expect_grown(before, "drop.wireguard_replay", len(senders) + (not fresh))
    assert not list(right.datagrams(0.3)), "a replay came through"
    replays = wire.by_worker("drop.wireguard_replay")
    figure("replays dropped by each of two workers", replays)
    assert all(replays)


def test_sources_that_are_not_the_members(wire):
    left, right = wire.client("left"), wire.client("right")
    wire.send_keepalive(right)
    before = wire.node.rest()
    forged = [right.address, NODE, wire.fabric, overlay(0x77), "fd99::1", "2001:db8:1::10"]
    for source in forged:
        left.send(left.data(packet(source, right.address)))
    wire.expect_grown(before, "drop.inner_source", len(forged))
    for source in ("fe80::1", "::1", "ff02::1"):
        left.send(left.data(packet(source, right.address)))
    wire.expect_grown(before, "drop.inner_scope", 3)
    left.send(left.data(b"\x45" + bytes(39)))
    left.send(left.data(b"x"))
    wire.expect_grown(before, "drop.inner_header", 2)
    damaged = bytearray(left.data(packet(left.address, right.address)))
    damaged[20] ^= 1
    left.send(damaged)
    wire.expect_grown(before, "drop.wireguard_tag", 1)
    left.send(left.data()[:-1])
    left.send(b"\4\0\0\0" + bytes(40))
    wire.expect_grown(before, "drop.wireguard_malformed", 1)
    wire.expect_grown(before, "drop.wireguard_session", 1)
    assert not list(right.datagrams(0.3))


def test_a_member_moves_and_is_followed_at_once(wire):
    left, right = wire.client("left"), wire.client("right")
    for client in (left, right):
        wire.send_keepalive(client)
    right.send(right.data(packet(right.address, left.address, b"home")))
    assert sees(left, b"home")
    # To another port, to another network, to IPv4: each time one packet of the member is enough.
    for side, family in (("left", 6), ("right", 6), ("right", 4), ("left", 6)):
        left.move(wire.namespaces[side], wire.endpoint(side, family))
        wire.send_keepalive(left)
        right.send(right.data(packet(right.address, left.address, b"there")))
        assert sees(left, b"there"), f"{side}, IPv{family}"
    # Somebody else's copy of an old packet from elsewhere moves nobody.
    before, message = wire.node.rest(), left.data()
    left.send(message)
    wait_until("it is in", lambda: wire.node.counters()["packets.consumed"] > before["packets.consumed"])
    stranger = wire.lab.closing(Client(wire.namespaces["right"], wire.hub.guests["left"].private, wire.hub.public,
                                       wire.endpoint("right")))
    stranger.send(message)
    wire.expect_grown(before, "drop.wireguard_replay", 1)
    right.send(right.data(packet(right.address, left.address, b"still there")))
    assert sees(left, b"still there")


def test_to_fabric_and_to_the_host_and_back(wire):
    """Who answers is a Linux VXLAN-GPE member, and the node's own kernel."""
    left = wire.client("left")
    for number, target in enumerate((wire.fabric, NODE)):
        echo = bytes(IPv6(src=left.address, dst=target) / ICMPv6EchoRequest(id=7, seq=number))
        for _ in range(5):
            left.send(left.data(echo))
            answers = [opened[1] for opened in map(left.open, left.datagrams(0.5)) if opened and opened[1]]
            if answers:
                break
        assert answers, target
        answer = IPv6(answers[0])
        assert (answer.src, answer[ICMPv6EchoReply].id, answer[ICMPv6EchoReply].seq) == (target, 7, number)


def test_a_keepalive_comes_when_only_the_member_speaks(wire):
    left = wire.client("left")
    left.send(left.data(packet(left.address, wire.hub.guests["right"].address)))  # who is not there: no answer
    opened = [left.open(datagram) for datagram in left.datagrams(12)]
    assert any(pair and pair[1] == b"" for pair in opened), "nothing within 12 s of data received"
