/*
 * Private to control/attach: what its files share.
 */
#pragma once

#include "control/attach/attach.h"
#include "control/attach/plan.h"
#include "control/log.h"
#include "control/model/followed.h"

#define ATTACH_TURN_MS      250
#define ATTACH_ENDPOINT_MS  3000 /* until another endpoint of a node that does not answer is tried */
#define ATTACH_TRUNK_S      1    /* how long a node is silent at most */
#define ATTACH_CLIENT_S     25   /* what keeps a client's way through usual NATs: wg(8) */
#define ATTACH_MULTICAST_S  1000 /* packets a second that one link may send to a group */
#define ATTACH_AGAIN_MS     2000
#define ATTACH_REPUBLISH_MS 5000 /* after a record could not be published */

/* A group, and what of it is in the model. */
struct attach_group {
    struct bypeer_joined *joined;
    uint8_t prefix[16];            /* of its overlay, /48 */
    char name[64];                 /* in the model */
    uint32_t id;                   /* likewise; 0: it is not there */
    char why[BYPEER_PROBLEM_TEXT]; /* not */
    struct bypeer_plan_member *members;
    size_t member_count, member_room;
    struct bypeer_plan_attachment *attachments;
    size_t attachment_count, attachment_room;
    uint32_t *receivers; /* of multicast, as the model has them */
    uint32_t receiver_count;
};

/* A link of the plan as the model has it. */
struct attach_link {
    uint8_t key[32];
    uint32_t id;
    bool is_trunk;
    bool is_heard;
    uint32_t turn;
    uint64_t turned_ms;
    /* Of a client. */
    struct bypeer_joined *joined;
    uint8_t address[16];
    bool is_said; /* .is_heard is what the record says */
};

/* The key that a client had before. */
struct attach_previous {
    struct bypeer_joined *joined;
    uint8_t address[16];
    uint8_t key[32];
    uint64_t until_ms;
};
#define ATTACH_PREVIOUS_MAX 256 /* beyond, the oldest ends early */

/* An endpoint that was refused, and by whose word: it is logged once. */
struct attach_refused {
    uint8_t member[16];
    struct bypeer_plan_endpoint endpoint;
};
#define ATTACH_REFUSED_MAX 64 /* beyond, the oldest is forgotten */

struct bypeer_attach {
    uv_loop_t *loop;
    struct bypeer_node *node;
    struct bypeer_groups *groups;
    struct attach_group *list[BYPEER_GROUPS_MAX];
    unsigned count;
    struct attach_link *links; /* by key */
    size_t link_count;
    struct attach_previous previous[ATTACH_PREVIOUS_MAX]; /* the oldest first */
    unsigned previous_count;
    struct bypeer_plan *plan; /* the last one that was made; NULL: none */
    uint64_t deadline;        /* of it, Unix seconds */
    bool is_stale;            /* records changed */
    bool is_draining;
    bool is_closing;
    /* Who is heard is not known before the data plane's sessions are here, or this has passed: then others do not hear
     * this node either. 0: it is known. */
    uint64_t adopt_ms;
    uint64_t publish_ms; /* when to try again; 0: nothing is left to be said */
    uint64_t again_ms;   /* when what the model refused is tried again; 0: it has all of the plan */
    uv_timer_t timer;
    uv_prepare_t prepare;
    unsigned handles;
    struct bypeer_log_limit log_limit;
    struct attach_refused refused[ATTACH_REFUSED_MAX];
    unsigned refused_count; /* ever */
};

/* --- gather.c --- */

/* What the records of a group say, into its arrays. 0 or -ENOMEM. */
int attach_gather(struct bypeer_attach *attach, struct attach_group *group);
void attach_free_group(struct attach_group *group);
/* Which links are heard now; returns whether a plan made before is old by that. */
bool attach_listen(struct bypeer_attach *attach);
/* Whether there are sessions of a data plane, which say who is heard. */
bool attach_has_ears(const struct bypeer_attach *attach);
uint64_t attach_now_ms(void);

/* --- endpoints.c --- */

/* Whether this node may send to where a member of the group says that it is; if not, it is logged once. */
bool attach_may_send(struct bypeer_attach *attach, const struct bypeer_joined *joined,
                     const struct bypeer_peer_name *supernode, const struct bypeer_plan_endpoint *endpoint);

/* --- apply.c --- */

/* Makes the model what the plan says. What cannot be is logged, and tried again after ATTACH_AGAIN_MS. -ENOMEM: members
 * who are none any more are cut off, and the rest is as it was. */
int attach_apply(struct bypeer_attach *attach, struct bypeer_plan *plan);
void attach_remove_group(struct bypeer_attach *attach, struct attach_group *group);
struct attach_link *attach_find_link(const struct bypeer_attach *attach, const uint8_t key[static 32]);

/* --- previous.c --- */

void attach_add_previous(struct bypeer_attach *attach, struct bypeer_joined *joined, const uint8_t address[static 16],
                         const uint8_t key[static 32]);
/* Forgets those whose time is over (joined: and all of that group); whether there were any. */
bool attach_expire_previous(struct bypeer_attach *attach, const struct bypeer_joined *joined);
/* Into the own attachments of a group that was gathered. */
void attach_put_previous(const struct bypeer_attach *attach, struct attach_group *group, const uint8_t own[static 16]);

/* --- publish.c --- */

/* Own attachments are as this node is now: keys, endpoints, who is here, draining. */
void attach_publish(struct bypeer_attach *attach);
/* The own attachment of a member; id NULL: not wanted. False: there is none. */
bool attach_find_own(const struct bypeer_joined *joined, const uint8_t member[static 16],
                     struct bypeer_attachment *ret_attachment, struct bypeer_guid *ret_id, uint64_t *ret_expires);
/* until: Unix seconds; 0: as it was. id NULL: a new one. */
int attach_say(struct bypeer_joined *joined, struct bypeer_attachment *attachment, const struct bypeer_guid *id,
               uint64_t until, struct bypeer_problem *problem);
/* "[address]:port" or "IPv4:port", as the configuration has checked it; false: it is a host name, which is for clients
 * alone, or nothing. */
bool attach_read_endpoint(const char *text, uint8_t ret_address[static 16], uint16_t *ret_port);
/* Endpoints and key of this node, and whether it drains. */
void attach_describe(const struct bypeer_attach *attach, struct bypeer_attachment *attachment);

/* --- attach.c --- */

struct attach_group *attach_find_group(const struct bypeer_attach *attach, const struct bypeer_joined *joined);
/* Gathers, plans and applies. */
void attach_replan(struct bypeer_attach *attach);
