/*
 * What the node must not forget of the groups that it is in: memberships, their records, and who did what when.
 *
 *   groups_joined (name, profile, identity, friendly, root, chain, seeds, time_delta, synchronised)
 *   group_records (group_name, id, flags, record)      WITHOUT ROWID; the record as on the wire
 *   group_issued  (number, group_name, key, name, friendly, roles, issued, expires, how): of each key the last one
 *   audit         (number, time, group_name, action, who, whom, text)
 *
 * A group goes by its peer name. Private keys are files, never here. Conventions are those of store.h.
 */
#pragma once

#include "control/store/store.h"
#include "overlay/profile/profile.h"

#define BYPEER_STORE_SEEDS      8
#define BYPEER_STORE_FRIENDLY   (3 * 255 + 1) /* bytes with NUL */
#define BYPEER_STORE_AUDIT_TEXT 256           /* likewise */
#define BYPEER_STORE_AUDIT_ROWS 100000        /* the oldest go */
#define BYPEER_STORE_ISSUED     16384         /* memberships that were issued, of a group; the oldest by password go */

struct bypeer_store_seed {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

/* A group that this node is in. Texts and bytes are the caller's, or valid during visit(). */
struct bypeer_store_joined {
    const char *name;     /* the group's peer name */
    const char *profile;  /* of the wire */
    const char *identity; /* peer name of the one that is its member here */
    const char *friendly;
    const uint8_t *root, *chain; /* certificate of the group; own membership: a bag, NULL until there is one */
    size_t root_bytes, chain_bytes;
    struct bypeer_store_seed seeds[BYPEER_STORE_SEEDS]; /* whom to ask first */
    unsigned seed_count;
    int64_t time_delta; /* of peer time, 100 ns */
    bool synchronised;  /* its records were all here once */
};

/* A membership that this node issued. */
struct bypeer_store_issued {
    int64_t number; /* ascending; set by the store */
    char group[BYPEER_NAME_TEXT_MAX];
    uint8_t key[BYPEER_PUBLIC_KEY_MAX]; /* of whom it is for */
    size_t key_bytes;
    char name[BYPEER_NAME_TEXT_MAX];
    char friendly[BYPEER_STORE_FRIENDLY];
    uint32_t roles;               /* BYPEER_ROLE_* */
    uint64_t issued_s, expires_s; /* CLOCK_REALTIME; the latter of all that the key has */
    char how[16];                 /* "invited", "renewed", "password" */
};

struct bypeer_store_audit {
    int64_t number;  /* ascending; set by the store */
    uint64_t time_s; /* CLOCK_REALTIME */
    char group[BYPEER_NAME_TEXT_MAX];
    char action[32]; /* "issued", "joined", "revoked", "refused", ... */
    char who[BYPEER_NAME_TEXT_MAX];
    char whom[BYPEER_NAME_TEXT_MAX];
    char text[BYPEER_STORE_AUDIT_TEXT];
};

int bypeer_store_put_joined(struct bypeer_store *store, const struct bypeer_store_joined *joined,
                            struct bypeer_problem *problem);
/* With its records and what was issued in it; what it did stays in the audit log. */
int bypeer_store_remove_joined(struct bypeer_store *store, const char *name, struct bypeer_problem *problem);
/* By name. Rows that cannot be right (a damaged file) are left out. */
int bypeer_store_each_joined(struct bypeer_store *store,
                             int (*visit)(void *context, const struct bypeer_store_joined *joined), void *context,
                             struct bypeer_problem *problem);

/* flags: those that are not on the wire. */
int bypeer_store_put_record(struct bypeer_store *store, const char *group, const uint8_t id[static 16], uint32_t flags,
                            const uint8_t *record, size_t length, struct bypeer_problem *problem);
int bypeer_store_remove_record(struct bypeer_store *store, const char *group, const uint8_t id[static 16],
                               struct bypeer_problem *problem);
int bypeer_store_each_record(struct bypeer_store *store, const char *group,
                             int (*visit)(void *context, uint32_t flags, const uint8_t *record, size_t length),
                             void *context, struct bypeer_problem *problem);

/* In place of what the key had; forgets what has expired by now_s, and what is beyond BYPEER_STORE_ISSUED. */
int bypeer_store_put_issued(struct bypeer_store *store, const struct bypeer_store_issued *issued, uint64_t now_s,
                            struct bypeer_problem *problem);
/* Those of a group after a number, oldest first. */
int bypeer_store_each_issued(struct bypeer_store *store, const char *group, int64_t after,
                             int (*visit)(void *context, const struct bypeer_store_issued *issued), void *context,
                             struct bypeer_problem *problem);

/* Appends, and forgets what is beyond BYPEER_STORE_AUDIT_ROWS. */
int bypeer_store_put_audit(struct bypeer_store *store, const struct bypeer_store_audit *entry,
                           struct bypeer_problem *problem);
/* Those after a number, oldest first. */
int bypeer_store_each_audit(struct bypeer_store *store, int64_t after,
                            int (*visit)(void *context, const struct bypeer_store_audit *entry), void *context,
                            struct bypeer_problem *problem);
/* The number that the last `entries` come after. */
int bypeer_store_audit_tail(struct bypeer_store *store, unsigned entries, int64_t *ret_after,
                            struct bypeer_problem *problem);
