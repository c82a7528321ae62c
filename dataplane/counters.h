/*
 * Every counter of a worker: its name, its side of the packet sum, and one line for people.
 *
 * A counter is one 64-bit word in the worker's own lines of the status region, written by that thread alone. To add a
 * drop reason, add a DROP line here: the enum, `bypeer counters`, telemetry and the packet sum follow from this list.
 */
#pragma once

#include "overlay/tables/layout.h"

/* clang-format off */
#define BYPEER_COUNTERS(NODE, SIDE, DROP) \
    NODE(RECEIVE,      "node.receive",       "packets through receive") \
    NODE(CLASSIFY,     "node.classify",      "packets through classify") \
    NODE(FABRIC_DECAP, "node.fabric_decap",  "packets through fabric_decap") \
    NODE(LOOKUP,       "node.overlay_lookup","packets through overlay_lookup") \
    NODE(POLICY,       "node.policy",        "packets through policy") \
    NODE(MULTICAST,    "node.multicast",     "packets through multicast") \
    NODE(FABRIC_ENCAP, "node.fabric_encap",  "packets through fabric_encap") \
    NODE(PNRP,         "node.pnrp",          "packets through pnrp") \
    NODE(RELAY,           "node.relay",           "packets through relay") \
    NODE(RELAY_ICMP,      "node.relay_icmp",      "packets through relay_icmp") \
    NODE(RELAY_NEIGHBOUR, "node.relay_neighbour", "packets through relay_neighbour") \
    NODE(WIREGUARD_OPEN,      "node.wireguard_open",      "packets through wireguard_open") \
    NODE(WIREGUARD_HANDSHAKE, "node.wireguard_handshake", "packets through wireguard_handshake") \
    NODE(WIREGUARD_SEAL,      "node.wireguard_seal",      "packets through wireguard_seal") \
    NODE(TRANSMIT,     "node.transmit",      "packets through transmit") \
    NODE(PUNT,         "node.punt",          "packets through punt") \
    NODE(INJECT,       "node.inject",        "packets through inject") \
    NODE(ICMP_ERROR,   "node.icmp_error",    "packets through icmp_error") \
    NODE(CONSUME,      "node.consume",       "packets through consume") \
    NODE(DROP,         "node.drop",          "packets through drop") \
    SIDE(RECEIVED,  RECEIVED,  "packets.received",  "frames read from ports") \
    SIDE(INJECTED,  INJECTED,  "packets.injected",  "packets read from the TAP and TUN devices") \
    SIDE(GENERATED, GENERATED, "packets.generated", "ICMPv6 errors and keepalives made here") \
    SIDE(COPIED,    COPIED,    "packets.copied",    "further copies of a packet") \
    SIDE(SENT,      SENT,      "packets.sent",      "frames that a port accepted") \
    SIDE(PUNTED,    PUNTED,    "packets.punted",    "packets that the kernel took from us") \
    SIDE(CONSUMED,  CONSUMED,  "packets.consumed",  "packets that ended here by design") \
    SIDE(ICMP_SUPPRESSED, OTHER, "icmp.suppressed", "errors not sent: rate limit, or not allowed by RFC 4443 2.4") \
    SIDE(PNRP_LOOKUPS,  OTHER, "pnrp.lookups",  "LOOKUPs answered here") \
    SIDE(PNRP_NAMED,    OTHER, "pnrp.named",    "of them, those that were told of an ID") \
    SIDE(PNRP_INQUIRES, OTHER, "pnrp.inquires", "INQUIREs without flags answered here") \
    SIDE(PNRP_ACKS,     OTHER, "pnrp.acks",     "FLOODs acknowledged here") \
    SIDE(PNRP_PROBES,   OTHER, "pnrp.probes",   "INQUIREs answered by a probe of their source") \
    SIDE(PNRP_VERIFIED, OTHER, "pnrp.verified", "answers that prove their source's address") \
    SIDE(PNRP_BUSY,     OTHER, "pnrp.busy",     "INQUIREs answered with B (busy)") \
    SIDE(PNRP_LEARNED,  OTHER, "pnrp.learned",  "LOOKUPs handed to control for an entry that is not known") \
    SIDE(PNRP_PUNTED,   OTHER, "pnrp.punted",   "PNRP messages handed to control") \
    SIDE(RELAY_CLAIMS, OTHER, "relay.claims", "places that claim to be a member's, not confirmed yet") \
    SIDE(RELAY_ECHOES, OTHER, "relay.echoes", "places that sent an index back, which confirms them") \
    SIDE(RELAY_MOVES,  OTHER, "relay.moves",  "members who went on under their index from elsewhere") \
    SIDE(RELAY_DENIED, OTHER, "relay.denied", "such places that refused what was sent there") \
    SIDE(RELAY_ERRORS, OTHER, "relay.errors", "ICMPv6 errors turned into errors about a member's packet") \
    SIDE(WIREGUARD_HANDSHAKES, OTHER, "wireguard.handshakes", "handshake messages handed to control") \
    SIDE(WIREGUARD_COOKIES,    OTHER, "wireguard.cookies",    "handshake messages answered by a cookie") \
    SIDE(WIREGUARD_MOVES,      OTHER, "wireguard.moves",      "packets by which a peer was found at another address or port") \
    SIDE(MULTICAST_PACKETS, OTHER, "multicast.packets", "multicast packets that went to their group") \
    SIDE(MULTICAST_UNMADE,  OTHER, "multicast.unmade",  "members of their groups without a copy: packet memory exhausted") \
    DROP(RUNT,             "runt",             "frame too short for its headers") \
    DROP(MULTI_SEGMENT,    "multi_segment",    "frame in more than one buffer") \
    DROP(LENGTH,           "length",           "IP or UDP length exceeds the data") \
    DROP(OUTER_CHECKSUM,   "outer_checksum",   "outer IPv4 header or UDP checksum is wrong") \
    DROP(GPE_HEADER,       "gpe_header",       "VXLAN-GPE flags, version or next protocol not ours") \
    DROP(FABRIC_PEER,      "fabric_peer",      "outer source and VNI are no listed link") \
    DROP(INNER_HEADER,     "inner_header",     "inner packet is no valid IPv6 packet") \
    DROP(INNER_SOURCE,     "inner_source",     "inner source is not routed through the link that it came by") \
    DROP(INNER_SCOPE,      "inner_scope",      "inner address is link-local, loopback, unspecified, or multicast of no wide scope") \
    DROP(PNRP_SOURCE,      "pnrp_source",      "PNRP from a UDP port up to 1024, or from no address that can be answered") \
    DROP(PNRP_PROFILE,     "pnrp_profile",     "PNRP of another version than the cloud's profile") \
    DROP(PNRP_MALFORMED,   "pnrp_malformed",   "PNRP that is not as specified") \
    DROP(PNRP_METER,       "pnrp_meter",       "INQUIRE beyond what its source may make this node spend") \
    DROP(RELAY_UNKNOWN,    "relay_unknown",    "relay address that nobody was given") \
    DROP(RELAY_MESSAGE,    "relay_message",    "no WireGuard message, or not to the relay's port") \
    DROP(RELAY_SOURCE,     "relay_source",     "from where no member can be, or a fragment from where none is confirmed") \
    DROP(RELAY_NOBODY,     "relay_nobody",     "the other member was not heard yet") \
    DROP(RELAY_CREDIT,     "relay_credit",     "more than 3 bytes a byte to a member who is not confirmed there") \
    DROP(RELAY_ICMP,       "relay_icmp",       "no ICMPv6 error about what was relayed") \
    DROP(WIREGUARD_MALFORMED, "wireguard_malformed", "no WireGuard message: type or length") \
    DROP(WIREGUARD_SESSION, "wireguard_session", "no session has this receiver index, or it has ended") \
    DROP(WIREGUARD_REPLAY, "wireguard_replay", "counter was received before, or is too old") \
    DROP(WIREGUARD_TAG,    "wireguard_tag",    "not authentic: the tag is wrong") \
    DROP(WIREGUARD_SOURCE, "wireguard_source", "handshake message from no address that can be answered") \
    DROP(WIREGUARD_MAC,    "wireguard_mac",    "handshake message of somebody who does not know our public key") \
    DROP(WIREGUARD_RATE,   "wireguard_rate",   "handshake messages beyond what their source may make this node spend") \
    DROP(NO_TABLES,        "no_tables",        "control has handed over no tables yet") \
    DROP(NO_ROUTE,         "no_route",         "no destination or prefix for the inner destination") \
    DROP(POLICY,           "policy",           "source and destination are in different groups") \
    DROP(POLICY_RULE,      "policy_rule",      "a rule of the group refuses it, or none allows it") \
    DROP(MULTICAST_GROUP,  "multicast_group",  "multicast in a group that has none") \
    DROP(MULTICAST_RATE,   "multicast_rate",   "multicast beyond the rate of its sender, or of this node") \
    DROP(QUOTA,            "quota",            "the member's quota is used up") \
    DROP(RATE,             "rate",             "beyond the member's rate") \
    DROP(SHARE,            "share",            "beyond the member's fair share of its group's rate") \
    DROP(NO_LINK,          "no_link",          "the destination's link does not exist") \
    DROP(NO_SESSION,       "no_session",       "no WireGuard session with the destination's peer; a handshake was asked for") \
    DROP(NO_ENDPOINT,      "no_endpoint",      "address of the destination's peer is not known") \
    DROP(NO_ADJACENCY,     "no_adjacency",     "next hop of the link is not resolved") \
    DROP(HOP_LIMIT,        "hop_limit",        "hop limit was used up") \
    DROP(TOO_BIG,          "too_big",          "packet exceeds the MTU of the link, or of the port") \
    DROP(ECN,              "ecn",              "congestion mark on a packet that is not ECN-capable (RFC 6040)") \
    DROP(NO_BUFFER,        "no_buffer",        "packet memory exhausted") \
    DROP(TRANSMIT_FULL,    "transmit_full",    "port did not accept the frame") \
    DROP(NO_PORT,          "no_port",          "port of the adjacency does not exist") \
    DROP(PUNT_FULL,        "punt_full",        "ring to the host thread was full") \
    DROP(INJECT_FULL,      "inject_full",      "ring from the host thread was full") \
    DROP(TAP_DOWN,         "tap_down",         "TAP or TUN device is missing or refused the packet") \
    DROP(SHUTDOWN,         "shutdown",         "was in flight when the node stopped")
/* clang-format on */

enum bypeer_counter {
#define NODE(id, name, text)      BYPEER_COUNT_NODE_##id,
#define SIDE(id, cls, name, text) BYPEER_COUNT_##id,
#define DROP(id, name, text)      BYPEER_DROP_##id,
    BYPEER_COUNTERS(NODE, SIDE, DROP)
#undef NODE
#undef SIDE
#undef DROP
        BYPEER_COUNTERS_USED,
};
_Static_assert(BYPEER_COUNTERS_USED <= BYPEER_COUNTERS_MAX, "the status region has room for every counter");

/* BYPEER_COUNTERS_USED entries, in enum order; drop names begin with "drop.". */
extern const struct bypeer_counter_name bypeer_counter_names[BYPEER_COUNTERS_USED];
