/*
 * Private to control/names: what its files share.
 */
#pragma once

#include "control/names/cloud.h"
#include "control/names/feed.h"
#include "control/names/names.h"
#include "control/node.h"
#include "overlay/profile/key.h"

#define NAMES_CLOUDS_MAX 8 /* numbers 1 to 8, as in the tables */

/* A publication and its registrations, by number of the cloud; handle 0: none. One that is delegated has a key and a
 * chain, and nothing in the database. */
struct names_publication {
    struct names_publication *next;
    const struct bypeer_profile *profile; /* of a delegated one; else NULL */
    struct bypeer_key *key;
    uint8_t *chain;
    size_t chain_bytes;
    bool withdrawn;
    struct bypeer_store_publication stored;
    struct bypeer_peer_name name;
    struct {
        uint64_t handle;
        uint8_t id[32];
        bool is_located; /* the database has the ID's lower half */
    } registrations[NAMES_CLOUDS_MAX + 1];
};

struct bypeer_names {
    uv_loop_t *loop;
    struct bypeer_node *node;
    uint8_t secret[16];          /* of cookies, in all clouds and all workers */
    struct bypeer_cloud *clouds; /* as configured, then those that leave */
    struct names_publication *publications;
    unsigned publication_count;
    struct names_publication *delegated; /* likewise, and those that were withdrawn: threads may sign for them still */
    struct bypeer_feed *feed;
    struct bypeer_names_resolve *resolves;           /* all */
    struct bypeer_names_resolve *ready, **ready_end; /* those with something to tell */

    uv_prepare_t prepare;
    uv_timer_t upkeep;
    uv_poll_t addresses;
    int watch;        /* negative: addresses cannot be followed */
    unsigned handles; /* of the loop, and clouds */
    unsigned turns;   /* of the upkeep */
    bool closing;
};

/* --- publications.c --- */

/* Hears of identities' new keys. */
void names_follow_identities(struct bypeer_names *names);
/* What the database holds. */
int names_load(struct bypeer_names *names, struct bypeer_problem *problem);
/* Registers in the cloud what belongs there and is not yet registered. */
void names_register_all(struct bypeer_names *names, struct bypeer_cloud *cloud);
/* Revokes everything in the cloud. */
void names_unregister_all(struct bypeer_names *names, struct bypeer_cloud *cloud);
/* The cloud's registrations are gone with it. */
void names_forget_cloud(struct bypeer_names *names, const struct bypeer_cloud *cloud);
void names_free_publications(struct bypeer_names *names);
void names_unregister(struct names_publication *publication, struct bypeer_cloud *cloud);

/* --- delegations.c --- */

void names_free_delegations(struct bypeer_names *names);

/* --- resolves.c --- */

void names_on_found(struct bypeer_cloud *cloud, uint64_t resolve, const struct bypeer_pnrp_found *found);
void names_on_hop(struct bypeer_cloud *cloud, uint64_t resolve, const struct bypeer_pnrp_hop *hop);
void names_on_finished(struct bypeer_cloud *cloud, uint64_t resolve, int status);
/* Calls back what has happened. */
void names_deliver(struct bypeer_names *names);
/* The cloud answers no more. */
void names_abandon_cloud(struct bypeer_names *names, const struct bypeer_cloud *cloud);
void names_free_resolves(struct bypeer_names *names);
