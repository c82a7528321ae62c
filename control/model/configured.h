/*
 * Private to the model: entries of the configuration file as entries of the model; shared by the first load and
 * reloads.
 */
#pragma once

#include "control/model/entries.h"

/* The entry of the name; a new one gets an id and, in the present transaction, its row. NULL: see problem. */
struct bypeer_model_group *model_need_configured_group(struct bypeer_model *model,
                                                       const struct bypeer_config_group *from,
                                                       struct bypeer_problem *problem);
struct bypeer_model_link *model_need_configured_link(struct bypeer_model *model, const char *name,
                                                     struct bypeer_problem *problem);

/* Gives the entry the definition and line of the file. */
void model_configure_group(struct bypeer_model_group *group, const struct bypeer_config_group *from);
void model_configure_link(struct bypeer_model *model, struct bypeer_model_link *link,
                          const struct bypeer_config_link *from);
/* The same of a peer; it must not be live if its key is another one. -EACCES, -EINVAL or errno: its preshared key
 * cannot be read, and nothing has changed. */
int model_configure_peer(struct bypeer_model *model, struct bypeer_model_link *link,
                         const struct bypeer_config_peer *from, struct bypeer_problem *problem);

/* Its row, in the present transaction, says now which peer of the file it is: by that the next start knows whether its
 * serial still counts. One that the API has under this name, too, has a row of its own, and keeps that. */
int model_keep_configured_peer(struct bypeer_model *model, const struct bypeer_model_link *link,
                               struct bypeer_problem *problem);
/* The same of one with another key or group than its row says, by which it is another peer: with a new serial. */
int model_make_peer_another(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem);

/* Members of the file, peers with an address among them, sorted by address, to be freed; their links must have entries.
 */
int model_configured_members(struct bypeer_model *model, const struct bypeer_config *config,
                             struct bypeer_model_member **ret_members, size_t *ret_count,
                             struct bypeer_problem *problem);
int model_configured_route(struct bypeer_model *model, const struct bypeer_config_route *from,
                           struct bypeer_model_route *ret_route, struct bypeer_problem *problem);
