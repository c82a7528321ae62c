"""The example programs of libbypeer, each at two members of a group."""
import base64
import os
import signal
import subprocess

import pytest

from harness import Lab, Refused
from harness.cloud import Cloud
from harness.process import wait_until
from harness.rpc import Client

PATIENCE = 60


class Program:
    """An example at a node; what it says is read line by line from its log."""

    def __init__(self, node, name, *words):
        self.log = node.directory / f"{name}-{len(list(node.directory.iterdir()))}.log"
        environment = {**os.environ, "BYPEER_SOCKET": str(node.directory / "run" / "control.sock"),
                       "ASAN_OPTIONS": "abort_on_error=0", "UBSAN_OPTIONS": "halt_on_error=1"}
        program = node.build.directory / "tools" / "examples" / f"bypeer-example-{name}"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([program, *map(str, words)], stdin=subprocess.PIPE, stdout=output,
                                            stderr=output, text=True, env=environment)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def lines(self):
        return self.log.read_text().splitlines()

    def wait_for(self, line):
        wait_until(f"{self.log.name} says {line!r}", lambda: line in self.lines(), timeout=PATIENCE)

    def end(self):
        """Its status after its input has ended."""
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


@pytest.fixture(scope="module")
def pair(build):
    """Two nodes, Ann and Bob, members of the group "Friends"."""
    lab = Lab(build)
    cloud = Cloud(lab, 2).start()
    ann, bob = cloud.nodes
    for node, name in ((ann, "Ann"), (bob, "Bob")):
        node.call("identities.create", friendly_name=name)
    ann.call("group.create", name="Friends")
    invitation = ann.call("group.invite", group="Friends", identity=bob.call("identities.show")["identity"]["xml"])
    joined = bob.call("group.join", invitation=invitation["line"], timeout_ms=PATIENCE * 1000)
    assert joined["state"] == "connected"
    for node in (ann, bob):
        wait_until(f"{node.name} sees both", lambda node=node: len(
            node.call("presence.list", group="Friends")["nodes"]) == 2, timeout=PATIENCE)
    yield ann, bob
    lab.close()


@pytest.fixture
def start():
    """Starts programs that are gone after the test."""
    programs = []

    def program(*words):
        programs.append(Program(*words))
        return programs[-1]
    yield program
    for each in programs:
        if each.process.poll() is None:
            each.stop()


@pytest.mark.no_traffic
def test_a_chat_goes_both_ways(pair, start):
    ann, bob = (start(node, "chat", "Friends") for node in pair)
    # Whoever watches too late hears nothing of what was said: until both hear, both say.
    wait_until("both hear", lambda: ann.say("anybody there?") or bob.say("somebody") or (
        "Bob: somebody" in ann.lines() and "Ann: anybody there?" in bob.lines()), timeout=PATIENCE, interval=0.5)
    ann.say("the build is green")
    bob.wait_for("Ann: the build is green")
    bob.say("über alles & <mehr>")
    ann.wait_for("Bob: über alles & <mehr>")
    assert [program.end() for program in (ann, bob)] == [0, 0]


@pytest.mark.no_traffic
def test_a_board_shows_who_is_there_and_how(pair, start):
    ann = start(pair[0], "board", "Friends")
    ann.wait_for("2 present")
    start(pair[1], "board", "Friends", "out for <lunch> & tea")
    ann.wait_for("  Bob  out for <lunch> & tea")
    assert "  Ann (here)" in ann.lines()


@pytest.mark.no_traffic
def test_a_file_is_dropped_once_and_whole(pair, start, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    file = tmp_path / "photo.raw"
    file.write_bytes(os.urandom(3_000_017))
    receiver = start(pair[1], "drop", "Friends", "receive", inbox)
    receiver.wait_for("ready")
    sender = start(pair[0], "drop", "Friends", "send", "Bob", file)
    assert sender.end() == 0, sender.lines()
    assert (inbox / "photo.raw").read_bytes() == file.read_bytes()
    identity = pair[0].call("identities.show")["identity"]["name"]
    receiver.wait_for(f"photo.raw: 3000017 bytes from {identity}")
    again = start(pair[0], "drop", "Friends", "send", "Bob", file)
    assert again.end() == 1
    assert again.lines() == ["photo.raw: the receiver does not take it"]
    assert (inbox / "photo.raw").read_bytes() == file.read_bytes()


def refused(node, key, method, **parameters):
    with pytest.raises(Refused) as failure:
        node.call(method, group="Friends", **parameters)
    assert failure.value.data["key"] == key, failure.value


@pytest.mark.no_traffic
def test_direct_links_end_at_both_sides_and_are_counted(pair):
    ann, bob = pair
    refused(ann, "own_address", "direct.open", member="Ann")
    refused(ann, "no_such_link", "direct.send", link=4711, data="aGk=")
    after = bob.call("direct.receive", group="Friends", timeout_ms=1)["next"]
    links = [ann.call("direct.open", group="Friends", member="Bob")["link"] for _ in range(16)]
    assert len(set(links)) == 16
    refused(ann, "too_many_links", "direct.open", member="Bob")
    refused(ann, "bad_parameter", "direct.send", link=links[0], data="?")
    ann.call("direct.send", group="Friends", link=links[0], data="aGk=")
    for link in links:
        ann.call("direct.close", group="Friends", link=link)
    refused(ann, "no_such_link", "direct.send", link=links[0], data="aGk=")
    events = []
    def closed():
        nonlocal after
        told = bob.call("direct.receive", group="Friends", after=after, timeout_ms=1000)
        after = told["next"]
        events.extend(told["events"])
        return sum(event["event"] == "closed" for event in events) == 16
    wait_until("Bob hears that all are closed", closed, timeout=PATIENCE)
    assert sum(event["event"] == "opened" for event in events) == 16
    assert [event["data"] for event in events if event["event"] == "data"] == ["aGk="]
    assert not any(event["initiator"] for event in events)
    again = ann.call("direct.open", group="Friends", member="Bob")["link"]
    assert again not in links
    ann.call("direct.close", group="Friends", link=again)


def opened(client):
    """A link to Bob, whose node takes so many connections of one source in a while."""
    links = []
    def is_open():
        try:
            links.append(client.call("direct.open", group="Friends", member="Bob")["link"])
        except Refused as failure:
            assert failure.data["key"] == "not_connected", failure
        return links
    wait_until("there is a link", is_open, timeout=PATIENCE)
    return links[0]


def hear(node, after, kind, count):
    """Waits for so many events of a kind after a number, on whichever links."""
    heard = []
    def is_heard():
        nonlocal after
        told = node.call("direct.receive", group="Friends", after=after, timeout_ms=1000)
        after = told["next"]
        heard.extend(event for event in told["events"] if event["event"] == kind)
        return len(heard) >= count
    wait_until(f"{count} of {kind} are heard", is_heard, timeout=PATIENCE)
    return heard, after


@pytest.mark.no_traffic
def test_direct_links_belong_to_who_opened_them(pair):
    ann, bob = pair
    greedy, other = (Client(ann.client.path) for _ in range(2))
    after = bob.call("direct.receive", group="Friends", timeout_ms=1)["next"]
    links = {opened(greedy) for _ in range(16)}
    refused(greedy, "too_many_links", "direct.open", member="Bob")
    greedy.call("direct.send", group="Friends", link=min(links), data="aGk=")
    _, after = hear(bob, after, "data", 1)
    for link in list(links)[8:]:
        greedy.call("direct.close", group="Friends", link=link)
    _, after = hear(bob, after, "closed", 8)
    kept = opened(other)
    greedy.close()
    _, after = hear(bob, after, "closed", 8)
    other.call("direct.send", group="Friends", link=kept, data="aGk=")
    hear(bob, after, "data", 1)
    other.close()


@pytest.mark.no_traffic
def test_a_peer_that_does_not_read_fills_its_link_and_loses_nothing(pair):
    ann, bob = pair
    data = base64.b64encode(bytes(1 << 15)).decode()
    for node in pair:  # so that what is under way fits what Bob keeps
        node.namespace.sysctl(**{f"net.ipv4.tcp_{way}mem": "4096 65536 131072" for way in "rw"})
    after = bob.call("direct.receive", group="Friends", timeout_ms=1)["next"]
    link = opened(ann)
    bob.control.signal(signal.SIGSTOP)
    sent = 0
    try:
        with pytest.raises(Refused) as failure:
            for sent in range(1000):
                ann.call("direct.send", group="Friends", link=link, data=data)
    finally:
        bob.control.signal(signal.SIGCONT)
    assert failure.value.data["key"] == "link_full"
    def is_sent():
        try:
            return ann.call("direct.send", group="Friends", link=link, data="aGk=")
        except Refused as full:
            assert full.data["key"] == "link_full"
            return False
    wait_until("there is room again", is_sent, timeout=PATIENCE)
    events, _ = hear(bob, after, "data", sent + 1)
    assert [event["data"] for event in events] == [data] * sent + ["aGk="]
    ann.call("direct.close", group="Friends", link=link)
