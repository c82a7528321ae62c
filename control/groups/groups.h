/*
 * The groups that this node is in: each a graph (overlay/graph/graph.h), secured by a group (overlay/group/group.h),
 * over real sockets.
 *
 *   API, attachments --> bypeer_groups_create(), _join(), ...; bypeer_joined_publish(), ...
 *   TCP 3587 ---------- streams.h --> the graph whose ID a stranger names
 *   PNRP -------------> seek.c: a first member is found by <group's authority>.participant, and this one is published
 *   database <--------- memberships, records, audit log; what a turn of the loop changed is one transaction
 *   STATE/groups/AUTHORITY/group.pem: the group's key where this node founded the group, 0600
 *
 * No callback comes from within a function of this module but from the loop, so whoever is called may call anything.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <uv.h>

#include "control/node.h"
#include "control/problem.h"
#include "control/store/groups.h"
#include "overlay/graph/graph.h"
#include "overlay/group/export.h"
#include "overlay/group/group.h"
#include "overlay/group/invitation.h"

struct bypeer_groups;
struct bypeer_joined;

#define BYPEER_GROUPS_MAX 64 /* that one node is in; beyond: -ENOSPC */

/* Opens what the database holds. node, with its names and identities, must outlive it. */
int bypeer_groups_open(struct bypeer_groups **ret_groups, uv_loop_t *loop, struct bypeer_node *node,
                       struct bypeer_problem *problem);
/* Parts from all neighbours; memberships and records stay. Freed when the loop has closed its handles: run it until
 * then. NULL is fine. */
void bypeer_groups_close(struct bypeer_groups *groups);

/* Groups by name. */
struct bypeer_joined *bypeer_groups_first(const struct bypeer_groups *groups);
struct bypeer_joined *bypeer_groups_next(const struct bypeer_joined *joined);
/* By peer name, its authority, or a friendly name that one group alone has. NULL with the problem; of a group that
 * could not be opened that is -ENOENT and says why. */
struct bypeer_joined *bypeer_groups_find(const struct bypeer_groups *groups, const char *text,
                                         struct bypeer_problem *problem);

/* A group of the database that could not be opened; it is tried again by and by. */
struct bypeer_groups_unopened {
    struct bypeer_groups_unopened *next;
    char name[BYPEER_NAME_TEXT_MAX]; /* the group's peer name, or what the damaged database has for it */
    char friendly[BYPEER_STORE_FRIENDLY];
    char profile[16];
    char identity[BYPEER_NAME_TEXT_MAX];
    bool has_key;                  /* the group's key is here, be it whole or damaged */
    struct bypeer_problem problem; /* why, and what to do */
};
/* By name; after NULL: the first. Valid until the loop goes on. */
const struct bypeer_groups_unopened *bypeer_groups_next_unopened(const struct bypeer_groups *groups,
                                                                 const struct bypeer_groups_unopened *after);

/* Who hears of changes; at most 4. */
struct bypeer_groups_watcher {
    void *context;
    /* Records, members or links of the group changed, once for all changes of a turn of the loop. */
    void (*changed)(void *context, struct bypeer_joined *joined);
    void (*left)(void *context, struct bypeer_joined *joined); /* it is freed after the call */
};
void bypeer_groups_watch(struct bypeer_groups *groups, const struct bypeer_groups_watcher *watcher);

/* --- one group --- */

/* Both are for reading and for what changes them; after a change call bypeer_joined_touched(). NULL: not any more. */
struct bypeer_graph *bypeer_joined_graph(const struct bypeer_joined *joined);
struct bypeer_group_node *bypeer_joined_group(const struct bypeer_joined *joined);
void bypeer_joined_touched(struct bypeer_joined *joined);

const struct bypeer_profile *bypeer_joined_profile(const struct bypeer_joined *joined);
const struct bypeer_peer_name *bypeer_joined_name(const struct bypeer_joined *joined);
const char *bypeer_joined_name_text(const struct bypeer_joined *joined);
const char *bypeer_joined_friendly(const struct bypeer_joined *joined);
const struct bypeer_peer_name *bypeer_joined_self(const struct bypeer_joined *joined); /* this node's member */
const char *bypeer_joined_self_text(const struct bypeer_joined *joined);
bool bypeer_joined_is_founder(const struct bypeer_joined *joined); /* the group's key is here */
uint32_t bypeer_joined_status(const struct bypeer_joined *joined); /* BYPEER_GRAPH_... of the graph */
/* Why a link was refused last; "": none was. */
const char *bypeer_joined_refusal(const struct bypeer_joined *joined);
unsigned bypeer_joined_neighbors(const struct bypeer_joined *joined);
/* Where members reach this node. Returns how many. */
unsigned bypeer_groups_addresses(const struct bypeer_groups *groups, const struct bypeer_profile *profile,
                                 struct bypeer_graph_address ret_addresses[static BYPEER_STORE_SEEDS]);
struct bypeer_graph_time bypeer_groups_now(void);

/* Own records; durable when they return 0. */
int bypeer_joined_publish(struct bypeer_joined *joined, const struct bypeer_record_draft *draft,
                          struct bypeer_guid *ret_id, struct bypeer_problem *problem);
int bypeer_joined_update(struct bypeer_joined *joined, const struct bypeer_guid *id,
                         const struct bypeer_record_draft *draft, struct bypeer_problem *problem);
int bypeer_joined_delete(struct bypeer_joined *joined, const struct bypeer_guid *id, struct bypeer_problem *problem);

/* --- what changed, for those who ask --- */

struct bypeer_joined_event {
    uint64_t sequence; /* from 1, without gaps */
    enum bypeer_record_change change;
    struct bypeer_record *record; /* as it was then */
};
#define BYPEER_JOINED_EVENTS 1024 /* of each group that are kept */
/* The events after a sequence number, oldest first; NULL: none. False in *ret_whole: older ones are gone. */
const struct bypeer_joined_event *bypeer_joined_event_after(const struct bypeer_joined *joined, uint64_t sequence,
                                                            bool *ret_whole);
uint64_t bypeer_joined_sequence(const struct bypeer_joined *joined); /* of the last event; 0: none yet */

/* Waits until something of the group changes, or comes by a direct link, once; done() comes from the loop. NULL: no
 * memory. */
struct bypeer_joined_wait;
struct bypeer_joined_wait *bypeer_joined_wait(struct bypeer_joined *joined, uint32_t timeout_ms,
                                              void (*done)(void *context, bool is_changed), void *context);
void bypeer_joined_wait_cancel(struct bypeer_joined_wait *wait);

/* --- direct links: what programs on two members say to each other, past the records --- */

#define BYPEER_DIRECT_LINKS    48           /* of a group at once, each of those opened here and by others; */
#define BYPEER_DIRECT_OF_OWNER 16           /* and of them of one owner: who opened it here, or the member who did */
#define BYPEER_DIRECT_EVENTS   1024         /* of each group that are kept, */
#define BYPEER_DIRECT_BYTES    (8u << 20)   /* and bytes in them */
#define BYPEER_DIRECT_DATA_MAX (256u << 10) /* of one event; what is larger is lost */

enum bypeer_direct_state { BYPEER_DIRECT_OPENING, BYPEER_DIRECT_OPEN, BYPEER_DIRECT_GONE };
enum bypeer_direct_kind { BYPEER_DIRECT_OPENED, BYPEER_DIRECT_DATA, BYPEER_DIRECT_CLOSED };

/* Valid until the next call. */
struct bypeer_direct_event {
    uint64_t sequence; /* ascending, also over restarts; a gap: something was lost */
    enum bypeer_direct_kind kind;
    uint64_t link;     /* a number that does not come again */
    bool is_initiator; /* this node opened it */
    const char *member;
    struct bypeer_guid type; /* of DATA, with what follows */
    const uint8_t *bytes;
    size_t length;
};

/* Tries the addresses of the member's presence, one after the other; OPENED or CLOSED follows. member: as of
 * bypeer_joined_find_member(). owner: whose it is until bypeer_groups_disown(); never looked into. */
int bypeer_direct_open(struct bypeer_joined *joined, const char *member, const void *owner, uint64_t *ret_link,
                       struct bypeer_problem *problem);
/* An owner is gone: closes what it opened, in all groups. */
void bypeer_groups_disown(struct bypeer_groups *groups, const void *owner);
enum bypeer_direct_state bypeer_direct_state(const struct bypeer_joined *joined, uint64_t link);
/* -EAGAIN: the peer takes less than it was sent, and nothing of this was sent; it may be sent again later. */
int bypeer_direct_send(struct bypeer_joined *joined, uint64_t link, const struct bypeer_guid *type,
                       const uint8_t *bytes, size_t length, struct bypeer_problem *problem);
int bypeer_direct_close(struct bypeer_joined *joined, uint64_t link, struct bypeer_problem *problem);
/* The first event after a sequence number; NULL: none yet. False in *ret_whole: some after it are lost, or the number
 * was none of this group's; then the oldest. */
const struct bypeer_direct_event *bypeer_direct_event_after(const struct bypeer_joined *joined, uint64_t sequence,
                                                            bool *ret_whole);
/* Of the last event, or what is before the first. */
uint64_t bypeer_direct_sequence(const struct bypeer_joined *joined);

/* --- coming and going --- */

struct bypeer_groups_founding {
    const struct bypeer_profile *profile;
    const char *identity;   /* NULL: the default one */
    const char *classifier; /* NULL: made from the friendly name */
    const char *friendly;
    const char *comment;  /* NULL: none */
    const char *password; /* NULL: none; else whoever knows it may join */
};
/*
 * Keys and passwords are slow on purpose, some tenths of a second: what has to do with them is for a thread, never the
 * loop, and what it gives is for the function of the loop that takes it. Thread: any, for those until "on the loop",
 * and for overlay/group/export.h.
 */
struct bypeer_groups_founded {
    struct bypeer_key *group_key;
    struct bypeer_peer_name name;
    char form[BYPEER_GROUP_PASSWORD_FORM_MAX]; /* "": no password */
};
/* To be cleared, whatever it returns. */
int bypeer_groups_prepare(const struct bypeer_groups_founding *founding, struct bypeer_groups_founded *ret_founded,
                          struct bypeer_problem *problem);
void bypeer_groups_founded_clear(struct bypeer_groups_founded *founded);
/* The form of a password in a group. */
int bypeer_groups_form(const struct bypeer_profile *profile, const struct bypeer_peer_name *group, const char *password,
                       char ret_form[static BYPEER_GROUP_PASSWORD_FORM_MAX], struct bypeer_problem *problem);
/* And in that of an invitation; "": it wants none. */
int bypeer_groups_form_of(const char *invitation, const char *password,
                          char ret_form[static BYPEER_GROUP_PASSWORD_FORM_MAX], struct bypeer_problem *problem);
/* What bypeer_groups_import() takes; to be released. */
int bypeer_groups_read_export(const char *text, const char *password, struct bypeer_group_export *ret_export,
                              const struct bypeer_profile **ret_profile, struct bypeer_problem *problem);

/* On the loop. These are whole and durable when they return 0; else nothing of the group is here. */
int bypeer_groups_create(struct bypeer_groups *groups, const struct bypeer_groups_founding *founding,
                         const struct bypeer_groups_founded *founded, struct bypeer_joined **ret_joined,
                         struct bypeer_problem *problem);
/* identity NULL: the one that the invitation is for, or the default one. form: for an invitation that wants a
 * password, else NULL. */
int bypeer_groups_join(struct bypeer_groups *groups, const char *invitation, const char *identity, const char *form,
                       struct bypeer_joined **ret_joined, struct bypeer_problem *problem);
/* Records and membership are removed here; the group's key, too, at its founder. */
int bypeer_groups_leave(struct bypeer_groups *groups, struct bypeer_joined *joined, struct bypeer_problem *problem);
struct bypeer_groups_removed {
    char name[BYPEER_NAME_TEXT_MAX]; /* the group's peer name, or what the damaged database has for it */
    bool has_key;                    /* the group's key was here, and is removed */
};
/* Likewise of a group in the database that could not be opened; by peer name, its authority, or a friendly name that
 * one such group alone has. */
int bypeer_groups_leave_unopened(struct bypeer_groups *groups, const char *text,
                                 struct bypeer_groups_removed *ret_removed, struct bypeer_problem *problem);
/* A membership, to be written as a text and released; with the group's key where that is at hand. Records are not in
 * it: members have them. */
int bypeer_joined_export(const struct bypeer_joined *joined, bool with_key, struct bypeer_group_export *ret_export,
                         struct bypeer_problem *problem);
/* The identity has to be here already. */
int bypeer_groups_import(struct bypeer_groups *groups, const struct bypeer_group_export *export,
                         const struct bypeer_profile *profile, struct bypeer_joined **ret_joined,
                         struct bypeer_problem *problem);
/* Connects to a member, now and first after each start. */
int bypeer_joined_connect(struct bypeer_joined *joined, const struct bypeer_graph_address *to,
                          struct bypeer_problem *problem);

struct bypeer_joined_order {
    const char *identity; /* PEERIDENTITYINFO; NULL: with `member` */
    const char *member;   /* who is renewed; NULL: by identity */
    uint32_t roles;       /* 0: member; of a renewal: those that he has */
    uint64_t lifetime_s;  /* 0: as long as the issuer's own */
};
/* *ret_invitation is to be cleared. Everything is in the audit log. */
int bypeer_joined_invite(struct bypeer_joined *joined, const struct bypeer_joined_order *order,
                         struct bypeer_invitation *ret_invitation, struct bypeer_group_member *ret_member,
                         struct bypeer_problem *problem);
/* An invitation that needs the group's password. -ENOENT: it has none. */
int bypeer_joined_invite_by_password(struct bypeer_joined *joined, struct bypeer_invitation *ret_invitation,
                                     struct bypeer_problem *problem);
int bypeer_joined_renew(struct bypeer_joined *joined, const struct bypeer_joined_order *order,
                        struct bypeer_problem *problem);
struct bypeer_joined_verdict {
    const char *reason; /* NULL: none */
    bool adopt, undo;   /* as bypeer_group_verdict has them */
};
enum bypeer_issued_state { BYPEER_ISSUED_INVITED, BYPEER_ISSUED_JOINED, BYPEER_ISSUED_REVOKED };
/* Memberships that this node issued and that have not expired, after a number; visit() != 0 ends it, and is returned.
 * Clients of members (bypeer_attach_enroll()) are not among them: they are members at once. */
int bypeer_joined_each_issued(struct bypeer_joined *joined, int64_t after,
                              int (*visit)(void *context, const struct bypeer_store_issued *issued), void *context,
                              struct bypeer_problem *problem);
/* REVOKED: likewise whoever issued it. JOINED: a membership of the key was seen. */
enum bypeer_issued_state bypeer_joined_issued_state(const struct bypeer_joined *joined,
                                                    const struct bypeer_store_issued *issued);
/* member: as of bypeer_joined_find_member(), likewise somebody whom this node invited and who never came, or any key in
 * hex. All keys that are known of him are revoked. */
int bypeer_joined_revoke(struct bypeer_joined *joined, const char *member, const struct bypeer_joined_verdict *said,
                         struct bypeer_problem *problem);
/* Where the group's key is; NULL: nobody joins by a password any more. */
int bypeer_joined_set_password(struct bypeer_joined *joined, const char *form, struct bypeer_problem *problem);
/* By peer name, authority, overlay address, key in hex, or a friendly name that one member alone has. */
int bypeer_joined_find_member(const struct bypeer_joined *joined, const char *text,
                              struct bypeer_group_member *ret_member, struct bypeer_problem *problem);

/* --- the audit log (control/store/groups.h) --- */

/* Who did what to whom, and why; any but action may be NULL. Durable at the end of the turn. */
void bypeer_groups_audit(struct bypeer_groups *groups, const char *group, const char *action, const char *who,
                         const char *whom, const char *text);
