/*
 * Private to the model: its entries, and the steps that its files share.
 */
#pragma once

#include "control/model/ids.h"
#include "control/model/model.h"

struct bypeer_model {
    struct bypeer_store *store;
    struct bypeer_writer *writer;
    struct bypeer_model_hooks hooks;
    struct bypeer_model_limits limits;

    struct bypeer_ids group_names, link_names;
    struct bypeer_ids peer_keys;        /* of live peers, by .key_text */
    struct bypeer_model_group **groups; /* by id; NULL: no such entry */
    struct bypeer_model_link **links;
    uint32_t group_room, link_room;   /* entries of the arrays */
    uint32_t group_hint, link_hint;   /* no id below is free */
    uint32_t live_groups, live_links; /* links to peers */
    uint64_t members;                 /* in the tables */
    uint64_t kept;                    /* entries of the store, of any kind, that are not live */

    struct bypeer_model_route *routes; /* live ones, by prefix and bits */
    size_t route_count, route_room;

    struct bypeer_model_member *configured; /* members of the file, by address */
    size_t configured_count;
    struct bypeer_model_member *followed; /* members that follow records, by address */
    size_t followed_count, followed_room;

    struct bypeer_adjacency *adjacencies; /* by id; .id 0: none */
    uint32_t adjacency_room;

    bool prefixes_wait; /* a commit of prefixes waits for a grace period */
};

/* --- model.c: entries and their ids --- */

/* A new entry under the id (0: the lowest free one). NULL: no memory. */
struct bypeer_model_group *model_new_group(struct bypeer_model *model, uint32_t id, const char *name);
struct bypeer_model_link *model_new_link(struct bypeer_model *model, uint32_t id, const char *name);
void model_drop_group(struct bypeer_model *model, struct bypeer_model_group *group);
void model_drop_link(struct bypeer_model *model, struct bypeer_model_link *link);
struct bypeer_model_group *model_group(const struct bypeer_model *model, uint32_t id);
struct bypeer_model_link *model_link(const struct bypeer_model *model, uint32_t id);
struct bypeer_model_group *model_find_group(const struct bypeer_model *model, const char *name);
struct bypeer_model_link *model_find_link(const struct bypeer_model *model, const char *name);

/* After a writer said error (-EAGAIN or -ENOSPC): 0 to try again. More than a few times in a row is refused. */
int model_make_room(struct bypeer_model *model, int error, unsigned attempt, struct bypeer_problem *problem);

/* --- checks that need no model: check.c --- */

int model_check_group(const struct bypeer_store_group *definition, struct bypeer_problem *problem);
int model_check_link(const struct bypeer_store_link *definition, struct bypeer_problem *problem);
int model_check_route(const uint8_t prefix[static 16], uint8_t bits, struct bypeer_problem *problem);
bool model_is_ipv4(const uint8_t address[static 16]);

/* --- groups.c, links.c, members.c, routes.c: an entry into the tables, and out of them --- */

int model_put_group_row(struct bypeer_model *model, const struct bypeer_model_group *group,
                        struct bypeer_problem *problem);
/* Checks against the live groups, puts the entry into the tables with its link to this host. */
int model_check_group_fits(const struct bypeer_model *model, const struct bypeer_model_group *group,
                           struct bypeer_problem *problem);
int model_start_group(struct bypeer_model *model, struct bypeer_model_group *group, struct bypeer_problem *problem);
void model_stop_group(struct bypeer_model *model, struct bypeer_model_group *group);
/* The same, but its record stays in the tables, with its rules, until it is started again: its links may stay, too. */
void model_suspend_group(struct bypeer_model *model, struct bypeer_model_group *group);
void model_define_group(struct bypeer_model_group *group, const struct bypeer_store_group *definition);

int model_put_link_row(struct bypeer_model *model, const struct bypeer_model_link *link,
                       struct bypeer_problem *problem);
/* Gives a new link its serial and writes its row, in the present transaction or one of its own. */
int model_make_link_durable(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem);
int model_check_link_fits(const struct bypeer_model *model, const struct bypeer_model_link *link,
                          struct bypeer_problem *problem);
int model_start_link(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem);
void model_stop_link(struct bypeer_model *model, struct bypeer_model_link *link);
/* Puts the link's record as it is now into the tables. */
int model_refresh_link(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem);
void model_define_link(struct bypeer_model_link *link, const struct bypeer_store_link *definition);
/* 1: the peer's own address is a member behind it that was added by API; 0; or negative errno. */
int model_holds_own_address(struct bypeer_model *model, const struct bypeer_model_link *link,
                            struct bypeer_problem *problem);
int model_key_exists(const struct bypeer_model_link *link, const struct bypeer_model_link *other,
                     struct bypeer_problem *problem);
/* The key in a file that nobody but its owner may read. */
int model_read_preshared(const char *file, uint8_t ret_key[static 32], struct bypeer_problem *problem);
/* Names the peer's public key; before that it must not be live. */
void model_set_key(struct bypeer_model_link *link, const uint8_t public_key[static 32]);
/* Links and members more than there are: larger tables if need be. */
int model_reserve(struct bypeer_model *model, size_t links, size_t members, struct bypeer_problem *problem);
/* NULL: there can be such a member behind the link by API. Else what is wrong with it, and the remedy. */
const char *model_member_is_wrong(const struct bypeer_model *model, const struct bypeer_model_link *link,
                                  const uint8_t address[static 16], const char **ret_remedy);

int model_put_destination(struct bypeer_model *model, const struct bypeer_destination *record,
                          struct bypeer_problem *problem);
int model_put_member(struct bypeer_model *model, const uint8_t address[static 16], struct bypeer_model_link *link,
                     uint32_t flags, struct bypeer_problem *problem);
void model_take_member(struct bypeer_model *model, const uint8_t address[static 16]);
/* Before the row of a member in the store changes: if it is a kept one, it is no longer. */
int model_forget_kept_member(struct bypeer_model *model, const uint8_t address[static 16],
                             struct bypeer_problem *problem);
/* The member of the file with this address, or NULL. */
const struct bypeer_model_member *model_configured_member(const struct bypeer_model *model,
                                                          const uint8_t address[static 16]);

/* --- followed.c: what follows records of a group --- */

/* -EPERM: who wants to change an entry that is not his to change. */
int model_refuse_followed(const char *kind, const char *name, struct bypeer_problem *problem);
bool model_is_followed_name(const char *name);
const struct bypeer_model_member *model_followed_member(const struct bypeer_model *model,
                                                        const uint8_t address[static 16]);

int model_put_route(struct bypeer_model *model, const struct bypeer_model_route *route, struct bypeer_problem *problem);
void model_take_route(struct bypeer_model *model, const uint8_t prefix[static 16], uint8_t bits);
const struct bypeer_model_route *model_find_route(const struct bypeer_model *model, const uint8_t prefix[static 16],
                                                  uint8_t bits);
int model_commit_routes(struct bypeer_model *model, struct bypeer_problem *problem);

/* load.c: names that neither the file nor the API uses any more give their ids back, in the present transaction. */
int model_drop_unused(struct bypeer_model *model, struct bypeer_problem *problem);

/*
 * wake.c: makes live what the store has and nothing is in the way of: groups, then links, then members and routes of
 * links that woke up. Whatever cannot wake gives a line to warn (NULL: silently). At the start nothing is live yet, so
 * this loads everything.
 */
int model_wake(struct bypeer_model *model, void (*warn)(void *context, const char *line), void *context,
               struct bypeer_problem *problem);
