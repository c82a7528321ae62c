"""Graphing's formats against a second implementation (harness/graph.py): what either writes, the other reads as the
same."""
import random
import struct
import uuid

import pytest

from harness import graph
from harness.codec import Codec

pytestmark = pytest.mark.no_traffic

PROFILES = [graph.MODERN, graph.WINDOWS]
COUNT = 100
TEXTS = ["0.graph", "d6d380ed557a4788a5c9689979c81305853ec785.HomeGroupPeerGroupClassifier", "0.\u00fcber",
         "0.\U0001f600"]


@pytest.fixture(scope="module")
def codec(build):
    made = Codec(build, "bypeer-graph-codec")
    yield made
    made.end()


class Maker:
    """Anything that the format allows, with the fields as the codec prints them."""

    def __init__(self, profile, seed):
        self.profile = profile
        self.random = random.Random(seed)

    def bytes(self, count):
        return self.random.randbytes(count)

    def number(self, bits):
        return self.random.choice([0, 1, 2**bits - 1, self.random.getrandbits(bits)])

    def guid(self):
        return uuid.UUID(bytes=self.bytes(16))

    def some(self, make, most):
        return [make() for _ in range(self.random.choice([0, 1, most, self.random.randint(0, most)]))]

    def address(self):
        return graph.Address(port=self.random.randint(1, 65535),
                             address="2001:db8::" + ":".join(f"{self.random.getrandbits(16) | 1:x}" for _ in range(4)))

    def abstract(self):
        return graph.Abstract(id=self.bytes(16), version=self.number(32))

    def message(self, kind):
        return getattr(self, f"kind_{kind}")(kind)

    def kind_1(self, _):
        link, destination = self.random.randint(1, 2), self.random.choice(["", *TEXTS])
        name, source = self.random.choice(TEXTS), self.random.choice(TEXTS)
        return (graph.auth_info(self.profile, link, name, source, destination),
                f" link={link} graph={name.encode().hex()} source={source.encode().hex()} "
                f"destination={destination.encode().hex()}")

    def kind_2(self, _):
        addresses, node, name = self.some(self.address, 255), self.number(64), self.random.choice(["", *TEXTS])
        flags = self.random.choice([0, graph.NEEDS, graph.DIRECT_FLAG] + [graph.UPDATE] * bool(addresses))
        return (graph.connect(self.profile, flags, node, addresses, name),
                f" flags={flags} node={node:016x}{addresses_text(addresses)} name={name.encode().hex()}")

    def kind_3(self, _):
        addresses, node, time = self.some(self.address, 255), self.number(64), self.number(64)
        peer, name = self.random.choice(TEXTS), self.random.choice(["", *TEXTS])
        return (graph.welcome(self.profile, node, time, peer, addresses, name),
                f" node={node:016x} time={time}{addresses_text(addresses)} peer={peer.encode().hex()} "
                f"name={name.encode().hex()}")

    def kind_4(self, kind):
        addresses, code = self.some(self.address, 255), self.random.randint(1, 4 if kind == graph.REFUSE else 3)
        return graph.end(self.profile, kind, code, addresses), f" code={code}{addresses_text(addresses)}"

    kind_5 = kind_4

    def kind_6(self, kind):
        included, excluded, fields, more = [], [], {}, ""
        if self.random.random() < 0.5:
            included = self.some(self.guid, 255 if kind == graph.SOLICIT_HASH else 1)
        else:
            excluded = self.some(self.guid, 255)
        if kind == graph.SOLICIT_TIME:
            fields["modified"] = self.number(64)
            more = f" modified={fields['modified']}"
        if kind == graph.SOLICIT_HASH:
            hashes = self.some(lambda: graph.HashInfo(hash=self.bytes(16), modified=self.number(64),
                                                      id=self.bytes(16)), 300)
            fields["hashes"] = hashes
            more = "".join(f" hash={h.hash.hex()}/{h.modified}/{{{uuid.UUID(bytes=h.id)}}}" for h in hashes)
        types = b"".join(guid.bytes for guid in included + excluded)
        return (graph.solicit(self.profile, kind, included, excluded, **fields),
                f" included={len(included)} excluded={len(excluded)} types={types.hex()}{more}")

    kind_7 = kind_8 = kind_6

    def kind_9(self, _):
        counts = self.some(lambda: self.random.randint(0, 12), 20)
        boundaries = [graph.Boundary(low=self.number(64), low_id=self.bytes(16), high=self.number(64),
                                     high_id=self.bytes(16), count=count) for count in counts]
        abstracts = [self.abstract() for _ in range(sum(counts))]
        shown = ",".join(f"{b.low}/{{{uuid.UUID(bytes=b.low_id)}}}-{b.high}/{{{uuid.UUID(bytes=b.high_id)}}}:{b.count}"
                         for b in boundaries)
        return (graph.advertise(self.profile, boundaries, abstracts),
                f" boundaries={shown}{abstracts_text(abstracts)}")

    def kind_10(self, _):
        abstracts = self.some(self.abstract, 300)
        return graph.request(self.profile, abstracts), abstracts_text(abstracts)

    def kind_11(self, _):
        record = self.record()[0]
        return graph.flood(self.profile, record), f" record={record.hex()}"

    def kind_12(self, _):
        final = self.random.randint(0, 1)
        return graph.sync_end(self.profile, final), f" final={final}"

    def kind_13(self, _):
        kind, data = self.random.choice([self.guid(), graph.PING]), self.bytes(self.random.randint(0, 30000))
        return graph.pt2pt(self.profile, kind, data), f" type={{{kind}}} data={data.hex()}"

    def kind_14(self, _):
        acks = self.some(lambda: graph.AckEntry(id=self.bytes(16), flags=self.random.randint(0, 1)), 300)
        return (graph.ack(self.profile, acks),
                "".join(f" ack={{{uuid.UUID(bytes=a.id)}}}:{a.flags}" for a in acks))

    def record(self):
        creator, name = self.random.choice(TEXTS), self.random.choice(TEXTS)
        created, life = self.random.randint(1, 2**62), self.random.randint(2, 2**40)
        is_changed, is_deleted = self.random.random() < 0.5, self.random.random() < 0.2
        modifier = self.random.choice([None, *TEXTS]) if is_changed else None
        attributes = self.random.choice([None, "<attributes/>",
                                         '<attributes><attribute name="A" type="int">7</attribute></attributes>'])
        fields = {
            "type": self.bytes(16), "id": graph.record_id(self.profile, creator, self.bytes(16)).bytes,
            "version": self.number(32), "flags": 2 * is_deleted, "security": self.bytes(self.random.choice([0, 96])),
            "created": created, "modified": created + is_changed, "expires": created + life,
            "protocol": graph.PROTOCOL[self.profile],
            "content": b"" if is_deleted else self.bytes(self.random.randint(0, 3000))}
        built = bytes(graph.Record(creator=graph.units(creator), modifier=graph.units(modifier),
                                   graph=graph.units(name), attributes=graph.units(attributes), **fields))
        texts = {key: (value or "").encode().hex() for key, value in
                 (("creator", creator), ("modifier", modifier), ("graph", name), ("attributes", attributes))}
        shown = (f"type={{{uuid.UUID(bytes=fields['type'])}}} id={{{uuid.UUID(bytes=fields['id'])}}} "
                 f"version={fields['version']} flags={fields['flags']} protocol={fields['protocol']:04x} "
                 f"creator={texts['creator']} modifier={texts['modifier']} graph={texts['graph']} "
                 f"attributes={texts['attributes']} security={fields['security'].hex()} "
                 f"payload={fields['content'].hex()} created={created} expires={fields['expires']} "
                 f"modified={fields['modified']}")
        return built, shown


def addresses_text(addresses):
    return " addresses=" + ",".join(f"{a.port}/{a.address}" for a in addresses)


def abstracts_text(abstracts):
    return " abstracts=" + ",".join(f"{{{uuid.UUID(bytes=a.id)}}}:{a.version}" for a in abstracts)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", graph.KINDS)
def test_random_messages(codec, profile, kind):
    maker = Maker(profile, kind)
    for _ in range(COUNT // 4):
        data, shown = maker.message(kind)
        text, _, again = codec.ask(profile, "message", data).partition(" again=")
        assert text == f"kind={kind}{shown}"
        assert bytes.fromhex(again) == data
        message = graph.read(bytes.fromhex(again))
        assert (message.size, message.version) == (len(data), graph.VERSION[profile])


@pytest.mark.parametrize("profile", PROFILES)
def test_random_records(codec, profile):
    maker = Maker(profile, 99)
    for _ in range(COUNT):
        data, shown = maker.record()
        text, _, rest = codec.ask(profile, "record", data).partition(" again=")
        again, _, fault = rest.partition(" fault=")
        assert text == shown
        assert bytes.fromhex(again) == data
        assert fault == "-"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_other_profile_is_refused(codec, profile):
    other = PROFILES[1 - PROFILES.index(profile)]
    maker = Maker(profile, 5)
    for kind in graph.KINDS:
        assert codec.ask(other, "message", maker.message(kind)[0]).startswith("refused")
    answer = codec.ask(other, "record", maker.record()[0])
    assert not answer.endswith("fault=-")


@pytest.mark.parametrize("profile", PROFILES)
def test_cut_messages_are_refused(codec, profile):
    maker = Maker(profile, 6)
    for kind in graph.KINDS:
        data = maker.message(kind)[0]
        for length in range(0, len(data), max(1, len(data) // 40)):
            assert codec.ask(profile, "message", data[:length]).startswith("refused"), (kind, length)
            # Also where the size says so: then what the offsets point to is missing.
            if 8 <= length < len(type(graph.read(data))()):
                claimed = struct.pack("!I", length) + data[4:length]
                assert codec.ask(profile, "message", claimed).startswith("refused"), (kind, length)
