/*
 * Some members of a group in one process, each with a graph that the fixture plays: what one publishes, the others are
 * given, judge by their provider, and keep. TLS is played, too: bytes in the clear, and certificates as they are.
 */
#pragma once

#include "overlay/certificate/certificate.h"
#include "overlay/graph/graph.h"
#include "overlay/group/group.h"

#define NET_MEMBERS 6
#define NET_RECORDS 64
#define NET_START   UINT64_C(1900000000) /* Unix seconds */
#define NET_LIFE    UINT64_C(100000)     /* seconds that the group lasts */

/* What graph.h declares without saying what it is. */
struct bypeer_graph {
    struct net_member *owner;
    struct bypeer_record *records[NET_RECORDS];
    unsigned count;
    struct bypeer_record *waiting[NET_RECORDS];
    unsigned waiting_count;
};

struct net_member {
    struct net *net;
    struct bypeer_key *key;
    struct bypeer_certificate *idc;
    struct bypeer_peer_name name;
    char id[BYPEER_NAME_TEXT_MAX];
    struct bypeer_group_node *node; /* NULL: not there */
    struct bypeer_graph graph;
    char why[160];        /* of the last record or link that was refused */
    char cut[256];        /* whose links were cut last */
    unsigned revoked;     /* how often the sink said so */
    unsigned renewed;     /* own credentials that came */
    unsigned revalidated; /* how often all records were judged again */
    unsigned slices;      /* calls that it takes more */
    unsigned admitted;    /* memberships issued to who knew the password */
    unsigned changes[8];  /* of members, by enum bypeer_group_change */
};

struct net {
    const struct bypeer_profile *profile;
    uint64_t now; /* Unix seconds */
    struct bypeer_key *group_key;
    struct bypeer_peer_name group;
    struct bypeer_group_properties properties;
    struct net_member members[NET_MEMBERS]; /* 0: the founder */
    unsigned count;
    bool is_split; /* what is published reaches nobody */
};

/* A group with its founder; password NULL: it has none. */
void net_open(struct net *net, enum bypeer_profile_id profile, const char *password);
void net_close(struct net *net);
struct bypeer_graph_time net_time(const struct net *net);

/* An identity more, which is no member yet. */
struct net_member *net_add(struct net *net, const char *classifier);
/* A chain for it, issued by issuer; the caller frees. */
struct bypeer_chain *net_invite(struct net_member *issuer, const struct net_member *member, uint32_t roles);
/* Opens its group with a chain (or NULL, and a password), gives it what the founder has, and publishes its membership.
 */
void net_join(struct net_member *member, const struct bypeer_chain *chain, const char *password);
/* Both of it. */
struct net_member *net_welcome(struct net_member *issuer, const char *classifier, uint32_t roles);
/* Closes the node and opens it again from the same chain, with the records that it had. */
void net_restart(struct net_member *member);

/* A record of an application's type; the status that publishing gave. */
int net_publish(struct net_member *member, const char *text, struct bypeer_guid *ret_id);
int net_draft(struct net_member *member, const struct bypeer_record_draft *draft, struct bypeer_guid *ret_id);
int net_update(struct net_member *member, const struct bypeer_guid *id, const char *text);
/* The record as this member has it; NULL: it has not. */
struct bypeer_record *net_find(struct net_member *member, const struct bypeer_guid *id);
/* Gives it a record, as if a neighbor had flooded it. */
enum bypeer_graph_verdict net_give(struct net_member *member, const struct bypeer_record *record);
/* Gives to all that one has, revocations first. */
void net_synchronise(struct net_member *from, struct net_member *to);
/* All nodes' turns. */
void net_turn(struct net *net);

/* Runs a link from one to the other. 1: authenticated on both sides; else negative, with both .why. */
int net_connect(struct net_member *from, struct net_member *to, const struct bypeer_graph_address *address);
