/*
 * What the node must not forget of the groups that it is in: memberships, their records, and who did what when.
 *
 *   groups_joined (name, profile, identity, friendly, root, chain, seeds, time_delta, synchronised)
 *   group_records (group_name, id, flags, record)      WITHOUT ROWID; the record as on the wire
 *   audit         (number, time, group_name, action, who, whom, text)
 *
 * A group goes by its peer name. Private keys are files, never here. Conventions are those of store.h.
 */
#pragma once

#include "control/store/store.h"

#define BYPEER_STORE_SEEDS      8
#define BYPEER_STORE_FRIENDLY   (3 * 255 + 1) /* bytes with NUL */
#define BYPEER_STORE_AUDIT_TEXT 256           /* likewise */
#define BYPEER_STORE_AUDIT_ROWS 100000        /* the oldest go */

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
/* With its records; what it did stays in the audit log. */
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
