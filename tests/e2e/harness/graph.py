"""Graphing's messages and records as scapy reads and writes them: a second implementation, made from the protocol's
description alone.

A message is eight bytes of header, fields whose places are fixed, and what the offsets among them point to. Frames cut
messages into pieces; a record is a sequence of fields without offsets.
"""
import hashlib
import struct
import uuid

from scapy.fields import (ByteField, FieldLenField, IntField, IP6Field, LongField, ShortField, StrFixedLenField,
                          StrLenField, XByteField, XLongField, XShortField)
from scapy.packet import Packet

MODERN, WINDOWS = "modern", "windows"
VERSION = {MODERN: 0x20, WINDOWS: 0x10}
PROTOCOL = {MODERN: 0x0200, WINDOWS: 0x0100}
PORT = 3587

(AUTH_INFO, CONNECT, WELCOME, REFUSE, DISCONNECT, SOLICIT_NEW, SOLICIT_TIME, SOLICIT_HASH, ADVERTISE, REQUEST, FLOOD,
 SYNC_END, PT2PT, ACK) = range(1, 15)
NEIGHBOR, DIRECT = 1, 2
UPDATE, DIRECT_FLAG, NEEDS = 8, 4, 1
GRAPH_INFO, SIGNATURE, CONTACT, PRESENCE = (uuid.UUID(int=n << 104) for n in (1, 2, 3, 4))
PING = uuid.UUID("0ccbb0d2-be41-4bd6-914b-058ec5dcce64")


def digest(profile, data):
    return hashlib.md5(data).digest() if profile == WINDOWS else hashlib.sha256(data).digest()[:16]


def fold(data):
    return bytes(a ^ b for a, b in zip(data[:8], data[8:]))


def record_id(profile, creator, random):
    """The high half is bound to the creator, the low half is random."""
    return uuid.UUID(bytes=fold(digest(profile, (creator + "\0").encode("utf-16-le"))) + fold(random))


# --- entries of arrays ------------------------------------------------------------------------------------------------


class Entry(Packet):
    def extract_padding(self, rest):
        return b"", rest


def guid(name):
    return StrFixedLenField(name, bytes(16), 16)


class Address(Entry):
    fields_desc = [XShortField("family", 0x17), ShortField("port", PORT), IP6Field("address", "::")]


class RecordAddress(Entry):
    """PEER_ADDRESS, within records."""
    fields_desc = [IntField("length", 32), XShortField("family", 0x17), ShortField("port", PORT), IntField("flow", 0),
                   IP6Field("address", "::"), IntField("zero", 0)]


class Abstract(Entry):
    fields_desc = [guid("id"), IntField("version", 1)]


class HashInfo(Entry):
    fields_desc = [guid("hash"), LongField("modified", 0), guid("id")]


class Boundary(Entry):
    fields_desc = [LongField("low", 0), guid("low_id"), LongField("high", 0), guid("high_id"), IntField("count", 0)]


class AckEntry(Entry):
    fields_desc = [guid("id"), IntField("flags", 0)]


# --- messages ---------------------------------------------------------------------------------------------------------

HEADER = [IntField("size", 0), XByteField("version", 0x20), ByteField("kind", 0), ShortField("reserved", 0)]


class Header(Packet):
    fields_desc = HEADER


class AuthInfo(Packet):
    fields_desc = HEADER + [ByteField("link", NEIGHBOR), ByteField("zero", 0), ShortField("graph_at", 0),
                            ShortField("source_at", 0), ShortField("destination_at", 0)]


class Connect(Packet):
    fields_desc = HEADER + [XByteField("flags", 0), ByteField("count", 0), ShortField("addresses_at", 0),
                            ShortField("name_at", 0), ShortField("zero", 0), XLongField("node_id", 0)]


class Welcome(Packet):
    fields_desc = HEADER + [XLongField("node_id", 0), LongField("peer_time", 0), ByteField("count", 0),
                            ByteField("zero", 0), ShortField("addresses_at", 0), ShortField("peer_at", 0),
                            ShortField("name_at", 0)]


class End(Packet):
    """REFUSE and DISCONNECT."""
    fields_desc = HEADER + [ByteField("code", 1), ByteField("count", 0), ShortField("addresses_at", 0)]


class Solicit(Packet):
    fields_desc = HEADER + [ByteField("included", 0), ByteField("excluded", 0), ShortField("types_at", 0)]


class SolicitTime(Packet):
    fields_desc = Solicit.fields_desc + [LongField("modified", 0)]


class SolicitHash(Packet):
    fields_desc = Solicit.fields_desc + [IntField("hashes", 0), ShortField("hashes_at", 0), ShortField("zero", 0)]


class Advertise(Packet):
    fields_desc = HEADER + [IntField("boundaries", 0), IntField("abstracts", 0), ShortField("boundaries_at", 0),
                            ShortField("zero", 0), IntField("abstracts_at", 0)]


class Request(Packet):
    fields_desc = HEADER + [IntField("abstracts", 0), IntField("abstracts_at", 0)]


class Flood(Packet):
    fields_desc = HEADER + [ShortField("record_at", 12), ShortField("zero", 0)]


class SyncEnd(Packet):
    fields_desc = HEADER + [XByteField("flags", 1), ByteField("zero", 0), ShortField("zero2", 0)]


class Pt2Pt(Packet):
    fields_desc = HEADER + [ShortField("data_at", 28), ShortField("zero", 0), guid("type")]


class Ack(Packet):
    fields_desc = HEADER + [ShortField("count", 0), ShortField("entries_at", 12)]


KINDS = {AUTH_INFO: AuthInfo, CONNECT: Connect, WELCOME: Welcome, REFUSE: End, DISCONNECT: End, SOLICIT_NEW: Solicit,
         SOLICIT_TIME: SolicitTime, SOLICIT_HASH: SolicitHash, ADVERTISE: Advertise, REQUEST: Request, FLOOD: Flood,
         SYNC_END: SyncEnd, PT2PT: Pt2Pt, ACK: Ack}


def make(profile, kind, parts=(), **fields):
    """The bytes of a message. Parts are (name of the offset's field, bytes), in order; None: without an offset."""
    message = KINDS[kind](version=VERSION[profile], kind=kind, **fields)
    tail = b""
    for offset, data in parts:
        if offset:
            setattr(message, offset, len(message) + len(tail))
        tail += data
    message.size = len(message) + len(tail)
    return bytes(message) + tail


def entries(packets):
    return b"".join(bytes(packet) for packet in packets)


def auth_info(profile, link, graph, source, destination=""):
    return make(profile, AUTH_INFO, [("graph_at", graph.encode()), ("source_at", source.encode()),
                                     ("destination_at", destination.encode())], link=link)


def connect(profile, flags, node_id, addresses=(), name=""):
    return make(profile, CONNECT, [("addresses_at", entries(addresses)), ("name_at", name.encode())], flags=flags,
                count=len(addresses), node_id=node_id)


def welcome(profile, node_id, peer_time, peer, addresses=(), name=""):
    return make(profile, WELCOME, [("addresses_at" if addresses else None, entries(addresses)),
                                   ("peer_at", peer.encode()), ("name_at", name.encode())],
                node_id=node_id, peer_time=peer_time, count=len(addresses))


def end(profile, kind, code, addresses=()):
    offset = "addresses_at" if addresses or kind == DISCONNECT else None
    return make(profile, kind, [(offset, entries(addresses))], code=code, count=len(addresses))


def solicit(profile, kind, included=(), excluded=(), hashes=(), **fields):
    parts = [("types_at", b"".join(guid.bytes for guid in (*included, *excluded)))]
    if kind == SOLICIT_HASH:
        parts.append(("hashes_at", entries(hashes)))
        fields["hashes"] = len(hashes)
    return make(profile, kind, parts, included=len(included), excluded=len(excluded), **fields)


def advertise(profile, boundaries, abstracts):
    return make(profile, ADVERTISE, [("boundaries_at", entries(boundaries)), ("abstracts_at", entries(abstracts))],
                boundaries=len(boundaries), abstracts=len(abstracts))


def request(profile, abstracts):
    return make(profile, REQUEST, [("abstracts_at", entries(abstracts) or bytes(4))], abstracts=len(abstracts))


def flood(profile, record):
    return make(profile, FLOOD, [("record_at", record)])


def sync_end(profile, final=True):
    return make(profile, SYNC_END, flags=int(final))


def pt2pt(profile, kind, data=b""):
    return make(profile, PT2PT, [("data_at", data)], type=kind.bytes)


def ack(profile, acks):
    return make(profile, ACK, [("entries_at", entries(acks))], count=len(acks))


def read(data):
    return KINDS[Header(data[:8]).kind](data)


# --- frames -----------------------------------------------------------------------------------------------------------


def frames(unit, largest=16348):
    return b"".join(struct.pack("!H", len(piece)) + piece
                    for piece in (unit[at:at + largest] for at in range(0, len(unit), largest)))


# --- records ----------------------------------------------------------------------------------------------------------


def units(text):
    return b"" if text is None else (text + "\0").encode("utf-16-le")


def unit_text(data):
    return data.decode("utf-16-le")[:-1] if data else None


def counted_text(name):
    """A text and the count of its units before it."""
    return [FieldLenField(name + "_units", None, length_of=name, fmt="I", adjust=lambda _, length: length // 2),
            StrLenField(name, b"", length_from=lambda packet: 2 * packet.getfieldval(name + "_units"))]


def counted_bytes(name):
    return [FieldLenField(name + "_bytes", None, length_of=name, fmt="I"),
            StrLenField(name, b"", length_from=lambda packet: packet.getfieldval(name + "_bytes"))]


class Record(Entry):
    fields_desc = [guid("type"), guid("id"), IntField("version", 1), IntField("flags", 0), *counted_text("creator"),
                   *counted_text("modifier"), *counted_bytes("security"), LongField("created", 0),
                   LongField("expires", 0), LongField("modified", 0), *counted_text("graph"),
                   XShortField("protocol", 0x200), *counted_bytes("content"), *counted_text("attributes")]


class Info(Entry):
    fields_desc = [IntField("size", 0), IntField("flags", 0), IntField("scope", 1), *counted_text("graph"),
                   *counted_text("creator"), *counted_text("name"), *counted_text("comment"), IntField("presence_s", 0),
                   IntField("presence_max", 0xFFFFFFFF), IntField("record_max", 0)]

    def post_build(self, built, payload):
        return struct.pack("!I", len(built)) + built[4:] + payload


class Contact(Entry):
    fields_desc = [XLongField("signature", 0), XLongField("node_id", 0), IntField("count", 0)]


class Presence(Entry):
    fields_desc = [XLongField("node_id", 0), *counted_text("attributes"), IntField("count", 0)]
