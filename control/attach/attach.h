/*
 * The overlay follows the groups: what their records say becomes links, members and multicast lists of the model, and
 * what this node carries becomes records.
 *
 *   groups (control/groups) -- members, attachments --> gather.c --> plan.h --> apply.c --> model (followed.h)
 *   sessions region -- who is heard --------------------^                         |
 *   publish.c <-- own keys, endpoints, clients, drain ----------------------------+
 *      '--> attachment records of this node, for itself and for its clients
 *
 * Which plain WireGuard clients this node carries is not kept anywhere else: its own attachments say so, and they are
 * with the group's records in the database.
 *
 * A change of records takes effect before the loop sleeps; who falls silent is noticed within 250 ms. After a restart
 * of bypeerd alone the sessions region tells who is heard; until a data plane has brought it, for
 * BYPEER_ATTACH_HEARD_MS at most, records say of clients what they said before.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <uv.h>

#include "control/groups/groups.h"
#include "control/node.h"
#include "control/problem.h"

struct bypeer_attach;

#define BYPEER_ATTACH_HEARD_MS   2000   /* another node that is not heard for so long is passed by */
#define BYPEER_ATTACH_OVERLAP_MS 300000 /* two keys of one client count for so long */
#define BYPEER_ATTACH_CLIENT_MS  60000  /* a client that is not heard for so long is not here */

/*
 * Makes the first plan, so that a data plane which attaches later finds its sessions again. node and groups must
 * outlive it.
 */
int bypeer_attach_open(struct bypeer_attach **ret_attach, uv_loop_t *loop, struct bypeer_node *node,
                       struct bypeer_groups *groups, struct bypeer_problem *problem);
/* Leaves the model as it is. Freed when the loop has closed its handles; run the loop until then. NULL is fine. */
void bypeer_attach_close(struct bypeer_attach *attach);

/* The group of the model that follows a group; NULL: it is not carried, and *ret_why (unless NULL) says why not. */
const struct bypeer_model_group *bypeer_attach_group(const struct bypeer_attach *attach,
                                                     const struct bypeer_joined *joined, const char **ret_why);

/* A plain WireGuard client that becomes a member, and is carried by this node. */
struct bypeer_attach_client {
    const char *name;    /* friendly; of a member that is there already, or of one to be made */
    const uint8_t *key;  /* WireGuard's public one, 32 bytes; NULL: the one that another node has attached it by */
    uint64_t lifetime_s; /* of a new membership; 0: as long as this node's own */
    unsigned priority;   /* 0 to 127: other nodes prefer the lowest; UINT_MAX: after those that are there */
};
struct bypeer_attach_enrolled {
    struct bypeer_group_member member; /* its texts are valid until the next call */
    char link[64];                     /* in the model */
    bool is_new;                       /* a membership was issued */
};
/*
 * Needs a membership that may invite, and the role of a supernode. For a new member an identity is made whose private
 * key is forgotten at once: the client cannot sign, and nobody can in its name. Another key for a client of this node
 * counts at once, and the one before for BYPEER_ATTACH_OVERLAP_MS more, unless bypeerd restarts. Durable when 0 is
 * returned.
 */
int bypeer_attach_enroll(struct bypeer_attach *attach, struct bypeer_joined *joined,
                         const struct bypeer_attach_client *client, struct bypeer_attach_enrolled *ret_enrolled,
                         struct bypeer_problem *problem);
/* This node does not carry the member any longer; its membership stays. */
int bypeer_attach_dismiss(struct bypeer_attach *attach, struct bypeer_joined *joined, const char *member,
                          struct bypeer_problem *problem);

/* Asks others to choose other ways, until it is taken back or bypeerd restarts. Durable in the groups, not here. */
int bypeer_attach_drain(struct bypeer_attach *attach, bool is_draining, struct bypeer_problem *problem);
bool bypeer_attach_is_draining(const struct bypeer_attach *attach);

/* One attachment of a group, as this node judges it; for lists. */
struct bypeer_attach_fact {
    struct bypeer_peer_name member, supernode;
    uint8_t member_address[16], supernode_address[16];
    uint8_t priority; /* without standing by */
    bool is_standby, is_draining, is_own, is_heard;
    bool is_chosen; /* packets for the member leave by it */
    enum bypeer_attachment_fault fault;
};
/* Calls visit for each until it returns other than 0. */
void bypeer_attach_each(const struct bypeer_attach *attach, const struct bypeer_joined *joined,
                        int (*visit)(void *context, const struct bypeer_attach_fact *fact), void *context);
