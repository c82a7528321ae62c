/*
 * What the records of this node's groups make of its links: who is reached by which, as a pure function.
 *
 *   memberships, attachments, --> bypeer_plan_make() --> links to other nodes ("trunks"), links to plain WireGuard
 *   who was heard                                        clients, a way to each member, a multicast list for each group
 *
 * An attachment says that a member is reached through a supernode (overlay/group/attachment.h, which also judges
 * whether it counts: what is given here has been judged). The one of a node for itself names its key and endpoints.
 * Within a group, nodes and members are known by their overlay address, which a membership fixes.
 *
 * Trunks. Each other node with an attachment for itself, in any group that this node is a member of, is one link, of
 * all these groups together: a node has one WireGuard key. A record proves nothing about a key, so naming one takes it
 * from nobody: the key of a client of this node makes no trunk, and nodes that name one key share its link, which the
 * owner of the key alone can answer on. Who names another's only sends the own traffic there, and the endpoints of all
 * who name it take turns until one answers.
 *
 * Clients. Each attachment that this node has published for another member is a link to that member's key, and one to
 * the key that it had before as long as that counts: packets leave by the new one as soon as it is heard.
 *
 * Ways. Packets for a member leave by its best attachment, and its packets may come by any of them, so that none is
 * lost while nodes learn of a move one after another. Best is, in this order: through a supernode that is heard; not
 * draining; not standing by; through this node itself; through the member itself; the lowest priority; the highest
 * sequence; the lowest address of the supernode. A node that drains delivers what still comes to it: for itself, it
 * does not count as draining.
 *
 * A group in which this node's own membership does not hold is carried not at all, and a member whose membership does
 * not hold, or whom a revocation names, has neither link nor way, whatever is attached.
 *
 * The same input in any order gives the same plan. All times are Unix seconds. No thread, no I/O, no clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYPEER_PLAN_ENDPOINTS 4
#define BYPEER_PLAN_OTHERS    4
/* From this priority on an attachment stands by: its member is not heard there now. */
#define BYPEER_PLAN_STANDBY 128u

struct bypeer_plan_endpoint {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

struct bypeer_plan_member {
    uint8_t address[16];
    uint32_t roles; /* BYPEER_ROLE_*, for the policy within the group */
    uint64_t not_before, not_after;
    bool revoked;
};

struct bypeer_plan_attachment {
    uint8_t creator[16]; /* the overlay address of who signed it: the member or the supernode */
    uint8_t member[16];
    uint8_t supernode[16];
    uint8_t member_key[32];    /* of a plain client; zero: none */
    uint8_t previous_key[32];  /* of a client of this node: by which it may still come, too; zero: none */
    uint8_t supernode_key[32]; /* WireGuard's */
    struct bypeer_plan_endpoint endpoints[BYPEER_PLAN_ENDPOINTS];
    uint8_t endpoint_count;
    uint8_t priority;
    bool draining;
    uint64_t sequence;
};

struct bypeer_plan_group {
    uint8_t own[16]; /* this node's address in it */
    const struct bypeer_plan_member *members;
    size_t member_count;
    const struct bypeer_plan_attachment *attachments;
    size_t attachment_count;
};

/* What is known of another node, or of a client, each key once; one that is not named is not heard. */
struct bypeer_plan_node {
    uint8_t key[32];
    bool heard;    /* not long ago */
    uint32_t turn; /* which of its endpoints to begin with: counts up while none answers */
};

struct bypeer_plan_input {
    uint8_t own_key[32]; /* WireGuard's, of this node */
    uint64_t now;
    const struct bypeer_plan_group *groups;
    size_t group_count;
    const struct bypeer_plan_node *nodes;
    size_t node_count;
};

#define BYPEER_PLAN_ANY  UINT32_MAX /* as a group: a trunk, of several */
#define BYPEER_PLAN_HERE UINT32_MAX /* as a link: to this node itself */

/* Sorted by key. */
struct bypeer_plan_link {
    uint8_t key[32];
    uint32_t group;                       /* index of the input's; BYPEER_PLAN_ANY: a trunk */
    uint8_t address[16];                  /* overlay address, of a client */
    struct bypeer_plan_endpoint endpoint; /* where to begin; port 0: the other side begins */
};

/* Sorted by group and address. This node itself is not among them. */
struct bypeer_plan_way {
    uint32_t group;
    uint8_t address[16];
    uint32_t roles;
    uint32_t link; /* index of the plan's */
    uint32_t others[BYPEER_PLAN_OTHERS];
    uint8_t other_count;
};

/* Links that a packet to a multicast address of the group goes to, without doubles, HERE among them. */
struct bypeer_plan_multicast {
    uint32_t first, count; /* of .receivers */
    bool carried;          /* false: this node is no member (any more) */
};

struct bypeer_plan {
    struct bypeer_plan_link *links;
    size_t link_count;
    struct bypeer_plan_way *ways;
    size_t way_count;
    struct bypeer_plan_multicast *multicast; /* one for each group of the input */
    uint32_t *receivers;
    size_t receiver_count;
    uint64_t deadline; /* when a membership begins or ends next; UINT64_MAX: never */
};

/* Returns 0 or -ENOMEM. Free it with bypeer_plan_free(). */
int bypeer_plan_make(struct bypeer_plan **ret_plan, const struct bypeer_plan_input *input);
void bypeer_plan_free(struct bypeer_plan *plan); /* NULL is fine */
