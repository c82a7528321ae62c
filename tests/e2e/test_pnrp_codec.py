"""PNRP's formats against a second implementation (harness/pnrp.py): what either writes, the other reads as the same."""
import ipaddress
import pathlib
import random
import re

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from harness import pnrp
from harness.codec import Codec

pytestmark = pytest.mark.no_traffic

PROFILES = [pnrp.MODERN, pnrp.WINDOWS]
VECTORS = pathlib.Path(__file__).parents[1] / "unit" / "fixtures" / "pnrp_vectors.h"
NOT_AFTER = 1893456000
EPOCHS_APART = 11644473600  # between 1601 and 1970
COUNT = 400


@pytest.fixture(scope="module")
def codec(build):
    made = Codec(build, "bypeer-pnrp-codec")
    yield made
    made.end()


# --- fields as the codec prints them ---


def hexed(data):
    return "-" if data is None else bytes(data).hex()


def entry_text(element):
    if element is None:
        return "-"
    entry = element.entry
    return f"{entry.id.hex()}:{entry.port}" + "".join(f",{ipaddress.ip_address(a)}" for a in entry.addresses)


def endpoints_text(entries):
    return ",".join(f"{entry.port}/{ipaddress.ip_address(entry.address)}" for entry in entries)


def cpa_text(profile, element, data):
    if element is None:
        return "-"
    cpa = pnrp.Cpa(data)
    right = pnrp.signature_is_right(profile, cpa.key, cpa.signature, cpa.signed(data))
    applications = ",".join(f"{a.protocol}/{a.port}/{ipaddress.ip_address(a.address)}" for a in cpa.applications or [])
    return (f"{cpa.identifier(profile).hex()} revoke={cpa.flags & 1} extended={int(bool(cpa.flags & pnrp.EXTENDED))} "
            f"not_after={cpa.not_after // 10**7 - EPOCHS_APART} nonce={cpa.nonce.hex()} "
            f"comment={hexed(cpa.friendly_name if cpa.flags & pnrp.COMMENT else None)} "
            f"services={endpoints_text(cpa.services)} applications={applications} verified={int(right)}")


def message_text(profile, message):
    def one(kind):
        return message.element(kind)
    words = [f"kind={message.kind} id={message.message_id:08x}"]
    if message.kind == pnrp.SOLICIT:
        controls = one(pnrp.SolicitControls)
        words += [f"local_only={int(bool(controls and controls.kind == 1))}",
                  f"entry={entry_text(one(pnrp.RoutingEntry))}", f"hashed_nonce={one(pnrp.HashedNonce).hash.hex()}"]
    elif message.kind == pnrp.ADVERTISE:
        words += [f"acked={one(pnrp.Acked).message_id:08x}",
                  "ids=" + ",".join(i.hex() for i in one(pnrp.Ids).entries),
                  f"hashed_nonce={one(pnrp.HashedNonce).hash.hex()}"]
    elif message.kind == pnrp.REQUEST:
        words += [f"nonce={one(pnrp.Nonce).nonce.hex()}", "ids=" + ",".join(i.hex() for i in one(pnrp.Ids).entries)]
    elif message.kind == pnrp.FLOOD:
        revoke = one(pnrp.RevokeCpa)
        words += [f"no_ack={one(pnrp.FloodControls).flags & 1}", f"validate={one(pnrp.Validate).id.hex()}",
                  f"revoked={cpa_text(profile, revoke, revoke and revoke.data)}",
                  f"entry={entry_text(one(pnrp.RoutingEntry))}",
                  f"flooded={endpoints_text(one(pnrp.Endpoints).entries)}"]
    elif message.kind == pnrp.INQUIRE:
        nonce = one(pnrp.Nonce)
        words += [f"flags={one(pnrp.Flags).flags & 0x1c:04x}", f"validate={one(pnrp.Validate).id.hex()}",
                  f"nonce={hexed(nonce and nonce.nonce)}"]
    elif message.kind == pnrp.AUTHORITY:
        split = one(pnrp.SplitControls)
        words += [f"acked={one(pnrp.Acked).message_id:08x} size={split.size} offset={split.offset}",
                  f"slice={message.slice.hex()}"]
    elif message.kind == pnrp.ACK:
        flags = one(pnrp.Flags)
        words += [f"acked={one(pnrp.Acked).message_id:08x}", f"not_local={int(bool(flags and flags.flags & 1))}"]
    elif message.kind == pnrp.LOOKUP:
        controls = one(pnrp.LookupControls)
        words += [f"any_distance={int(bool(controls.flags & 2))} precision={controls.precision} "
                  f"criterion={controls.criterion} reason={controls.reason}",
                  f"target={one(pnrp.Target).id.hex()}", f"validate={one(pnrp.Validate).id.hex()}",
                  f"entry={entry_text(one(pnrp.RoutingEntry))}", f"path={endpoints_text(one(pnrp.Endpoints).entries)}"]
    return " ".join(words)


def answer_text(profile, buffer, payload):
    def data_of(kind):
        element = buffer.element(kind)
        return element and element.data
    classifier = buffer.element(pnrp.Classifier)
    units = classifier and b"".join(unit.to_bytes(2, "big") for unit in classifier.entries)
    cpa = buffer.element(pnrp.ValidateCpa)
    return " ".join([
        f"flags={buffer.element(pnrp.Flags).flags & 0x209:04x}", f"chain={hexed(data_of(pnrp.CertChain))}",
        f"classifier={hexed(units)}",
        f"payload={hexed(payload)}", f"entry={entry_text(buffer.element(pnrp.RoutingEntry))}",
        f"cpa={cpa_text(profile, cpa, cpa and cpa.data)}"])


# --- random messages ---


class Maker:
    """Anything that the format allows."""

    def __init__(self, profile, seed):
        self.profile = profile
        self.random = random.Random(seed)
        if profile == pnrp.MODERN:
            self.private = ed25519.Ed25519PrivateKey.from_private_bytes(self.bytes(32))
            self.key = self.private.public_key().public_bytes(serialization.Encoding.Raw,
                                                              serialization.PublicFormat.Raw)
        else:
            self.private = rsa.generate_private_key(65537, 1024)
            self.key = self.private.public_key().public_bytes(serialization.Encoding.DER,
                                                              serialization.PublicFormat.PKCS1)

    def bytes(self, count):
        return self.random.randbytes(count)

    def address(self):
        return str(ipaddress.IPv6Address(b"\x20\x01\x0d\xb8" + self.bytes(12)))

    def port(self):
        return self.random.choice([1025, 65535, self.random.randint(1025, 65535)])

    def entry(self, most=20):
        count = self.random.choice([1, most, self.random.randint(1, most)])
        return pnrp.entry_of(self.profile, self.bytes(32), [self.address() for _ in range(count)], self.port())

    def maybe(self, make):
        return make() if self.random.random() < 0.5 else None

    def endpoints(self, least):
        count = self.random.choice([least, 22, self.random.randint(least, 22)])
        return pnrp.Endpoints(entries=[pnrp.Endpoint(port=self.port(), address=self.address()) for _ in range(count)])

    def ids(self, most):
        return pnrp.Ids(entries=[self.bytes(32) for _ in range(self.random.randint(0, most))])

    def sign(self, data):
        if self.profile == pnrp.MODERN:
            return self.private.sign(data)
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA1())

    def cpa(self, revoke=False):
        major, minor = pnrp.VERSION[self.profile]
        oid, key = pnrp.KEY_OID[self.profile], self.key
        signature_bytes = 64 if self.profile == pnrp.MODERN else 128
        flags = self.random.choice([pnrp.CLASSIFIER, pnrp.BINARY_AUTHORITY, pnrp.CLASSIFIER | pnrp.BINARY_AUTHORITY])
        fields = {}
        if self.random.random() < 0.5:
            flags |= pnrp.COMMENT | pnrp.UTF8
            fields["friendly_name"] = b"c" * self.random.choice([1, 39, 78])
        if revoke:
            flags |= pnrp.REVOKE
        elif self.random.random() < 0.7:
            fields["payload_count"] = 1
            fields["applications"] = [
                pnrp.Application(address=self.address(), port=self.random.randint(1, 65535),
                                 protocol=self.random.choice([6, 17])) for _ in range(self.random.randint(1, 10))]
            fields["total_bytes"] = 4 + 6 + 20 * len(fields["applications"])
        services = [pnrp.Endpoint(port=self.port(), address=self.address())
                    for _ in range(self.random.randint(0 if revoke else 1, 4))]
        cpa = pnrp.Cpa(
            length=0, minor=minor, major=major, flags=flags, not_after=(NOT_AFTER + EPOCHS_APART) * 10**7,
            location=self.bytes(16), nonce=bytes(16) if revoke else self.bytes(16), authority=self.bytes(20),
            classifier_hash=self.bytes(20), services=services, key=key, oid=oid, oid_length=len(oid),
            key_field_length=9 + len(oid) + len(key), signature=bytes(signature_bytes),
            signature_field_length=8 + signature_bytes,
            algorithm=0x8004 if self.profile == pnrp.WINDOWS else 0xed19, **fields)
        cpa.length = len(bytes(cpa))
        cpa.signature = self.sign(cpa.signed(bytes(cpa)))
        return bytes(cpa)

    def message(self, kind):
        pick = self.random
        elements = {
            pnrp.SOLICIT: lambda: [self.maybe(lambda: pnrp.SolicitControls(kind=pick.randint(0, 1))),
                                   self.maybe(self.entry), pnrp.HashedNonce(hash=self.bytes(20))],
            pnrp.ADVERTISE: lambda: [pnrp.Acked(message_id=pick.getrandbits(32)), self.ids(5),
                                     pnrp.HashedNonce(hash=self.bytes(20))],
            pnrp.REQUEST: lambda: [pnrp.Nonce(nonce=self.bytes(16)), self.ids(37)],
            pnrp.FLOOD: lambda: [pnrp.FloodControls(flags=pick.randint(0, 1)), pnrp.Validate(id=self.bytes(32)),
                                 self.maybe(lambda: pnrp.RevokeCpa(data=self.cpa(revoke=True))), self.maybe(self.entry),
                                 self.endpoints(0)],
            pnrp.INQUIRE: lambda: [pnrp.Flags(flags=pick.choice([0, 0x10, 0x18, 0x1c])),
                                   pnrp.Validate(id=self.bytes(32)),
                                   self.maybe(lambda: pnrp.Nonce(nonce=self.bytes(16)))],
            pnrp.ACK: lambda: [pnrp.Acked(message_id=pick.getrandbits(32)),
                               self.maybe(lambda: pnrp.Flags(flags=pick.randint(0, 1)))],
            pnrp.LOOKUP: lambda: [pnrp.LookupControls(flags=pick.choice([0, 2]), precision=pick.randint(0, 256),
                                                      criterion=pick.choice([0, 1, 2, 4, 8]),
                                                      reason=pick.randint(0, 3)),
                                  pnrp.Target(id=self.bytes(32)), pnrp.Validate(id=self.bytes(32)),
                                  self.maybe(self.entry), self.endpoints(1)],
        }[kind]()
        return pnrp.make(self.profile, kind, pick.getrandbits(32), *elements)


KINDS = [pnrp.SOLICIT, pnrp.ADVERTISE, pnrp.REQUEST, pnrp.FLOOD, pnrp.INQUIRE, pnrp.ACK, pnrp.LOOKUP]


def exchange(codec, profile, data):
    """Through the node's code and back: its fields are ours, and what it writes we read as the same."""
    ours = message_text(profile, pnrp.read(data))
    text, _, again = codec.ask(profile, "message", data).partition(" again=")
    assert text == ours
    assert message_text(profile, pnrp.read(bytes.fromhex(again))) == ours
    return bytes.fromhex(again)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", KINDS)
def test_random_messages(codec, profile, kind):
    maker = Maker(profile, kind)
    for _ in range(COUNT // 4):
        data = bytes(maker.message(kind))
        again = exchange(codec, profile, data)
        # An optional element that says nothing may be left out; everything else is the same bytes.
        assert again == data or kind in (pnrp.SOLICIT, pnrp.ACK)


@pytest.mark.parametrize("profile", PROFILES)
def test_answers_with_signed_records(codec, profile):
    maker = Maker(profile, 17)
    for _ in range(COUNT // 8):
        data = maker.cpa()
        classifier = pnrp.Classifier(entries=[ord(c) for c in "MyApplication"])
        buffer = pnrp.Buffer(elements=[element for element in [
            pnrp.Flags(flags=maker.random.choice([0, 1, 8, 0x200])), maker.maybe(lambda: classifier),
            maker.maybe(maker.entry), pnrp.ValidateCpa(data=data)] if element is not None])
        built = bytes(buffer)
        ours = answer_text(profile, pnrp.read_buffer(built), None)
        assert "verified=1" in ours
        text, _, again = codec.ask(profile, "answer", built).partition(" again=")
        assert text == ours
        assert bytes.fromhex(again) == built
        at = maker.random.randrange(len(data))
        broken = data[:at] + bytes([data[at] ^ 1 << maker.random.randrange(8)]) + data[at + 1:]
        assert "verified=1" not in codec.ask(profile, "answer", built.replace(data, broken))


def vectors(profile, what):
    block = re.search(rf"pnrp_{profile}_{what}\[\] = {{(.*?)\n}};", VECTORS.read_text(), re.S).group(1)
    for name, body in re.findall(r'\{"(\w+)",((?:\s*"[0-9a-f]*")+)\}', block):
        yield name, bytes.fromhex("".join(re.findall(r'"([0-9a-f]*)"', body)))


@pytest.mark.parametrize("profile", PROFILES)
def test_vectors(codec, profile):
    seen = set()
    for name, data in vectors(profile, "messages"):
        message = pnrp.read(data)
        exchange(codec, profile, data)
        seen.add(message.kind)
        if message.kind == pnrp.AUTHORITY:
            buffer = pnrp.read_buffer(message.slice)
            payload = codec.ask(profile, "answer", message.slice)
            assert not payload.startswith("refused"), name
            cpa = buffer.element(pnrp.ValidateCpa)
            if cpa is not None:
                assert cpa_text(profile, cpa, cpa.data) in payload
                assert "verified=1" in payload
    assert seen == {*KINDS, pnrp.AUTHORITY}


@pytest.mark.parametrize("profile", PROFILES)
def test_names(profile):
    """The P2P IDs of the reference, for its default encoding."""
    names = re.search(rf"pnrp_{profile}_names\[\] = {{(.*?)\n}};", VECTORS.read_text(), re.S).group(1)
    checked = 0
    for text, _, identifier in re.findall(r'\{"([^"]*)",\s*"([0-9a-f]*)",\s*"([0-9a-f]*)"\}', names):
        if text.isascii() and "\\" not in text:
            assert pnrp.p2p_id(profile, text).hex() == identifier, text
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize("profile", PROFILES)
def test_the_other_profile_and_cut_messages_are_refused(codec, profile):
    other = PROFILES[1 - PROFILES.index(profile)]
    maker = Maker(profile, 3)
    for kind in KINDS:
        data = bytes(maker.message(kind))
        assert codec.ask(other, "message", data).startswith("refused")
        for length in range(0, len(data) - 3, 7):
            assert codec.ask(profile, "message", data[:length]).startswith("refused"), (kind, length, data.hex())
