/*
 * Private to control/groups: what its files share.
 *
 * Sinks of graphs and groups only note what is to be done; the turn does it, before the loop sleeps.
 */
#pragma once

#include "control/groups/groups.h"
#include "control/groups/streams.h"
#include "control/groups/tls.h"
#include "control/log.h"
#include "control/names/names.h"

#define GROUPS_WATCHERS      4
#define GROUPS_CANDIDATES    32    /* addresses that are tried, of one search */
#define GROUPS_UPKEEP_MS     2000  /* addresses of this host, and searches that are due */
#define GROUPS_AGAIN_MS      10000 /* until a group that could not be opened is tried again */
#define GROUPS_AUTHORITY     40    /* digits of a peer name that are its authority */
#define GROUPS_SEEK_MS       2000  /* from one fruitless search to the next; doubles */
#define GROUPS_SEEK_MAX_MS   60000
#define GROUPS_RESOLVE_MS    8000
#define GROUPS_REFUSALS      60 /* in the audit log, a minute: of a group's members, and of all strangers */
#define GROUPS_AUDIT_PENDING 256

/* Looking for a first member. */
struct joined_seek {
    bool is_wanted; /* by the graph, or because there is no neighbor */
    bool has_link;  /* .link is being tried */
    uint32_t link;
    struct bypeer_graph_address candidates[GROUPS_CANDIDATES];
    unsigned count, next;
    bool has_ended;    /* a whole search did */
    bool has_resolved; /* PNRP was asked in this search */
    struct bypeer_names_resolve *resolve;
    uint64_t again_ms; /* when the next search may begin */
    uint32_t pause_ms;
};

struct groups_refusals {
    uint64_t minute;
    unsigned count; /* in it; those beyond GROUPS_REFUSALS are told as a number when it is over */
};

struct bypeer_identity;

struct bypeer_joined {
    struct bypeer_groups *groups;
    struct bypeer_joined *next;
    const struct bypeer_profile *profile;
    struct bypeer_peer_name name, self;
    char name_text[BYPEER_NAME_TEXT_MAX], self_text[BYPEER_NAME_TEXT_MAX];
    char friendly[BYPEER_STORE_FRIENDLY], self_friendly[BYPEER_FRIENDLY_NAME_TEXT_MAX];
    struct bypeer_key *key, *group_key; /* own copies; the latter NULL: not at hand */
    uint8_t *chain;                     /* own membership, as a bag; NULL: none yet */
    size_t chain_bytes;
    struct bypeer_store_seed seeds[BYPEER_STORE_SEEDS];
    unsigned seed_count;
    int64_t time_delta;
    bool is_synchronised; /* once */

    struct bypeer_tls *tls;
    struct bypeer_group_node *group;
    struct bypeer_graph *graph;
    struct bypeer_graph_address listening[BYPEER_STORE_SEEDS];
    unsigned listening_count;
    struct bypeer_names_delegation *delegation;
    bool is_restoring; /* what the database holds comes back */
    bool is_touched;   /* called into since the last turn */
    bool is_changed;   /* watchers are to be told */
    bool is_heard;     /* who waits is to be told */
    bool has_surplus;  /* direct links that are not kept */
    bool is_stored;    /* has a row */
    bool is_stale;     /* and its row is old */
    bool is_renewed;   /* .chain is newer than what PNRP has */
    struct joined_seek seek;
    struct groups_refusals refusals;       /* of members */
    char refusal[BYPEER_STORE_AUDIT_TEXT]; /* why a link was refused last, for who waits for one */

    struct bypeer_guid *dirty; /* records that the database has another version of */
    size_t dirty_count, dirty_room;
    struct bypeer_joined_event events[BYPEER_JOINED_EVENTS]; /* of sequence number n at n % BYPEER_JOINED_EVENTS */
    uint64_t sequence;
    struct bypeer_joined_wait *waits;
    struct joined_direct *direct;
};

struct bypeer_groups {
    uv_loop_t *loop;
    struct bypeer_node *node;
    struct bypeer_streams *streams;
    struct bypeer_joined *joined; /* by name */
    unsigned count;
    struct bypeer_groups_watcher watchers[GROUPS_WATCHERS];
    unsigned watcher_count;
    uv_prepare_t prepare;
    uv_timer_t timer, upkeep;
    uint64_t timer_due; /* ms; 0: it does not run */
    unsigned handles;
    struct bypeer_store_audit *audit; /* not yet in the database */
    unsigned audit_count, audit_lost;
    struct groups_issued *issued; /* likewise, oldest first */
    struct groups_refusals strangers;
    struct bypeer_groups_unopened *unopened; /* by name; tried again at .unopened_ms */
    uint64_t unopened_ms;
    struct bypeer_log_limit store_limit, seek_limit, open_limit;
};

/* --- joined.c: one group --- */

/* Makes it from a row, with a group key or without, and opens it; password_form: to join with, or NULL. found: at the
 * founder, what the graph is to hold. */
int joined_open(struct bypeer_groups *groups, const struct bypeer_store_joined *row, const struct bypeer_key *group_key,
                const char *password_form, const struct bypeer_group_properties *found,
                struct bypeer_joined **ret_joined, struct bypeer_problem *problem);
/* Takes another membership of its identity, perhaps of another key; links stay. Nothing is changed unless it is 0. */
int joined_renew(struct bypeer_joined *joined, const struct bypeer_identity *identity, const uint8_t *chain,
                 size_t chain_bytes, struct bypeer_problem *problem);
/* Parts from its neighbours and frees it. */
void joined_close(struct bypeer_joined *joined);
/* Its row as it is now; valid until something changes. */
void joined_row(const struct bypeer_joined *joined, struct bypeer_store_joined *ret_row);
/* Does what the sinks noted. */
void joined_turn(struct bypeer_joined *joined, struct bypeer_graph_time now);

/* --- join.c --- */

/* What an invitation's membership is to have in the database; points into all that is given. */
void groups_row(const struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const char *identity,
                const char *name, struct bypeer_store_joined *ret_row);

/* The invitation is to be cleared. Thread: any. */
int groups_read_invitation(const char *text, struct bypeer_invitation *ret_invitation,
                           const struct bypeer_profile **ret_profile, struct bypeer_problem *problem);
/* "The Lab!" -> "the-lab": a classifier that is easy to write. */
void groups_make_classifier(const char *friendly, char ret_classifier[static 64]);
/* Removes its row and its records. */
int groups_forget(struct bypeer_groups *groups, const char *name, struct bypeer_problem *problem);

/* Opens a membership that comes from elsewhere, with the group's key or NULL, and keeps both. */
int groups_adopt(struct bypeer_groups *groups, const struct bypeer_store_joined *row,
                 const struct bypeer_peer_name *name, const struct bypeer_key *group_key,
                 struct bypeer_joined **ret_joined, struct bypeer_problem *problem);

/* --- keep.c: what is durable --- */

void joined_set_dirty(struct bypeer_joined *joined, const struct bypeer_guid *id);
/* Everything that is not in the database yet, in one transaction. */
int groups_flush(struct bypeer_groups *groups, struct bypeer_problem *problem);
/* The records of the database, into the graph. */
int joined_restore(struct bypeer_joined *joined, struct bypeer_graph_time now, struct bypeer_problem *problem);
/* The file of a group's key: read (-ENOENT: there is none), written, removed. */
int groups_read_key(const struct bypeer_groups *groups, const struct bypeer_profile *profile,
                    const struct bypeer_peer_name *group, struct bypeer_key **ret_key, struct bypeer_problem *problem);
int groups_write_key(const struct bypeer_groups *groups, const struct bypeer_peer_name *group,
                     const struct bypeer_key *key, struct bypeer_problem *problem);
/* Whether a text is the authority of a peer name: then it means that one, whatever stands behind. */
bool groups_is_authority(const char *name, const char *text);
/* Whether there was one. */
bool groups_remove_key(const struct bypeer_groups *groups, const struct bypeer_peer_name *group);

/* --- unopened.c: groups that could not be opened --- */

/* Opens the groups of the database that are not open; notes those that cannot be. */
int groups_open_rows(struct bypeer_groups *groups, struct bypeer_problem *problem);
/* Fills in the problem with why the group that a text means could not be opened; false: no such group. */
bool groups_tell_unopened(const struct bypeer_groups *groups, const char *text, struct bypeer_problem *problem);
void groups_free_unopened(struct bypeer_groups *groups);

/* --- issued.c: memberships that this node issued --- */

/* Durable with the next groups_flush(). how: as of struct bypeer_store_issued. 0 or -ENOMEM. */
int joined_note_issued(struct bypeer_joined *joined, const struct bypeer_chain *chain, const char *how);
/* Those that are not in the database yet; within a transaction. They stay until they are freed. */
int groups_write_issued(struct bypeer_groups *groups, struct bypeer_problem *problem);
void groups_free_issued(struct bypeer_groups *groups);
void joined_forget_issued(struct bypeer_joined *joined); /* those of one group */

#define ISSUED_KEYS 8
struct issued_keys {
    char name[BYPEER_NAME_TEXT_MAX]; /* whose; "": not known yet */
    uint8_t keys[ISSUED_KEYS][BYPEER_PUBLIC_KEY_MAX];
    unsigned count;
};
/* Adds keys that were issued to whom a text means (peer name, authority, friendly name), or who is named already, and
 * are not revoked. 0, also if there is none; -EINVAL: it means somebody else, too. */
int joined_find_issued(struct bypeer_joined *joined, const char *text, struct issued_keys *keys,
                       struct bypeer_problem *problem);

/* --- refusals.c --- */

/* is_member: by somebody whose link is secured; else by a stranger. */
void joined_audit_refusal(struct bypeer_joined *joined, bool is_member, const char *who, const char *whom,
                          const char *why, uint64_t now_ms);
/* Tells how many there were in minutes that are over. */
void groups_end_refusals(struct bypeer_groups *groups, uint64_t now_ms);

/* --- seek.c --- */

void joined_seek_turn(struct bypeer_joined *joined, struct bypeer_graph_time now);
void joined_seek_linked(struct bypeer_joined *joined, const struct bypeer_graph_link_event *event);
/* Neither seeks nor is found any more. */
void joined_seek_end(struct bypeer_joined *joined);
/* Publishes this node as a participant, if it listens and is not yet published as it is now. */
void joined_register(struct bypeer_joined *joined);

/* --- events.c --- */

void joined_add_event(struct bypeer_joined *joined, enum bypeer_record_change change,
                      const struct bypeer_record *record);
/* Tells who waits. */
void joined_tell(struct bypeer_joined *joined);
void joined_free_events(struct bypeer_joined *joined);

/* --- direct.c --- */

int joined_direct_init(struct bypeer_joined *joined); /* 0 or -ENOMEM */
void joined_direct_linked(struct bypeer_joined *joined, const struct bypeer_graph_link_event *event);
void joined_direct_data(struct bypeer_joined *joined, uint32_t number, const struct bypeer_guid *type,
                        const uint8_t *bytes, size_t length);
void joined_direct_turn(struct bypeer_joined *joined, struct bypeer_graph_time now);
void joined_direct_free(struct bypeer_joined *joined);
