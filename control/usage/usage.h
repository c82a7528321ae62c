/*
 * What was carried for whom, and how much they may: accounts of links, limits of links and groups, quotas.
 *
 *   sessions region -- counts of each link --> account --> SQLite, every ten seconds; API, quota
 *   API -- limit --> SQLite --> tables (bypeer_limit), at once and after whatever else took it away
 *
 * A member behind a WireGuard link is that link; those behind one fabric link have one account. An account only grows:
 * it goes on over restarts of both processes, since the region does, and over the loss of the region, which costs what
 * was counted since the last ten seconds. It ends, and its limit with it, when the model no longer knows the link.
 *
 * A quota counts the bytes of both directions; within a second of its being used up, the link is blocked until the
 * period ends or the quota is raised.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include "control/model/model.h"
#include "control/problem.h"
#include "control/store/usage.h"
#include "overlay/tables/sessions.h"

struct bypeer_usage;
struct bypeer_node;

/* Reads limits and accounts, and puts the limits into the tables of the node's first generation. */
int bypeer_usage_open(struct bypeer_usage **ret_usage, struct bypeer_node *node, struct bypeer_problem *problem);
void bypeer_usage_close(struct bypeer_usage *usage); /* NULL is fine; saves nothing */

/* Adds up a tenth of the accounts and saves them, judges quotas, and sees to it that the tables say what the limits do:
 * to be called once or twice a second. view may be NULL: there is no sessions region yet. */
void bypeer_usage_turn(struct bypeer_usage *usage, const struct bypeer_sessions_view *view, uint64_t unix_s);
/* Saves every account. */
void bypeer_usage_save(struct bypeer_usage *usage, const struct bypeer_sessions_view *view);

/* A name is free, of a link with this id or (0) of a group: limit and account are over, whoever has it next. usage may
 * be NULL. To be called also within a transaction of the model: the rows go with the next turn. */
void bypeer_usage_name_dropped(struct bypeer_usage *usage, const char *name, uint32_t link);

/* Sets the limit of a link or group in place of the one that it has; with neither rate nor quota removes it. Durable
 * and in force when 0 is returned. */
int bypeer_usage_set_limit(struct bypeer_usage *usage, const struct bypeer_store_limit *limit,
                           struct bypeer_problem *problem);

/* A limit with its state, or NULL: it has none, or it is over. Valid until the next call. */
struct bypeer_usage_limit {
    struct bypeer_store_limit limit;
    bool blocked; /* its quota is used up */
    bool is_over; /* who had it is no more */
};
const struct bypeer_usage_limit *bypeer_usage_find_limit(const struct bypeer_usage *usage, bool of_group,
                                                         const char *name);
/* The at-th limit, in no order, those that are over among them, or NULL. */
const struct bypeer_usage_limit *bypeer_usage_limit(const struct bypeer_usage *usage, size_t at);

/* A link's account as of now. *ret_used: bytes of the present period of its quota. False: no memory. */
bool bypeer_usage_account(struct bypeer_usage *usage, const struct bypeer_sessions_view *view,
                          const struct bypeer_model_link *link, struct bypeer_store_traffic *ret_all,
                          uint64_t *ret_used);
