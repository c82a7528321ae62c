"""The overlay follows a group: three nodes that have never met, WireGuard clients on each, and nothing configured."""
import re
import time

import pytest

from harness import Lab, ping, reach
from harness.process import wait_until
from harness.rpc import Refused
from harness.village import GROUP, Village
from test_multicast import PRINTER, ask, respond
from test_wireguard import Echoes


class Counted(Echoes):
    def lost(self):
        """Requests without an answer between the first that had one and the last."""
        numbers = {int(found.group(1)) for found in (re.search(r"icmp_seq=(\d+)", line) for line in self.lines
                                                     if "bytes from" in line)}
        assert len(numbers) > 20
        return max(numbers) - min(numbers) + 1 - len(numbers)


@pytest.fixture(scope="module")
def village(build):
    """Clients a and b on n1, c and d on n2, e and f on n3."""
    lab = Lab(build)
    made = Village(lab, 3).found()
    for at, name in enumerate("abcdef"):
        made.enroll(name, made.nodes[at // 2])
    yield made
    lab.close()


def test_everybody_reaches_everybody(village):
    everybody = sorted([node.name for node in village.nodes] + list(village.clients))
    for node in village.nodes:
        wait_until(f"{node.name} knows all", lambda node=node: sorted(village.members(node)) == everybody)
    for client in village.clients.values():
        for other in village.clients.values():
            if other is not client:
                reach(client.namespace, other.address)
    for client in village.clients.values():
        for node in village.nodes:
            reach(client.namespace, village.member(node, node.name)["address"])
    for client in village.clients.values():
        for other in village.clients.values():
            if other is not client:
                ping(client.namespace, other.address, count=3)


@pytest.mark.no_traffic
def test_what_the_records_made_is_not_to_be_changed_by_hand(village):
    node = village.nodes[0]
    links = node.call("peers.list")["peers"]
    assert {link["origin"] for link in links} == {"group"} and len(links) == 4
    with pytest.raises(Refused) as refused:
        node.call("peers.remove", name=links[0]["name"])
    assert refused.value.data["key"] == "followed"


def test_a_node_without_the_role_carries_nobody(village):
    """Neither does it say so, nor would others believe it: what is said for others needs a role that is signed."""
    node = village.make_node(9)
    node.cli("identity", "create", "--friendly-name", node.name)
    village.join(node, "member")
    done = node.cli("group", "enroll", GROUP, "a", check=False)
    assert done.returncode != 0 and "no supernode" in done.stderr
    assert all(entry["supernode"] != village.member(node, node.name)["member"]
               for entry in village.nodes[0].call("group.attachments", group=GROUP)["attachments"])


def test_members_find_each_other_by_mdns(village):
    """Over a trunk, without a policy: a group's multicast follows its records."""
    a, c = village.clients["a"], village.clients["c"]
    reach(a.namespace, c.address)
    respond(village.lab, c)
    assert ask(a) == [PRINTER, c.address]


def test_a_client_changes_its_key_without_loss(village):
    """Its new tunnel is up before its old one goes; the address stays."""
    d, a = village.clients["d"], village.clients["a"]
    reach(a.namespace, d.address)
    with Counted(a.namespace, d.address) as counted:
        time.sleep(0.5)
        new = village.renew_key("d", village.nodes[1])
        assert new.address == d.address
        new.prefer()
        wait_until("the new tunnel is up", lambda: new.handshake_age() < 60)
        time.sleep(1)
        d.namespace.ip(f"link set dev {d.interface} down")
        time.sleep(1)
    assert counted.lost() == 0
    village.clients["d"] = new


def test_an_identity_changes_its_key_without_loss(village):
    """Of a supernode under load: its links, what it says for its clients, and its address stay."""
    n1, n2, n3 = village.nodes
    a, c, f = (village.clients[name] for name in "acf")
    reach(a.namespace, c.address)
    reach(c.namespace, f.address)
    before = village.member(n1, "n2")
    invitation = n2.directory / "invitation before"
    invitation.write_text((n2.directory / "invitation").read_text())
    neighbors = n2.call("group.show", group=GROUP)["neighbors"]
    with Counted(a.namespace, c.address) as first, Counted(c.namespace, f.address) as second:
        time.sleep(0.5)
        n2.cli("identity", "rotate")
        village.join(n2)
        wait_until("all know the new key", lambda: all(village.member(node, "n2")["key"] != before["key"]
                                                       for node in village.nodes))
        for other in (n1, n3):  # what is said by the new key is believed, and changes ways and back
            n2.cli("drain")
            wait_until("n2 drains", lambda other=other: all(way["draining"] for way in village.ways(other, "c")))
            n2.cli("drain", "--off")
            wait_until("no more", lambda other=other: not any(way["draining"] for way in village.ways(other, "c")))
        time.sleep(0.5)
    assert (first.lost(), second.lost()) == (0, 0)
    after = village.member(n3, "n2")
    assert [after[what] for what in ("address", "roles", "member")] == [before[what] for what in
                                                                       ("address", "roles", "member")]
    old = n2.cli("group", "join", invitation, check=False)
    assert old.returncode != 0 and "key before its replacement" in old.stderr
    assert n2.call("group.show", group=GROUP)["neighbors"] >= neighbors
    n2.kill_control()
    n2.start_control()
    n2.wait_ready(links=False)
    wait_until("n2 is back by the new key", lambda: n2.call("group.show", group=GROUP)["neighbors"] > 0)


def test_bypeerd_starts_again_without_loss(village):
    """The links that followed the records are the same ones again, with their sessions."""
    a, c = village.clients["a"], village.clients["c"]
    reach(a.namespace, c.address)
    node = village.nodes[0]
    before = {peer["name"]: peer["id"] for peer in node.call("peers.list")["peers"]}
    with Counted(a.namespace, c.address) as counted:
        time.sleep(0.5)
        node.kill_control()
        time.sleep(0.5)
        node.start_control()
        node.wait_ready(links=False)
        wait_until("its neighbours are back", lambda: node.call("group.show", group=GROUP)["neighbors"] > 0)
        time.sleep(0.5)
    assert counted.lost() == 0
    assert {peer["name"]: peer["id"] for peer in node.call("peers.list")["peers"]} == before


def test_a_revoked_member_is_cut_off(village):
    a, b, c = (village.clients[name] for name in "abc")
    reach(a.namespace, c.address)
    reach(b.namespace, c.address)
    with Echoes(b.namespace, c.address) as echoes:
        time.sleep(1)
        village.nodes[0].cli("group", "revoke", GROUP, "b", "--reason", "has left")
        revoked = time.time()
        wait_until("the other nodes know", lambda: all("b" not in village.members(node) for node in village.nodes))
        time.sleep(1)
    times = [float(re.match(r"\[([\d.]+)\]", line).group(1)) for line in echoes.lines if "bytes from" in line]
    assert times and max(times) - revoked < 1
    ping(a.namespace, c.address, count=3)
    assert ping(b.namespace, a.address, count=2, check=False, wait=1) == 0
    assert ping(c.namespace, b.address, count=2, check=False, wait=1) == 0


# --- a member with a second supernode ---


@pytest.fixture(scope="module")
def pair(build):
    """a is a client of n1 and, when that fails, of n2; b is one of n3."""
    lab = Lab(build)
    made = Village(lab, 3).found()
    made.enroll("a", made.nodes[0])
    made.spare = made.enroll_again("a", made.nodes[1])
    made.enroll("b", made.nodes[2])
    reach(made.clients["a"].namespace, made.clients["b"].address)
    wait_until("n3 knows both ways", lambda: len(made.ways(made.nodes[2], "a")) == 2)
    yield made
    lab.close()


def chosen(village, node, name):
    """Names of the supernodes by which a member is reached now."""
    names = {member["member"]: member["name"] for member in node.call("group.members", group=GROUP)["members"]}
    return [names[entry["supernode"]] for entry in village.ways(node, name) if entry["chosen"]]


def test_drained_without_loss(pair):
    a, b = pair.clients["a"], pair.clients["b"]
    n1, _, n3 = pair.nodes
    wait_until("n1 has said that it hears a", lambda: chosen(pair, n3, "a") == ["n1"])
    reach(pair.spare.namespace, b.address)
    with Counted(b.namespace, a.address) as counted:
        time.sleep(0.5)
        n1.cli("drain")
        wait_until("b's node has another way", lambda: chosen(pair, n3, "a") == ["n2"])
        time.sleep(0.5)
        pair.spare.prefer()  # what its owner does who was told of the maintenance
        time.sleep(0.5)
        n1.cli("drain", "--off")
        wait_until("and the first one again", lambda: chosen(pair, n3, "a") == ["n1"])
        time.sleep(0.5)
    assert counted.lost() == 0


def test_a_supernode_is_killed(pair, figure):
    a, b = pair.clients["a"], pair.clients["b"]
    n1, _, n3 = pair.nodes
    reach(a.namespace, b.address)
    with Echoes(b.namespace, a.address) as echoes:
        time.sleep(1)
        n1.kill_all()
        n1.client.close()
        pair.spare.prefer()
        wait_until("b's node has another way", lambda: chosen(pair, n3, "a") == ["n2"])
        time.sleep(2)
    figure("a supernode killed: longest silence", f"{echoes.longest_silence():.2f} s")
    assert echoes.longest_silence() < 3
    n1.start(ready=False)
    # The client sends to it again, and finds that its session is gone: until n1 hears it, others do better by n2.
    a.prefer()
    reach(a.namespace, b.address, timeout=90)
    wait_until("it is back and used again", lambda: chosen(pair, n3, "a") == ["n1"], timeout=60)
    ping(b.namespace, a.address, count=5)
