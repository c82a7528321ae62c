/* What the files of usage share. */
#pragma once

#include "control/usage/usage.h"

struct usage_account {
    struct bypeer_store_account row;
    bool dirty;   /* the database has another state of it */
    bool is_over; /* its link is no more */
};

struct bypeer_usage {
    struct bypeer_node *node;
    struct usage_account **accounts; /* by id of the link; NULL: none */
    uint32_t account_room;
    struct bypeer_usage_limit *limits; /* of links, then of groups, by name */
    size_t limit_count, limit_room;
    unsigned slice;
    uint64_t unix_s; /* of the last turn; 0: there was none yet */
};

/* Room for one more limit. */
bool usage_reserve_limit(struct bypeer_usage *usage);
/* The account of a link, as of the view; NULL: no memory. */
struct usage_account *usage_account_of(struct bypeer_usage *usage, const struct bypeer_sessions_view *view,
                                       const struct bypeer_model_link *link);
/* Its link or group is no more. */
void usage_end_limit(struct bypeer_usage *usage, bool of_group, const char *name);
/* Bytes of both directions in the present period; unix_s 0: in the one that was the present one last. */
uint64_t usage_used(struct usage_account *account, enum bypeer_quota_period period, uint64_t unix_s);
/* Quotas, and limits whose link or group is no more. */
void usage_turn_limits(struct bypeer_usage *usage, const struct bypeer_sessions_view *view);
