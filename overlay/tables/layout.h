/*
 * The shared memory of the two processes: what lies where, as a format.
 *
 * Three kinds of region, each a sealed memfd (memory.h), each one-way (ARCHITECTURE.md, "Regions"):
 *
 *   tables    written by control, mapped read-only by the data plane: who is reachable, and how
 *   status    written by the data plane, read by control as hints: grace tokens, worker states, counters
 *   sessions  written by the data plane, outlives it: what changes per packet (counts, nonces, replay windows, where
 *             peers are)
 *
 * A region begins with a bypeer_region_header, then its own header, then sections: arrays of equal entries, each on a
 * cache line of its own. Nothing in a region is a pointer. References are indexes into sections, and a reader bounds
 * every index by the count that it copied and checked when it attached (tables.h), so a wrong writer can cause a wrong
 * forward but never an access outside the region. Entry 0 of a section of records is never used: it is all zero, and
 * index 0 means "none".
 *
 * All integers are in host byte order but for those in header templates, which are as on the wire.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "overlay/meter/share.h"
#include "overlay/relay/state.h"
#include "overlay/wireguard/activity.h"
#include "overlay/wireguard/seen.h"
#include "overlay/wireguard/session.h"
#include "overlay/wireguard/window.h"

#define BYPEER_CACHE_LINE 64

/* The layout that this release writes, and the oldest that it still reads: always the one before it too, so that an
 * upgrade is one restart after the other. */
#ifdef BYPEER_NEXT_LAYOUT
#define BYPEER_LAYOUT_NEWEST 2u
#else
#define BYPEER_LAYOUT_NEWEST 1u
#endif
#define BYPEER_LAYOUT_OLDEST 1u

#define BYPEER_REGION_MAGIC UINT64_C(0x3152656570796221) /* "!bypeeR1" in memory */

enum bypeer_region_kind {
    BYPEER_REGION_TABLES = 1,
    BYPEER_REGION_STATUS = 2,
    BYPEER_REGION_SESSIONS = 3,
};

/* First bytes of every region. */
struct bypeer_region_header {
    uint64_t magic;       /* BYPEER_REGION_MAGIC */
    uint32_t kind;        /* enum bypeer_region_kind */
    uint32_t layout;      /* layout version of the whole region; of status and sessions always 1 (region.h) */
    uint64_t layout_hash; /* of the sizes and offsets that this layout version has, bypeer_layout_hash() */
    uint64_t bytes;       /* size of the whole region */
    uint64_t generation;  /* which table set this is; never 0, never the same twice on one node */
    uint64_t published;   /* equals generation once all below is filled in; stored last, with release */
    uint64_t created_ns;  /* CLOCK_REALTIME of the maker, for people */
    uint64_t reserved;
};
_Static_assert(sizeof(struct bypeer_region_header) == BYPEER_CACHE_LINE, "one line");

/* One array within a region. offset and entry_bytes are multiples of 4, offset of BYPEER_CACHE_LINE. */
struct bypeer_section {
    uint64_t offset; /* from the start of the region */
    uint64_t count;  /* entries */
    uint32_t entry_bytes;
    uint32_t reserved;
};
_Static_assert(sizeof(struct bypeer_section) == 24, "as documented");

/* --- tables ------------------------------------------------------------------------------------------------------ */

enum bypeer_tables_section {
    BYPEER_DESTINATION_BUCKETS, /* struct bypeer_bucket: overlay address -> slot of a destination */
    BYPEER_DESTINATION_STASH,   /* uint32_t: slots of destinations that found no room in their two buckets */
    BYPEER_DESTINATIONS,        /* struct bypeer_destination */
    BYPEER_INGRESS_BUCKETS,     /* struct bypeer_bucket: (peer, VNI) or an endpoint -> slot of an ingress record */
    BYPEER_INGRESS_STASH,
    BYPEER_INGRESSES,          /* struct bypeer_destination whose key is bypeer_ingress_key() */
    BYPEER_LINK_INDEX,         /* uint32_t: link id -> slot of its present record */
    BYPEER_LINKS,              /* struct bypeer_link */
    BYPEER_ADJACENCY_INDEX,    /* uint32_t: adjacency id -> slot */
    BYPEER_ADJACENCIES,        /* struct bypeer_adjacency */
    BYPEER_GROUP_INDEX,        /* uint32_t: group id -> slot */
    BYPEER_GROUPS,             /* struct bypeer_group */
    BYPEER_GROUP_PARTS,        /* struct bypeer_group_part: rules and multicast lists of groups */
    BYPEER_PREFIX_NODES,       /* struct bypeer_prefix_node: a static search tree, rebuilt and swapped (prefixes.h) */
    BYPEER_PREFIX_VALUES,      /* uint32_t: interval -> slot of a prefix route */
    BYPEER_PREFIX_ROUTES,      /* struct bypeer_destination whose key is the prefix, .prefix_bits its length */
    BYPEER_CLOUD_INDEX,        /* uint32_t: cloud number -> slot */
    BYPEER_CLOUDS,             /* struct bypeer_cloud_record */
    BYPEER_NAME_PARTS,         /* struct bypeer_name_part: this and the others of names: names.h */
    BYPEER_NAME_RECORDS,       /* struct bypeer_name_record */
    BYPEER_NAME_NODES,         /* struct bypeer_name_node */
    BYPEER_NAME_RUNS,          /* struct bypeer_name_run */
    BYPEER_NAME_EXTRAS,        /* struct bypeer_name_extra; entry 0 is none */
    BYPEER_NAME_OWNS,          /* struct bypeer_name_own */
    BYPEER_WIREGUARD_SESSIONS, /* struct bypeer_wireguard_session, by slot; slot 0 is none */
    BYPEER_WIREGUARD_CONFIG,   /* struct bypeer_wireguard_config: one, all zero if there is no WireGuard here */
    BYPEER_RELAYS,             /* struct bypeer_relay_record, by number of the pair; 0 is none */
    BYPEER_RELAY_PORTS,        /* uint32_t: UDP port of the IPv4 variant -> end; as many as there are ports, or none */
    BYPEER_LINK_LIMIT_INDEX,   /* uint32_t: link id -> slot */
    BYPEER_LINK_LIMITS,        /* struct bypeer_limit */
    BYPEER_GROUP_LIMIT_INDEX,  /* uint32_t: group id -> slot */
    BYPEER_GROUP_LIMITS,       /* struct bypeer_limit */
    BYPEER_TABLES_SECTIONS,
};

/* Relay addresses of this node, outer addresses all of them. Whatever is sent to the prefix is the relay's. */
struct bypeer_relay_prefix {
    uint8_t prefix[16];           /* network byte order, zero beyond .bits */
    uint8_t bits;                 /* 0: this node relays nothing */
    uint8_t flags;                /* BYPEER_RELAY_* */
    uint16_t port;                /* of all relay addresses, host order */
    uint16_t port_low, port_high; /* of the IPv4 port variant, both in it; 0: none */
    uint64_t secret;              /* under which an address tells its end: overlay/relay/address.h */
};
#define BYPEER_RELAY_ON_LINK 1u /* nobody routes the prefix to us: answer neighbour solicitations for it */
_Static_assert(sizeof(struct bypeer_relay_prefix) == 32, "half a line");

struct bypeer_tables_header {
    struct bypeer_region_header region;
    /* Line 1: what every reader needs and nobody changes. */
    uint64_t hash_seed; /* XXH3 seed of all exact-match tables, random per generation */
    struct bypeer_relay_prefix relay_prefix;
    uint64_t reserved1[3];
    /* Line 2: written by control while readers run. */
    uint64_t grace_request; /* newest grace period asked for: grace.h */
    uint64_t prefix_root;   /* which tree prefix lookups use, packed: prefixes.h */
    uint64_t names_root;    /* which records the nearest-ID index consists of, packed: names.h */
    uint64_t limits;        /* how many links and groups have one: while it is 0, workers look up none */
    uint64_t
        judged; /* groups with rules and trunks: while it is 0, workers note neither roles nor the group of a source */
    uint64_t reserved2[3];
    struct bypeer_section sections[BYPEER_TABLES_SECTIONS];
    uint8_t reserved3[64];
};
_Static_assert(offsetof(struct bypeer_tables_header, hash_seed) == 64, "line 1");
_Static_assert(offsetof(struct bypeer_tables_header, grace_request) == 128, "line 2");
_Static_assert(sizeof(struct bypeer_tables_header) % BYPEER_CACHE_LINE == 0, "sections start on a line");

/*
 * One bucket of an exact-match table, one cache line: ten tags, ten slots. exact.h has the essay.
 *
 *   0        20       22        24                              64
 *   | 10 tags | flags | version | 10 slots                       |
 */
#define BYPEER_BUCKET_WAYS 10
struct bypeer_bucket {
    uint16_t tags[BYPEER_BUCKET_WAYS]; /* 0: empty */
    uint16_t flags;                    /* BYPEER_BUCKET_STASHED */
    uint16_t version;                  /* counts changes, for people and tests */
    uint32_t slots[BYPEER_BUCKET_WAYS];
};
#define BYPEER_BUCKET_STASHED 1u /* a key of this bucket is in the stash: a miss here must look there */
_Static_assert(sizeof(struct bypeer_bucket) == BYPEER_CACHE_LINE, "one line");
_Static_assert(offsetof(struct bypeer_bucket, slots) == 24, "as drawn");

/*
 * Where an overlay address, an outer peer or a prefix leads: one cache line, immutable from publication until its
 * grace period has passed.
 */
struct bypeer_destination {
    uint8_t key[16];      /* overlay address, ingress key or prefix; network byte order */
    uint32_t link;        /* link id */
    uint32_t group;       /* group id: policy compares it with the ingress link's */
    uint32_t flags;       /* BYPEER_DESTINATION_* */
    uint32_t prefix_bits; /* of a prefix route: 0 to 128; else 128 */
    uint64_t serial;      /* of the durable record that this was made from */
#ifdef BYPEER_NEXT_LAYOUT
    uint64_t expires_s; /* from layout 2 on: CLOCK_REALTIME, seconds; 0: never */
#else
    uint64_t reserved0;
#endif
    uint32_t others[4]; /* of a member: more links that its packets may come by; 0: none */
};
#define BYPEER_DESTINATION_LOCAL     1u /* this node itself: deliver to the overlay TUN */
#define BYPEER_DESTINATION_CLOUD     2u /* of an ingress record: a PNRP cloud's endpoint, .link is the cloud's number */
#define BYPEER_DESTINATION_WIREGUARD 4u /* of an ingress record: an own address and port of WireGuard */
/* Of a member, what it is in its group: eight bits, for the group's rules. */
#define BYPEER_DESTINATION_ROLES_SHIFT 16
#define BYPEER_DESTINATION_ROLES       UINT32_C(0x00ff0000)
_Static_assert(sizeof(struct bypeer_destination) == BYPEER_CACHE_LINE, "one line");

/*
 * Two members who reach each other through this node's relay: one cache line, found by the number of the pair. Each
 * side, 0 and 1, is an end, whose number is 2 * that of the pair + side; the sessions region says under it where the
 * member is (bypeer_relay_state). What comes to one end's key, which only its member was told, goes on to the other
 * member, from the other end's key, which only that one was told.
 *
 * .is_there is stored last and is all that is cleared: who has found a pair has it whole to the end of his burst. A
 * number becomes another pair's only after a grace period.
 */
struct bypeer_relay_record {
    uint64_t serial;     /* of the durable pair */
    uint8_t keys[2][16]; /* relay addresses, or keys of ports (overlay/relay/packet.h); network byte order */
    uint32_t links[2];   /* over IPv4: id of the hub link of each member, who is where that has him; else 0 */
    uint32_t is_there;   /* 0 or 1; the writer's alone to set */
    uint32_t reserved[3];
};
_Static_assert(sizeof(struct bypeer_relay_record) == BYPEER_CACHE_LINE, "one line");

enum bypeer_link_kind {
    BYPEER_LINK_NONE = 0,
    BYPEER_LINK_LOCAL = 1,     /* this host's overlay TUN */
    BYPEER_LINK_FABRIC = 2,    /* VXLAN-GPE to a peer */
    BYPEER_LINK_WIREGUARD = 3, /* WireGuard that ends here: a peer behind a hub link */
};

/*
 * One way out of the node, and the way in that belongs to it. Line 0 is what a worker compares and counts with, line 1
 * the outer headers as they go on the wire, ready to be copied; the worker fills in lengths, UDP source port, UDP
 * checksum, traffic class and (IPv4) header checksum. overlay/fabric/link.h prepares it and says what its checksum
 * fields hold.
 *
 * Of a WireGuard link the headers are those of IP and UDP only, and the sessions that it sends by follow them: by .next
 * as soon as something was heard by that (bypeer_wireguard_state.heard), else by .current. .peer and .peer_port are
 * where control knows the peer to be; where it was heard since is in bypeer_peer_state.
 */
#define BYPEER_LINK_TEMPLATE_BYTES 64
/*
 * A link of this group is a trunk: it goes to another supernode and carries several groups. What comes by it is of the
 * group of its source's record, which, as always, must be behind that link. Multicast that came by a trunk goes to no
 * trunk.
 */
#define BYPEER_GROUP_ANY UINT32_MAX
struct bypeer_link {
    uint32_t id;
    uint8_t kind;           /* enum bypeer_link_kind */
    uint8_t underlay;       /* 4 or 6 */
    uint8_t template_bytes; /* IPv6: 40 + 8 + 8 = 56; IPv4: 20 + 8 + 8 = 36; WireGuard: 48 and 28 */
    uint8_t reserved0;
    uint32_t group;     /* group id of all that comes and goes by this link, or BYPEER_GROUP_ANY */
    uint32_t adjacency; /* adjacency id of the next hop; 0: not resolved, packets are dropped and counted */
    union {
        uint32_t vni;       /* 24 bits; of a fabric link */
        uint16_t peer_port; /* of .peer, of a WireGuard link, host order; 0: where the peer is is not known */
    };
    uint16_t mtu;      /* largest inner IPv6 packet, bytes */
    uint16_t udp_port; /* fabric port, both ends; WireGuard: ours. Host order */
    uint32_t session;  /* index into the sessions region */
    uint32_t serial;   /* tells a reused link id: the sessions region counts from 0 for a new one */
    uint8_t peer[16];  /* outer address of the peer; IPv4 as ::ffff:a.b.c.d */
    uint8_t local[16]; /* outer address of this node on this link, likewise */
    union {
        uint8_t header[BYPEER_LINK_TEMPLATE_BYTES];
        struct {
            uint8_t header[48];
            uint32_t current, next; /* slots of BYPEER_WIREGUARD_SESSIONS; 0: none */
            uint16_t persistent_s;  /* keepalive interval; 0: none */
            uint16_t reserved[3];
        } wireguard;
    };
};
_Static_assert(sizeof(struct bypeer_link) == 2 * BYPEER_CACHE_LINE, "two lines");
_Static_assert(offsetof(struct bypeer_link, header) == BYPEER_CACHE_LINE, "template on its own line");

/* A next hop: what to write before the outer IP header, and the port to send from. */
struct bypeer_adjacency {
    uint32_t id;
    uint16_t port; /* number of the port in the configuration, from 0 */
    uint8_t valid; /* 0: next hop unknown or unreachable */
    uint8_t reserved0;
    uint8_t ether[14]; /* destination, source, ethertype, as on the wire; the ethertype is the link's to set */
    uint16_t mtu;      /* of the port, bytes of IP */
    uint8_t reserved1[40];
};
_Static_assert(sizeof(struct bypeer_adjacency) == BYPEER_CACHE_LINE, "one line");

/*
 * A group. Its members reach each other and nobody else; among them its rules decide, if it has any. .rules and
 * .multicast are the first of a chain of parts, immutable until its grace period has passed: the writer replaces the
 * whole chain and this record (bypeer_writer_set_rules(), _set_multicast()).
 */
struct bypeer_group {
    uint32_t id;
    uint32_t vni;        /* default VNI of the group's links */
    uint8_t prefix[16];  /* the /48, rest zero */
    uint8_t address[16]; /* this node's own overlay address in the group; source of its ICMPv6 errors; zero: none */
    uint32_t flags;      /* none yet */
    uint32_t rules;      /* slot of BYPEER_GROUP_PARTS; 0: none, and all passes */
    uint32_t multicast;  /* likewise: links that multicast of the group goes to; 0: it goes nowhere */
    uint16_t rule_count; /* at most BYPEER_GROUP_RULES_MAX */
    uint16_t multicast_links; /* at most BYPEER_MULTICAST_LINKS_MAX */
    uint32_t multicast_rate;  /* multicast packets a second that one link may send; a second's worth at once */
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct bypeer_group) == BYPEER_CACHE_LINE, "one line");

/*
 * One rule of a group: what members of some roles may send to members of others. The first one that matches decides;
 * what matches none is refused. What an allowing rule lets through may be answered: a packet the other way round, from
 * a port of the rule, passes too, but not the first segment of a TCP connection.
 */
struct bypeer_policy_rule {
    uint32_t from_roles; /* bits as of BYPEER_DESTINATION_ROLES, shifted down; one in common is enough. 0: whoever */
    uint32_t to_roles;
    uint8_t protocol; /* IANA number of the upper layer; 0: any */
    uint8_t verdict;  /* enum bypeer_policy_verdict */
    uint16_t port_low,
        port_high; /* destination ports, both in it, host order; 0 to 65535: any, and of what has no ports */
    uint16_t reserved;
};
_Static_assert(sizeof(struct bypeer_policy_rule) == 16, "four a line");
enum bypeer_policy_verdict { BYPEER_POLICY_DENY = 0, BYPEER_POLICY_ALLOW = 1 };

#define BYPEER_GROUP_RULES_MAX     64
#define BYPEER_MULTICAST_LINKS_MAX 1024
#define BYPEER_PART_RECEIVERS      3
#define BYPEER_PART_RULES          3
/* A link that multicast of a group goes to. What its peer sends from a link-local address is passed on as from
 * .address. */
struct bypeer_multicast_receiver {
    uint32_t link;       /* id */
    uint8_t address[16]; /* of the member that the peer is itself; zero: none */
};
_Static_assert(sizeof(struct bypeer_multicast_receiver) == 20, "three a line");

struct bypeer_group_part {
    uint32_t next; /* slot of the next part of the chain; 0: none */
    union {
        struct bypeer_multicast_receiver receivers[BYPEER_PART_RECEIVERS];
        struct {
            uint32_t reserved[3];
            struct bypeer_policy_rule rules[BYPEER_PART_RULES];
        };
    };
};
_Static_assert(sizeof(struct bypeer_group_part) == BYPEER_CACHE_LINE, "one line");

/*
 * What a link or a group may send: immutable like a destination, of whose id its index tells. Bytes are those of inner
 * packets. A link's rate holds in each direction by itself; a group's for all that its links send, shared fairly
 * between them.
 */
struct bypeer_limit {
    uint32_t id;    /* link or group; 0: no limit */
    uint32_t flags; /* BYPEER_LIMIT_* */
    uint64_t bits_s;
    uint64_t burst; /* bytes */
    /* Of a link, what follows from these: overlay/meter/rate.h. */
    uint64_t cost;
    uint64_t ahead;
    /* Of a group: overlay/meter/share.h. */
    uint64_t capacity;
    uint64_t room;
    uint64_t reserved;
};
#define BYPEER_LIMIT_RATE    1u /* .bits_s counts */
#define BYPEER_LIMIT_BLOCKED 2u /* its quota is used up: nothing passes */
_Static_assert(sizeof(struct bypeer_limit) == BYPEER_CACHE_LINE, "one line");

/* Four separators of 128 bits, ascending, as two big-endian halves each made native: prefixes.h. */
struct bypeer_prefix_node {
    uint64_t high[4];
    uint64_t low[4];
};
_Static_assert(sizeof(struct bypeer_prefix_node) == BYPEER_CACHE_LINE, "one line");

/* A PNRP cloud that this node is in: what a worker needs to answer for it. Immutable like a destination. */
#define BYPEER_CLOUD_ADDRESSES 4
struct bypeer_cloud_record {
    uint32_t number; /* 1 to BYPEER_CLOUDS_MAX */
    uint32_t flags;  /* BYPEER_CLOUD_* */
    uint16_t port;   /* host order; 0: there is no such cloud */
    uint8_t version_major, version_minor;
    uint8_t address_count; /* 1 to BYPEER_CLOUD_ADDRESSES */
    uint8_t reserved0[3];
    uint8_t cookie_secret[16];   /* this and the next three: bypeer_meter_settings (overlay/pnrp/meter.h) */
    uint32_t stranger_bytes_s;   /* to all unverified sources together */
    uint32_t verified_answers_s; /* to one verified /64 */
    uint32_t answers_s;          /* all together */
    uint32_t learn_s;            /* LOOKUPs a second that one worker punts because it does not know their route entry */
    uint8_t reserved1[16];
    uint8_t addresses[BYPEER_CLOUD_ADDRESSES][16]; /* this node's own ones in this cloud */
};
#define BYPEER_CLOUD_ANSWERS 1u /* workers answer; without it all is the kernel's */
_Static_assert(sizeof(struct bypeer_cloud_record) == 2 * BYPEER_CACHE_LINE, "two lines");
_Static_assert(offsetof(struct bypeer_cloud_record, addresses) == BYPEER_CACHE_LINE, "addresses on a line");

/* One known PNRP ID. All but .dead is immutable until the array that it lies in is built anew. */
struct bypeer_name_record {
    uint8_t id[32];
    uint8_t address[16];   /* the first one; further ones are in .extra */
    uint16_t port;         /* host order */
    uint8_t address_count; /* 1 to 4; read it by bypeer_names_addresses() */
    uint8_t flags;         /* BYPEER_NAME_* */
    uint32_t extra;        /* entry of BYPEER_NAME_EXTRAS; 0: no further addresses */
    uint32_t run;          /* how many follow with the same first word: names.h */
    uint32_t dead;         /* 0: there; else gone for readers of this serial and later ones: names.h */
};
#define BYPEER_NAME_OWN 1u /* registered on this node */
_Static_assert(sizeof(struct bypeer_name_record) == BYPEER_CACHE_LINE, "one line");

#define BYPEER_NAME_ADDRESSES 4
struct bypeer_name_extra {
    uint8_t addresses[BYPEER_NAME_ADDRESSES - 1][16];
    uint8_t reserved[16];
};
_Static_assert(sizeof(struct bypeer_name_extra) == BYPEER_CACHE_LINE, "one line");

/* Eight ascending words of IDs, each made native. */
#define BYPEER_NAME_NODE_KEYS 8
struct bypeer_name_node {
    uint64_t keys[BYPEER_NAME_NODE_KEYS];
};
_Static_assert(sizeof(struct bypeer_name_node) == BYPEER_CACHE_LINE, "one line");

/* The records whose IDs begin with the same bits, by the 16 bits behind those: names_group.h. Lies among the nodes. */
#define BYPEER_NAME_GROUP_KEYS    29
#define BYPEER_NAME_GROUP_CROWDED UINT16_MAX
struct bypeer_name_group {
    uint16_t count;                        /* BYPEER_NAME_GROUP_CROWDED: it is a struct bypeer_name_crowd */
    uint16_t keys[BYPEER_NAME_GROUP_KEYS]; /* ascending, native; behind the last one all ones */
    uint32_t first;                        /* how many records of the part come before these */
};
_Static_assert(sizeof(struct bypeer_name_group) == sizeof(struct bypeer_name_node), "one line, like a node");

/* What a group is that has no room for all keys. */
struct bypeer_name_crowd {
    uint16_t count; /* BYPEER_NAME_GROUP_CROWDED */
    uint16_t reserved0[3];
    uint64_t word;   /* of its longest run the first word */
    uint32_t run_at; /* and the first record, counted from the part's first */
    uint8_t reserved1[40];
    uint32_t first; /* as of a group */
};
_Static_assert(sizeof(struct bypeer_name_crowd) == sizeof(struct bypeer_name_group), "in its place");
_Static_assert(offsetof(struct bypeer_name_crowd, first) == offsetof(struct bypeer_name_group, first), "likewise");

/* What one cloud has of one array of records. All are entry numbers of whole sections. */
struct bypeer_name_part {
    uint32_t first, count; /* records, ascending by ID */
    uint32_t groups;       /* first node of their groups */
    uint32_t nodes;        /* first node of the tree over them */
    uint32_t leaves;       /* first node of its last layer: their first words */
    uint32_t own_first, own_count;
    uint8_t reserved[36];
};
_Static_assert(sizeof(struct bypeer_name_part) == BYPEER_CACHE_LINE, "one line");

/* The runs of more than 32 records that a record is in, by how many words are equal throughout. */
struct bypeer_name_run {
    struct {
        uint32_t first, count; /* records whose words 0 to this level's number are equal; 0: no more than 32 */
        uint32_t nodes;        /* first node of the tree over the next word; BYPEER_NAME_NO_TREE */
    } levels[3];
    uint8_t reserved[28];
};
#define BYPEER_NAME_NO_TREE UINT32_MAX
_Static_assert(sizeof(struct bypeer_name_run) == BYPEER_CACHE_LINE, "one line");

/* An ID of this node, and the ends of its leaf set. */
struct bypeer_name_own {
    uint8_t id[32];
    uint8_t leaf_low[32], leaf_high[32]; /* farthest member below and above; both equal .id: every ID would be one */
    uint8_t reserved[32];
};
_Static_assert(sizeof(struct bypeer_name_own) == 2 * BYPEER_CACHE_LINE, "two lines");

/*
 * A session's receiver index is 12 random bits over the slot of its record, so that a worker finds the record by one
 * line, and a stranger who guesses indexes finds nothing to have opened but one in 4096 of them.
 */
#define BYPEER_SESSION_SLOT_BITS 20
#define BYPEER_SESSIONS_MAX      ((1u << BYPEER_SESSION_SLOT_BITS) - 1) /* slot 0 is none */

/* What workers need to judge handshakes before control sees them. Constant in a generation. */
struct bypeer_wireguard_config {
    uint8_t public_key[32];    /* ours */
    uint8_t cookie_secret[32]; /* bypeer_cookie_checker_init() */
    uint32_t load_per_s;       /* good MAC1s a second, of one worker, beyond which it asks for MAC2 */
    uint32_t reserved[15];
};
_Static_assert(sizeof(struct bypeer_wireguard_config) == 2 * BYPEER_CACHE_LINE, "two lines");

/* --- status ------------------------------------------------------------------------------------------------------- */

enum bypeer_status_section {
    BYPEER_STATUS_COUNTERS, /* struct bypeer_counter_name: what each counter of a worker means */
    BYPEER_STATUS_WORKERS,  /* struct bypeer_status_worker; the last one is the host thread */
    BYPEER_STATUS_PORTS,    /* struct bypeer_status_port */
    BYPEER_STATUS_EVENTS,   /* struct bypeer_event_ring: one for each of the workers section, in its order */
    BYPEER_STATUS_SECTIONS,
};

struct bypeer_status_header {
    struct bypeer_region_header region;
    /* Line 1: who this reader is; filled in before publication. */
    uint64_t pid;
    uint64_t start_ticks; /* /proc/PID/stat field 22: tells a reused pid */
    char release[32];
    uint64_t tsc_hz;
    uint64_t reserved0;
    /* Line 2: written by the broker. */
    uint64_t grace_completed;   /* newest grace period that has ended: grace.h */
    uint64_t tables_generation; /* generation that all workers use by now; 0: none */
    uint64_t heartbeat;         /* counts up at least 4 times a second */
    uint64_t reserved1[5];
    struct bypeer_section sections[BYPEER_STATUS_SECTIONS];
    uint8_t reserved2[32];
};
_Static_assert(offsetof(struct bypeer_status_header, grace_completed) == 128, "line 2");
_Static_assert(sizeof(struct bypeer_status_header) % BYPEER_CACHE_LINE == 0, "sections start on a line");

/* Side of the packet sum: received + injected + generated + copied = sent + punted + consumed + dropped +
 * in flight. Counters of class NODE and OTHER take no part in it. */
enum bypeer_counter_class {
    BYPEER_COUNTER_OTHER = 0,
    BYPEER_COUNTER_NODE,
    BYPEER_COUNTER_RECEIVED,
    BYPEER_COUNTER_INJECTED,
    BYPEER_COUNTER_GENERATED,
    BYPEER_COUNTER_COPIED,
    BYPEER_COUNTER_SENT,
    BYPEER_COUNTER_PUNTED,
    BYPEER_COUNTER_CONSUMED,
    BYPEER_COUNTER_DROPPED,
};

/* Names travel with the numbers, so that control can show the counters of a data plane of another release. */
struct bypeer_counter_name {
    char name[40];  /* "drop.hop_limit", NUL-terminated */
    char text[84];  /* one line for people */
    uint32_t class; /* enum bypeer_counter_class */
};
_Static_assert(sizeof(struct bypeer_counter_name) == 2 * BYPEER_CACHE_LINE, "two lines");

#define BYPEER_COUNTERS_MAX 248
struct bypeer_status_worker {
    uint32_t lcore;         /* CPU that it is bound to */
    uint32_t state;         /* enum bypeer_worker_state */
    uint64_t quiescent_tsc; /* of the last quiescent state */
    uint64_t walks;
    uint64_t busy_tsc;  /* spent on walks that found packets */
    uint64_t sleep_tsc; /* spent asleep, RCU-offline */
    uint64_t reserved[3];
    uint64_t counters[BYPEER_COUNTERS_MAX];
};
_Static_assert(sizeof(struct bypeer_status_worker) == 32 * BYPEER_CACHE_LINE, "32 lines of its own");

enum bypeer_worker_state {
    BYPEER_WORKER_STARTING = 0,
    BYPEER_WORKER_RUNNING,
    BYPEER_WORKER_SLEEPING,
    BYPEER_WORKER_HOST_THREAD,
};

struct bypeer_status_port {
    char name[32];   /* of the configuration */
    char driver[32]; /* "net_af_xdp" */
    uint8_t mac[6];
    uint16_t mtu;
    uint16_t queues;
    uint16_t link_up;
    uint32_t speed_mbps;
    uint64_t missed; /* received by the device, lost before we read it (rte_eth_stats.imissed) */
    uint64_t errors; /* rte_eth_stats.ierrors + oerrors */
    uint8_t reserved[32];
};
_Static_assert(sizeof(struct bypeer_status_port) == 2 * BYPEER_CACHE_LINE, "two lines");

/* What a worker tells control without waiting for it: events.h. */
#define BYPEER_EVENTS 4096
struct bypeer_event_ring {
    uint64_t head; /* events ever; the last one is events[(head - 1) % BYPEER_EVENTS] */
    uint64_t reserved[7];
    uint64_t events[BYPEER_EVENTS]; /* type << 56 | value */
};
_Static_assert(sizeof(struct bypeer_event_ring) % BYPEER_CACHE_LINE == 0, "whole lines");

/* --- sessions ----------------------------------------------------------------------------------------------------- */

/*
 * Traffic of one link as one worker saw it: entry [worker * links + link session]. One writer per entry, so plain
 * stores; a reader sums over workers. It survives a restart of the data plane, which goes on counting where it was.
 */
struct bypeer_session {
    uint64_t received_packets;
    uint64_t received_bytes; /* inner bytes */
    uint64_t sent_packets;
    uint64_t sent_bytes;
    uint64_t last_received_ns; /* CLOCK_REALTIME, at most one store a second; 0: never */
    uint64_t link_serial;      /* bypeer_link.serial of the link that these belong to; another one's start at 0 */
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct bypeer_session) == BYPEER_CACHE_LINE, "one line");

/* What changes per packet of one peer of a WireGuard link: entry [link session], written by all workers. The second
 * line is touched only of a peer that is not where its link record says. */
struct bypeer_peer_state {
    uint64_t link_serial; /* as above; to start anew harms nothing, since these are times and hints only */
    struct bypeer_activity activity;
    uint64_t untold;               /* not 0: control is to be told of what .seen became since .moved_ns */
    struct bypeer_seen_words seen; /* where the peer was heard, if that is not where its link record says */
    uint64_t moved_ns;             /* when control was last told to look at .seen; clock of sessions, 0: never */
};
_Static_assert(sizeof(struct bypeer_peer_state) == 2 * BYPEER_CACHE_LINE, "two lines");
_Static_assert(offsetof(struct bypeer_peer_state, seen.words) == BYPEER_CACHE_LINE, "the check is in the first line");

/* Nonces and how far packets came, of one slot of BYPEER_WIREGUARD_SESSIONS, whichever session uses it: counter.h. One
 * line is sealing's and one is opening's, which often are two workers. The replay window's words, 13 times as large,
 * lie apart (BYPEER_SESSIONS_WINDOWS): so few pages hold what sealing and opening touch, and where they are stays
 * known. */
struct bypeer_wireguard_state {
    uint64_t next_counter; /* use and counter of the next packet to be sealed */
    uint64_t reserved0[7];
    uint64_t greatest; /* use and counter, of the packets opened: window.h */
    uint64_t heard;    /* use of the session by which something authentic came */
    uint64_t reserved1[6];
};
_Static_assert(sizeof(struct bypeer_wireguard_state) == 2 * BYPEER_CACHE_LINE, "two lines");
_Static_assert(offsetof(struct bypeer_wireguard_state, greatest) == BYPEER_CACHE_LINE, "one of them opening's");

/* Meters of one link: overlay/meter. What another link, or another limit, has left there counts for no more than a full
 * burst of the present one, and 100 ms (rate.h). */
struct bypeer_link_meter {
    uint64_t sent;      /* rate.h: of packets that the link's peer sends */
    uint64_t received;  /* of packets that go to it */
    uint64_t share;     /* share.h: of its group's rate; unused of a trunk */
    uint64_t multicast; /* rate.h: of multicast packets that the link's peer sends */
    uint64_t reserved[4];
};
_Static_assert(sizeof(struct bypeer_link_meter) == BYPEER_CACHE_LINE, "one line");

/* Meters of one group. A trunk is a member of each group that it carries, and may be greedy in one of them: so its
 * words are here, by the remainder of its session, and not with the link's other meters. */
#define BYPEER_GROUP_TRUNKS 8
struct bypeer_group_meter {
    struct bypeer_share share;
    uint64_t trunks[BYPEER_GROUP_TRUNKS]; /* share.h: of the group's rate, as bypeer_link_meter.share */
};
_Static_assert(sizeof(struct bypeer_group_meter) == 3 * BYPEER_CACHE_LINE, "three lines");

enum bypeer_sessions_section {
    BYPEER_SESSIONS_LINKS,     /* struct bypeer_session [worker * links + link session] */
    BYPEER_SESSIONS_PEERS,     /* struct bypeer_peer_state [link session] */
    BYPEER_SESSIONS_WIREGUARD, /* struct bypeer_wireguard_state [slot] */
    BYPEER_SESSIONS_WINDOWS,   /* struct bypeer_window [slot] */
    BYPEER_SESSIONS_RELAYS,    /* struct bypeer_relay_state [end] */
    BYPEER_SESSIONS_CLAIMS,    /* struct bypeer_relay_claims [end] */
    BYPEER_SESSIONS_METERS,    /* struct bypeer_link_meter [link session] */
    BYPEER_SESSIONS_GROUPS,    /* struct bypeer_group_meter [group id] */
    BYPEER_SESSIONS_SECTIONS,
};

struct bypeer_sessions_header {
    struct bypeer_region_header region;
    uint32_t workers;
    uint32_t links; /* per worker */
    uint32_t slots;
    uint32_t relays;
    uint32_t groups;
    uint32_t rows; /* of workers, that were ever in use: who sums up reads no others */
    uint64_t reserved[5];
    struct bypeer_section sections[BYPEER_SESSIONS_SECTIONS];
};
_Static_assert(sizeof(struct bypeer_sessions_header) % BYPEER_CACHE_LINE == 0, "sections start on a line");
