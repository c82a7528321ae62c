/*
 * Private to the plan: what its files share. The steps, in this order: plan_scene.c: who is a member, and what is said
 * of whom; plan_links.c: links of all groups together; plan.c: the best way to each member, and multicast lists.
 */
#pragma once

#include "control/attach/plan.h"

#define CARRIES_NO_LINK UINT32_MAX

/* Another node of a group, by its attachment for itself. */
struct trunk {
    uint32_t group;
    uint8_t address[16];
    const struct bypeer_plan_attachment *own_word;
    uint32_t link; /* of the plan */
};

/* A plain client of this node. */
struct client {
    uint32_t group;
    const struct bypeer_plan_attachment *attachment;
    uint32_t link, previous_link;
};

/* A group, in order. */
struct scene {
    uint8_t own[16];
    struct bypeer_plan_member *members; /* each address once, those only whose membership holds now; by address */
    size_t member_count;
    const struct bypeer_plan_attachment **attachments; /* by member, supernode, and the highest sequence first */
    size_t attachment_count;
    bool carried;
};

struct planning {
    const struct bypeer_plan_input *input;
    struct bypeer_plan *plan;
    struct scene *scenes;
    struct bypeer_plan_node *nodes; /* by key */
    struct trunk *trunks;           /* by group and address */
    size_t trunk_count;
    struct client *clients; /* by group and member */
    size_t client_count;
    uint8_t (*client_keys)[32]; /* of all clients, the present ones and those before, sorted */
    size_t client_key_count;
    bool failed; /* no memory */
};

/* An array of at least one, so that NULL always means that there is no memory. */
void *plan_array(struct planning *planning, size_t count, size_t size);
int plan_compare_numbers(uint64_t a, uint64_t b);

/* --- plan_scene.c --- */

const struct bypeer_plan_member *plan_find_member(const struct scene *scene, const uint8_t address[static 16]);
void plan_gather(struct planning *planning, struct scene *scene, const struct bypeer_plan_group *group);
bool plan_is_of_itself(const struct bypeer_plan_attachment *attachment);
/* This pair was there just before, with a later sequence. */
bool plan_is_repeated(const struct scene *scene, size_t at);

/* --- plan_links.c --- */

void plan_find_clients(struct planning *planning, uint32_t group);
/* Of the clients of all groups. */
void plan_gather_client_keys(struct planning *planning);
/* Needs the keys of clients, which no record of another takes. */
void plan_find_trunks(struct planning *planning, uint32_t group);
/* Of all trunks and clients. */
void plan_make_links(struct planning *planning);
const struct bypeer_plan_node *plan_find_node(const struct planning *planning, const uint8_t key[static 32]);
int plan_compare_nodes(const void *one, const void *other);
