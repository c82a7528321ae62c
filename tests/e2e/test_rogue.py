"""A member with real credentials and a program of its own says untrue things about who carries whom."""
import re
import subprocess
import time

import pytest

from harness import Lab, reach
from harness.process import wait_until
from harness.village import GROUP, Village
from test_followed import Counted

PORT = 3587


class Rogue:
    """bypeer-rogue (rogue.c), linked to n1; it has an identity that was made on n2, and an invitation of n1's."""

    def __init__(self, village, build, *roles):
        n1, n2 = village.nodes
        files = {what: n2.directory / f"rogue {len(roles)} {what}" for what in ("export", "password", "card", "invitation")}
        files["password"].write_text("a password\n")
        self.name = n2.call("identities.create", friendly_name="rogue")["identity"]["name"]
        n2.cli("identity", "export", self.name, files["export"], "--password-file", files["password"])
        files["card"].write_text(n2.cli("identity", "xml", self.name).stdout)
        n2.cli("identity", "delete", self.name)
        files["invitation"].write_text(n1.cli("group", "invite", GROUP, files["card"], "--role", ",".join(roles)).stdout)
        self.process = subprocess.Popen(
            village.host(f"rogue{len(village.lab.namespaces)}").argv(
                [build.directory / "tests" / "e2e" / "bypeer-rogue", files["export"], files["password"],
                 files["invitation"], "2001:db8::1", PORT]),
            text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "connected\n"

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        return self.process.stdout.readline()

    def say(self, *words):
        answer = self.ask(*words)
        assert answer == "done\n", answer

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def village(build):
    """a is a client of n1, b of n2."""
    lab = Lab(build)
    made = Village(lab, 2).found()
    made.enroll("a", made.nodes[0])
    made.enroll("b", made.nodes[1])
    reach(made.clients["a"].namespace, made.clients["b"].address)
    yield made
    lab.close()


@pytest.fixture
def rogue(village, build, request):
    made = Rogue(village, build, *request.param)
    yield made
    made.end()


def refusals(node, who):
    """What the audit log says of somebody, oldest first."""
    return [entry["text"] for entry in node.call("audit.list", group=GROUP, limit=1000)["entries"]
            if entry["action"] == "refused" and who in (entry["who"], entry["whom"])]


def refused(node):
    return node.call("group.show", group=GROUP)["counters"]["refused"]


def ways(village):
    """Who carries whom, as each node has it."""
    return [sorted((entry["member"], entry["supernode"], entry["chosen"]) for entry in
                   node.call("group.attachments", group=GROUP)["attachments"]) for node in village.nodes]


@pytest.mark.parametrize("rogue", [["member"]], indirect=True)
def test_a_member_cannot_take_what_is_anothers(village, rogue):
    n1, n2 = village.nodes
    a, b = village.clients["a"], village.clients["b"]
    victim, honest = village.member(n1, "b")["member"], village.member(n1, "n2")["member"]
    before, count = ways(village), refused(n1)
    with Counted(a.namespace, b.address) as counted:
        time.sleep(0.5)
        lies = [
            (("attach", victim, honest, 1 << 60), "neither by the member nor by the supernode|not signed"),
            (("attach", victim, rogue.name, 1 << 60), "no supernode|role"),
            (("attach", rogue.name, rogue.name, 1 << 60), "no supernode|role"),
        ]
        for number, (lie, reason) in enumerate(lies, start=1):
            rogue.say(*lie)
            wait_until("it is in the log", lambda number=number: len(refusals(n1, rogue.name)) == number)
            assert re.search(reason, refusals(n1, rogue.name)[-1]), refusals(n1, rogue.name)
            assert refused(n1) == count + number
        time.sleep(0.5)
    assert counted.lost() == 0
    assert ways(village) == before
    assert refusals(n2, rogue.name) == [], "what n1 refused it does not pass on"


@pytest.mark.parametrize("rogue", [["member", "supernode"]], indirect=True)
def test_what_was_true_once_does_not_come_back(village, rogue):
    """Recorded before n2 drained, and played after it is over: a newer one is known."""
    n1, n2 = village.nodes
    a, b = village.clients["a"], village.clients["b"]
    victim, honest = village.member(n1, "b")["member"], village.member(n1, "n2")["member"]
    n2.cli("drain")
    wait_until("n1 knows", lambda: all(way["draining"] for way in village.ways(n1, "b")))
    wait_until("the rogue has it, too", lambda: rogue.ask("keep", victim, honest) == "done\n")
    n2.cli("drain", "--off")
    wait_until("it is over", lambda: not any(way["draining"] for way in village.ways(n1, "b")))
    before, count = ways(village), refused(n1)
    with Counted(a.namespace, b.address) as counted:
        time.sleep(0.5)
        rogue.say("repeat")
        wait_until("its own record of it is refused", lambda: refused(n1) == count + 1)
        rogue.say("attach", victim, rogue.name, 7)
        wait_until("a supernode is believed", lambda: len(village.ways(n1, "b")) == 2)
        rogue.say("attach", victim, rogue.name, 6)
        wait_until("but not what is older", lambda: refused(n1) == count + 2)
        time.sleep(0.5)

        def replayed():
            rogue.say("replay")
            return any("older" in text for text in refusals(n1, honest))
        wait_until("the very bytes are refused, too, once n1 has had time to hear of the newer ones", replayed,
                   timeout=40, interval=1)
        time.sleep(0.5)
    assert counted.lost() == 0
    assert not any(way["draining"] for way in village.ways(n1, "b"))
    assert [way for way in ways(village)[0] if way[1] != rogue.name] == before[0]
    assert any("newer" in text for text in refusals(n1, rogue.name))
