/*
 * Entries of the model that follow the records of a group which this node has joined (origin "group"): the group
 * itself, links to other nodes and to plain clients, members behind them, multicast lists. control/attach is the one
 * who calls.
 *
 * They are in the tables like all others, but neither the file nor the API may change them, and the database has
 * nothing of them but the names of links with their ids and serials, so that sessions and counts outlive a restart:
 * whoever restores the group's records before a data plane attaches gets the same links again. Where the file or the
 * API has the same group, prefix, key or address already, that stays, and following fails with a message that says so.
 *
 * A link's name is that of its group, or "trunk", a slash, and the beginning of its key: nobody else can use a slash.
 *
 * Thread: control's loop. Hooks and make_room as of the model.
 */
#pragma once

#include "control/model/model.h"

/* Names, prefix and own address; the same again changes nothing. Any other group's links are removed first. */
int bypeer_model_follow_group(struct bypeer_model *model, const char *name, const uint8_t prefix[static 16],
                              const uint8_t address[static 16], uint32_t *ret_id, struct bypeer_problem *problem);
/* With all that is in it. */
void bypeer_model_unfollow_group(struct bypeer_model *model, uint32_t id);

struct bypeer_model_followed_link {
    uint8_t public_key[32];
    uint32_t group; /* id; BYPEER_GROUP_ANY: a trunk */
    bool has_address;
    uint8_t address[16]; /* of a plain client: what it is in the overlay */
    uint8_t endpoint[16];
    uint16_t endpoint_port; /* 0: the peer begins */
    uint16_t persistent_s;
};
/* Returns 1 if it is new, 0 if it is there already: then only where to begin is taken over, unless there is a session.
 */
int bypeer_model_follow_link(struct bypeer_model *model, const struct bypeer_model_followed_link *definition,
                             uint32_t *ret_id, struct bypeer_problem *problem);
/* With the members behind it. */
void bypeer_model_unfollow_link(struct bypeer_model *model, uint32_t id);

/* A member: packets for it leave by link, and those from it may come by the others, too. */
struct bypeer_model_followed_member {
    uint8_t address[16];
    uint32_t group; /* id */
    uint32_t roles; /* for the group's rules: BYPEER_ROLE_* */
    uint32_t link;  /* id, of a followed link */
    uint32_t others[4];
};
int bypeer_model_follow_member(struct bypeer_model *model, const struct bypeer_model_followed_member *member,
                               struct bypeer_problem *problem);
/* -ENOENT: it is not followed. */
int bypeer_model_unfollow_member(struct bypeer_model *model, const uint8_t address[static 16]);
/* All of them, by address; .line is 0. Valid until the next change. */
const struct bypeer_model_member *bypeer_model_followed_members(const struct bypeer_model *model, size_t *ret_count);

/* Ids of links that multicast of the group goes to, of more than BYPEER_MULTICAST_LINKS_MAX the first; this host's own
 * is group->local_link. */
int bypeer_model_follow_multicast(struct bypeer_model *model, uint32_t group, const uint32_t *links, uint32_t count,
                                  uint32_t packets_s, struct bypeer_problem *problem);

/* Links of before a restart that nobody has followed since give their ids back. */
int bypeer_model_sweep_followed(struct bypeer_model *model, struct bypeer_problem *problem);
