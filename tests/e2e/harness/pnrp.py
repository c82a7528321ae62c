"""PNRP as scapy reads and writes it: a second implementation, made from the protocol's description alone.

A message is a header and a list of elements; an element is a FieldID, a length without padding, data, and zeros up to
the next multiple of four. AUTHORITY ends in a slice of a buffer that is itself a list of elements.
"""
import hashlib
import struct

from scapy.fields import (ByteField, ConditionalField, FieldLenField, FieldListField, IP6Field, LEFieldLenField,
                          LEIntField, LELongField, LEShortField, PacketField, PacketListField, ShortField,
                          StrFixedLenField, StrLenField, XByteField, XIntField, XShortField)
from scapy.packet import Packet

MODERN, WINDOWS = "modern", "windows"
VERSION = {MODERN: (5, 0), WINDOWS: (4, 0)}
PORT = {MODERN: 3541, WINDOWS: 3540}
KEY_OID = {MODERN: b"1.3.101.112", WINDOWS: b"1.2.840.113549.1.1.1"}

SOLICIT, ADVERTISE, REQUEST, FLOOD, INQUIRE, AUTHORITY, ACK, LOOKUP = 1, 2, 3, 4, 7, 8, 9, 11
SLICE = 1188


def digest(profile, *parts, size=20):
    algorithm = hashlib.sha256 if profile == MODERN else hashlib.sha1
    return algorithm(b"".join(parts)).digest()[:size]


# --- elements ---------------------------------------------------------------------------------------------------------


class Endpoint(Packet):
    fields_desc = [ShortField("port", 3540), IP6Field("address", "::")]

    def extract_padding(self, rest):
        return b"", rest


class RouteEntry(Packet):
    fields_desc = [StrFixedLenField("id", bytes(32), 32), ByteField("major", 4), ByteField("minor", 0),
                   ShortField("port", 3540), ByteField("flags", 0),
                   FieldLenField("count", None, count_of="addresses", fmt="B"),
                   FieldListField("addresses", [], IP6Field("", "::"), count_from=lambda entry: entry.count)]

    def extract_padding(self, rest):
        return b"", rest


class Element(Packet):
    """Subclasses have a fixed field_id and the data's fields after "length"."""

    def post_build(self, built, payload):
        if self.length is None:
            built = built[:2] + struct.pack("!H", len(built)) + built[4:]
        # The end of a message has none; Message.post_build() cuts it off again where the tables show none.
        return built + bytes(-len(built) % 4) + payload

    def do_dissect(self, data):
        length = struct.unpack("!H", data[2:4])[0]
        rest = super().do_dissect(data[:length])
        if rest:
            raise ValueError(f"{self.name}: {len(rest)} bytes too many")
        return data[length + (-length % 4):]

    def extract_padding(self, rest):
        return b"", rest


def head(field_id):
    return [XShortField("field_id", field_id), ShortField("length", None)]


def array_head(field_id, entry_type, entry_bytes):
    return head(field_id) + [
        FieldLenField("count", None, count_of="entries"),
        FieldLenField("array_length", None, count_of="entries", adjust=lambda _, count: 8 + count * entry_bytes),
        XShortField("entry_type", entry_type), ShortField("entry_length", entry_bytes)]


class Acked(Element):
    fields_desc = head(0x0018) + [XIntField("message_id", 0)]


class Target(Element):
    fields_desc = head(0x0038) + [StrFixedLenField("id", bytes(32), 32)]


class Validate(Element):
    fields_desc = head(0x0039) + [StrFixedLenField("id", bytes(32), 32)]


class Flags(Element):
    fields_desc = head(0x0040) + [XShortField("flags", 0)]


class FloodControls(Element):
    fields_desc = head(0x0043) + [XShortField("flags", 0), ByteField("reserved", 0)]


class SolicitControls(Element):
    fields_desc = head(0x0044) + [ByteField("reserved", 0), ByteField("kind", 0)]


class LookupControls(Element):
    fields_desc = head(0x0045) + [XShortField("flags", 0), ShortField("precision", 0), ByteField("criterion", 0),
                                  ByteField("reason", 0), ShortField("reserved", 0)]


class ExtendedPayload(Element):
    fields_desc = head(0x005A) + [StrLenField("data", b"", length_from=lambda e: e.length - 4)]


class Ids(Element):
    fields_desc = array_head(0x0060, 0x0030, 32) + [
        FieldListField("entries", [], StrFixedLenField("", bytes(32), 32), count_from=lambda e: e.count)]


class CertChain(Element):
    fields_desc = head(0x0080) + [StrLenField("data", b"", length_from=lambda e: e.length - 4)]


class Classifier(Element):
    fields_desc = array_head(0x0085, 0x0084, 2) + [
        FieldListField("entries", [], ShortField("", 0), count_from=lambda e: e.count)]


class HashedNonce(Element):
    fields_desc = head(0x0092) + [StrFixedLenField("hash", bytes(20), 20)]


class Nonce(Element):
    fields_desc = head(0x0093) + [StrFixedLenField("nonce", bytes(16), 16)]


class SplitControls(Element):
    fields_desc = head(0x0098) + [ShortField("size", 0), ShortField("offset", 0)]


class RoutingEntry(Element):
    fields_desc = head(0x009A) + [PacketField("entry", RouteEntry(), RouteEntry)]


class ValidateCpa(Element):
    fields_desc = head(0x009B) + [StrLenField("data", b"", length_from=lambda e: e.length - 4)]


class RevokeCpa(Element):
    fields_desc = head(0x009C) + [StrLenField("data", b"", length_from=lambda e: e.length - 4)]


class Endpoints(Element):
    fields_desc = array_head(0x009E, 0x009D, 18) + [
        PacketListField("entries", [], Endpoint, count_from=lambda e: e.count)]


BY_ID = {kind().field_id: kind for kind in (
    Acked, Target, Validate, Flags, FloodControls, SolicitControls, LookupControls, ExtendedPayload, Ids, CertChain,
    Classifier, HashedNonce, Nonce, SplitControls, RoutingEntry, ValidateCpa, RevokeCpa, Endpoints)}

# Which elements a message has, in which order; "?" after an optional one.
GRAMMAR = {
    SOLICIT: "SolicitControls? RoutingEntry? HashedNonce",
    ADVERTISE: "Acked Ids HashedNonce",
    REQUEST: "Nonce Ids",
    FLOOD: "FloodControls Validate RevokeCpa? RoutingEntry? Endpoints",
    INQUIRE: "Flags Validate Nonce?",
    AUTHORITY: "Acked SplitControls",
    ACK: "Acked Flags?",
    LOOKUP: "LookupControls Target Validate RoutingEntry? Endpoints",
}
BUFFER_GRAMMAR = "Flags CertChain? Classifier? ExtendedPayload? RoutingEntry? ValidateCpa?"


def next_element(_packet, _before, current, rest):
    """Which element comes next; AUTHORITY's slice is none."""
    if len(rest) < 4 or isinstance(current, SplitControls):
        return None
    return BY_ID[struct.unpack("!H", rest[:2])[0]]


def check_grammar(elements, grammar):
    names = [type(element).__name__ for element in elements]
    for word in grammar.split():
        if names and names[0] == word.rstrip("?"):
            names.pop(0)
        elif not word.endswith("?"):
            raise ValueError(f"{word} is missing: {[type(e).__name__ for e in elements]}")
    if names:
        raise ValueError(f"{names[0]} is out of place")


class Elements:
    """Access to an element by its class."""

    def element(self, kind):
        return next((element for element in self.elements if isinstance(element, kind)), None)


class Message(Elements, Packet):
    name = "PNRP"
    fields_desc = [XShortField("field_id", 0x0010), ShortField("length", 12), XByteField("identifier", 0x51),
                   ByteField("major", 5), ByteField("minor", 0), ByteField("kind", ACK), XIntField("message_id", 0),
                   PacketListField("elements", [], next_cls_cb=next_element)]

    def post_build(self, built, payload):
        # An array, a CPA or an ACK's flags at the very end are not padded.
        last = self.elements[-1] if self.elements else None
        if isinstance(last, (Endpoints, Ids, Flags)) and not payload and self.kind in (FLOOD, LOOKUP, REQUEST, ACK):
            unpadded = last.length or len(bytes(last)) - padding_of(last)
            built = built[:len(built) - (-unpadded % 4)]
        return built + payload

    @property
    def slice(self):
        return bytes(self.payload)


def padding_of(element):
    built = bytes(element)
    return len(built) - struct.unpack("!H", built[2:4])[0]


class Buffer(Elements, Packet):
    """AUTHORITY_BUFFER."""
    fields_desc = [PacketListField("elements", [], next_cls_cb=next_element)]

    def post_build(self, built, payload):
        last = self.elements[-1]
        return built[:len(built) - padding_of(last)] if isinstance(last, ValidateCpa) else built


def read(data):
    message = Message(data)
    if (message.field_id, message.length, message.identifier) != (0x0010, 12, 0x51):
        raise ValueError("not PNRP")
    check_grammar(message.elements, GRAMMAR[message.kind])
    if message.payload and message.kind != AUTHORITY:
        raise ValueError(f"{len(message.payload)} bytes behind the last element")
    return message


def read_buffer(data):
    buffer = Buffer(data)
    check_grammar(buffer.elements, BUFFER_GRAMMAR)
    return buffer


def make(profile, kind, message_id, *elements):
    major, minor = VERSION[profile]
    return Message(major=major, minor=minor, kind=kind, message_id=message_id,
                   elements=[element for element in elements if element is not None])


def entry_of(profile, identifier, addresses, port=None):
    major, minor = VERSION[profile]
    return RoutingEntry(entry=RouteEntry(id=identifier, major=major, minor=minor, port=port or PORT[profile],
                                         addresses=list(addresses)))


# --- what a publisher signs: little-endian ----------------------------------------------------------------------------


class Application(Packet):
    fields_desc = [IP6Field("address", "::"), ShortField("port", 0), LEShortField("protocol", 6)]

    def extract_padding(self, rest):
        return b"", rest


def has(flag):
    return lambda cpa: bool(cpa.flags & flag)


EXTENDED, COMMENT, CLASSIFIER, BINARY_AUTHORITY, UTF8, REVOKE = 0x20, 0x10, 0x08, 0x04, 0x02, 0x01


class Cpa(Packet):
    """Byte strings whose least significant byte is first are as they lie there: reversed()."""
    fields_desc = [
        LEShortField("length", None), ByteField("cpa_minor", 0), ByteField("cpa_major", 2), ByteField("minor", 0),
        ByteField("major", 4), XByteField("flags", 0), ByteField("reserved", 0), LELongField("not_after", 0),
        StrFixedLenField("location", bytes(16), 16), StrFixedLenField("nonce", bytes(16), 16),
        ConditionalField(StrFixedLenField("authority", bytes(20), 20), has(BINARY_AUTHORITY)),
        ConditionalField(StrFixedLenField("classifier_hash", bytes(20), 20), has(CLASSIFIER)),
        ConditionalField(LEFieldLenField("friendly_length", None, length_of="friendly_name"), has(COMMENT)),
        ConditionalField(StrLenField("friendly_name", b"", length_from=lambda cpa: cpa.friendly_length), has(COMMENT)),
        LEFieldLenField("service_count", None, count_of="services"), LEShortField("service_length", 18),
        PacketListField("services", [], Endpoint, count_from=lambda cpa: cpa.service_count),
        LEShortField("payload_count", 0), LEShortField("total_bytes", 4),
        ConditionalField(LEIntField("payload_type", 1), lambda cpa: cpa.payload_count),
        ConditionalField(LEFieldLenField("data_length", None, count_of="applications", adjust=lambda _, n: 20 * n),
                         lambda cpa: cpa.payload_count),
        ConditionalField(PacketListField("applications", [], Application,
                                         count_from=lambda cpa: cpa.data_length // 20),
                         lambda cpa: cpa.payload_count),
        LEShortField("key_field_length", 0), LEShortField("oid_length", 0), LEShortField("key_reserved", 0),
        LEFieldLenField("key_length", None, length_of="key"), ByteField("key_unused", 0),
        StrLenField("oid", b"", length_from=lambda cpa: cpa.oid_length),
        StrLenField("key", b"", length_from=lambda cpa: cpa.key_length),
        LEShortField("signature_field_length", 0), LEFieldLenField("signature_length", None, length_of="signature"),
        LEIntField("algorithm", 0), StrLenField("signature", b"", length_from=lambda cpa: cpa.signature_length)]

    def extract_padding(self, rest):
        return b"", rest

    def signed(self, data):
        """The signed part of the bytes that this was read from."""
        return data[:self.length - self.signature_field_length]

    def identifier(self, profile):
        """The PNRP ID that it certifies."""
        authority = self.authority[::-1] if self.flags & BINARY_AUTHORITY else bytes(20)
        classifier = self.classifier_hash if self.flags & CLASSIFIER else digest(profile)
        return digest(profile, classifier, authority, classifier, b"PNRP", size=16) + self.location[::-1]


def signature_is_right(profile, key, signature, data):
    """By a library that bypeer does not use for it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
    try:
        if profile == MODERN:
            ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
        else:
            modulus_length = key[5]
            modulus = int.from_bytes(key[6:6 + modulus_length], "big")
            exponent = int.from_bytes(key[-3:], "big")
            public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            assert public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1) == key
            public.verify(signature, data, padding.PKCS1v15(), hashes.SHA1())
    except InvalidSignature:
        return False
    return True


# --- names ------------------------------------------------------------------------------------------------------------


def p2p_id(profile, name):
    """Of AUTHORITY.CLASSIFIER."""
    authority, _, classifier = name.partition(".")
    of_classifier = digest(profile, classifier.encode("utf-16-le"))
    of_authority = bytes(20) if authority == "0" else bytes.fromhex(authority)
    return digest(profile, of_classifier, of_authority, of_classifier, b"PNRP", size=16)
