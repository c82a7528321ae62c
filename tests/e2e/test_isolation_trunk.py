"""Two groups on the same two supernodes, whose one trunk carries both: neither its members nor a supernode that has been
taken over gets a packet from one group into the other."""
import pytest

from harness import Lab, reach
from harness.frames import inner_udp
from harness.noise import Client
from harness.process import wait_until
from harness.village import GROUP, Village

OTHER = "strangers"


class TwoGroups:
    """a (on n1) and b (on n2) are friends, c (on n1) and d (on n2) strangers; n1 and n2 carry both groups."""

    def __init__(self, lab):
        self.village = Village(lab, 2).found()
        self.n1, self.n2 = self.village.nodes
        self.n1.cli("group", "create", OTHER)
        self.village.join(self.n2, group=OTHER)
        for name, node, group in (("a", self.n1, GROUP), ("b", self.n2, GROUP), ("c", self.n1, OTHER),
                                  ("d", self.n2, OTHER)):
            self.village.enroll(name, node, group)
        self.clients = self.village.clients
        reach(self.clients["a"].namespace, self.clients["b"].address)
        reach(self.clients["c"].namespace, self.clients["d"].address)
        self.groups = {group: self.addresses(group) for group in (GROUP, OTHER)}

    def addresses(self, group):
        """name -> address of all members, n1 and n2 too."""
        members = self.n2.call("group.members", group=group)["members"]
        return {member["name"]: member["address"] for member in members}

    def group_of(self, name):
        return GROUP if name in ("a", "b") else OTHER

    def private_key(self, node):
        return (node.directory / "state" / "wireguard.key").read_text().strip()

    def public_key(self, node):
        return self.clients["a" if node is self.n1 else "b"].file["Peer"]["PublicKey"]

    def drops(self, node):
        return {name: value for name, value in node.grown().items() if name.startswith("drop.")}


@pytest.fixture(scope="module")
def two(build):
    lab = Lab(build)
    yield TwoGroups(lab)
    lab.close()


def test_one_trunk_carries_both(two):
    assert [peer["name"].startswith("trunk/") for peer in two.n1.call("peers.list")["peers"]].count(True) == 1
    assert set(two.groups[GROUP].values()).isdisjoint(two.groups[OTHER].values())
    assert all(len(addresses) == 4 for addresses in two.groups.values())


def sender(two, name):
    """A client's tunnel anew, by a program that sends what it is told to."""
    client, node = two.clients[name], two.n1 if name in "ac" else two.n2
    client.daemon.stop()
    made = Client(client.namespace, client.file["Interface"]["PrivateKey"], two.public_key(node),
                  (f"2001:db8::{1 if node is two.n1 else 2}", 51820))
    assert made.handshake(attempts=20)
    made.send(made.data())
    return made


@pytest.mark.parametrize("name", "ad")
def test_from_a_member_to_every_address_of_the_other_group(two, name):
    node, group = (two.n1 if name == "a" else two.n2), two.group_of(name)
    other = OTHER if group == GROUP else GROUP
    crafted = sender(two, name)
    for destination in two.groups[other].values():
        node.rest()
        node.mark()
        crafted.send(crafted.data(inner_udp(two.groups[group][name], destination)))
        wait_until("it is dropped", lambda: two.drops(node) == {"drop.policy": 1})
    for source in two.groups[other].values():  # as if it were of that group
        node.rest()
        node.mark()
        crafted.send(crafted.data(inner_udp(source, next(iter(two.groups[other].values())))))
        wait_until("it is dropped", lambda: two.drops(node) == {"drop.inner_source": 1})
    crafted.close()


def test_a_supernode_that_was_taken_over(two):
    """Somebody has n1's keys, and sends to n2 by the trunk whatever it likes."""
    private = two.private_key(two.n1)
    two.n1.kill_all()
    two.n1.client.close()
    rogue = Client(two.village.host("rogue"), private, two.public_key(two.n2), ("2001:db8::2", 51820))
    assert rogue.handshake(attempts=20)
    rogue.send(rogue.data())
    behind = {GROUP: ("a", "n1"), OTHER: ("c", "n1")}
    there = {GROUP: ("b", "n2"), OTHER: ("d", "n2")}

    def expect(source, destination, reason):
        two.n2.rest()
        two.n2.mark()
        rogue.send(rogue.data(inner_udp(source, destination)))
        wait_until(f"{source} to {destination} is counted", lambda: two.drops(two.n2) == {reason: 1})

    for group, other in ((GROUP, OTHER), (OTHER, GROUP)):
        for name in behind[group]:
            for far in there[other] + behind[other]:
                expect(two.groups[group][name], two.groups[other][far], "drop.policy")
        for name in there[group]:  # who is not behind the trunk
            for far in there[other] + there[group]:
                expect(two.groups[group][name], two.groups[other if far in there[other] else group][far],
                       "drop.inner_source")
    rogue.close()
