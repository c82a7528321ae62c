/*
 * What the node must not forget of limits and of what was carried for whom.
 *
 *   limits   (of_group, name, bits_s, burst, quota, period)
 *   accounts (name, received_packets, received_bytes, sent_packets, sent_bytes,     of a link, since it was added
 *             region, serial, seen_...,                                             what the data plane had counted
 * then period, period_base)                                                  of its quota
 *
 * Links and groups go by their names, those of the configuration file too. An account is durable as of its last row;
 * what came since is in the sessions region, whose counts go on, and is added at the next start. Conventions are those
 * of store.h.
 */
#pragma once

#include "control/store/store.h"

enum bypeer_quota_period {
    BYPEER_QUOTA_ALL = 0, /* since the link was added */
    BYPEER_QUOTA_DAY,     /* of UTC */
    BYPEER_QUOTA_MONTH,
};

struct bypeer_store_limit {
    bool of_group; /* else of a link */
    char name[64];
    uint64_t bits_s; /* 0: no rate */
    uint64_t burst;  /* bytes */
    uint64_t quota;  /* bytes of both directions in a period; 0: none */
    enum bypeer_quota_period period;
};

/* Of a link: received from it, sent to it. Inner packets. */
struct bypeer_store_traffic {
    uint64_t received_packets, received_bytes, sent_packets, sent_bytes;
};

struct bypeer_store_account {
    char name[64];
    struct bypeer_store_traffic all;
    uint64_t region; /* generation of the sessions region that .seen was read from; 0: none yet */
    uint32_t serial; /* of the link then */
    struct bypeer_store_traffic seen;
    uint32_t period;      /* number of the present one */
    uint64_t period_base; /* bytes of both directions when it began */
};

int bypeer_store_put_limit(struct bypeer_store *store, const struct bypeer_store_limit *limit,
                           struct bypeer_problem *problem);
int bypeer_store_put_account(struct bypeer_store *store, const struct bypeer_store_account *account,
                             struct bypeer_problem *problem);
/* What is not there is removed already: 0. */
int bypeer_store_remove_limit(struct bypeer_store *store, bool of_group, const char *name,
                              struct bypeer_problem *problem);
int bypeer_store_remove_account(struct bypeer_store *store, const char *name, struct bypeer_problem *problem);

/* Rows by name; those that cannot be right (a damaged file) are left out. */
int bypeer_store_each_limit(struct bypeer_store *store,
                            int (*visit)(void *context, const struct bypeer_store_limit *limit), void *context,
                            struct bypeer_problem *problem);
int bypeer_store_each_account(struct bypeer_store *store,
                              int (*visit)(void *context, const struct bypeer_store_account *account), void *context,
                              struct bypeer_problem *problem);
