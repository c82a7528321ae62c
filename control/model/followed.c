/*
 * Followed entries: checked like those by API, but made of what a group's records say now, so there is nothing to make
 * durable but the id and the serial of a link.
 */
#include "control/model/followed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/entries.h"
#include "overlay/ip/ipv6.h"

#define KEY_BYTES_IN_NAME 8

int model_refuse_followed(const char *kind, const char *name, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -EPERM, "followed",
                              "%s \"%.64s\"\ncomes from the records of a group that this node has joined\nchange it "
                              "there, with: bypeer group",
                              kind, name);
}

/* --- groups --- */

/* Of fabric links that somebody may add to it; agreed by the hash that the prefix is. */
static uint32_t followed_vni(const uint8_t prefix[static 16])
{
    uint32_t vni = (uint32_t)prefix[3] << 16 | (uint32_t)prefix[4] << 8 | prefix[5];
    return vni ? vni : 1;
}

int bypeer_model_follow_group(struct bypeer_model *model, const char *name, const uint8_t prefix[static 16],
                              const uint8_t address[static 16], uint32_t *ret_id, struct bypeer_problem *problem)
{
    struct bypeer_store_group definition = {.vni = followed_vni(prefix), .has_address = true};
    snprintf(definition.name, sizeof(definition.name), "%s", name);
    memcpy(definition.prefix, prefix, 16);
    memcpy(definition.address, address, 16);
    int result = model_check_group(&definition, problem);
    if (result < 0)
        return result;
    struct bypeer_model_group *group = model_find_group(model, name);
    if (group && group->live && group->followed) {
        if (memcmp(group->prefix, prefix, 16) == 0 && memcmp(group->address, address, 16) == 0) {
            *ret_id = group->id;
            return 0;
        }
        bypeer_model_unfollow_group(model, group->id);
        group = NULL;
    }
    if (group)
        return bypeer_problem_set(problem, -EEXIST, "group_exists",
                                  "group \"%s\"\n%s has a group of that name\nname one of them otherwise", name,
                                  group->line ? "the configuration file" : "the API");
    group = model_new_group(model, 0, name);
    if (!group)
        return bypeer_problem_no_memory(problem);
    model_define_group(group, &definition);
    group->followed = true;
    result = model_check_group_fits(model, group, problem);
    if (result == 0)
        result = model_start_group(model, group, problem);
    if (result < 0) {
        model_drop_group(model, group);
        return result;
    }
    *ret_id = group->id;
    return 0;
}

void bypeer_model_unfollow_group(struct bypeer_model *model, uint32_t id)
{
    struct bypeer_model_group *group = model_group(model, id);
    if (!group || !group->followed)
        return;
    for (uint32_t link = 1; link < model->link_room; link++)
        if (model->links[link] && model->links[link]->followed && model->links[link]->group == id)
            bypeer_model_unfollow_link(model, link);
    for (size_t at = model->followed_count; at > 0; at--) { /* those behind trunks */
        uint8_t address[16];
        memcpy(address, model->followed[at - 1].address, 16);
        if (memcmp(address, group->prefix, 6) == 0)
            (void)bypeer_model_unfollow_member(model, address);
    }
    struct bypeer_model_link *local = model_link(model, group->local_link);
    model_stop_group(model, group);
    if (local) {
        (void)bypeer_store_remove_link(model->store, local->id, NULL);
        model_drop_link(model, local);
    }
    model_drop_group(model, group);
}

/* --- links --- */

static void followed_name(const struct bypeer_model *model, const struct bypeer_model_followed_link *definition,
                          char ret_name[static 64])
{
    const struct bypeer_model_group *group = model_group(model, definition->group);
    int length = snprintf(ret_name, 64, "%.40s/", group ? group->name : "trunk");
    for (unsigned at = 0; at < KEY_BYTES_IN_NAME; at++)
        length += snprintf(ret_name + length, 64 - (size_t)length, "%02x", definition->public_key[at]);
}

static void followed_define(struct bypeer_model_link *link, const struct bypeer_model_followed_link *definition)
{
    struct bypeer_store_link row = {.wireguard = true,
                                    .group = definition->group,
                                    .has_address = definition->has_address,
                                    .persistent_s = definition->persistent_s,
                                    .endpoint_port = definition->endpoint_port};
    memcpy(row.public_key, definition->public_key, 32);
    memcpy(row.address, definition->address, 16);
    memcpy(row.endpoint, definition->endpoint, 16);
    model_define_link(link, &row);
}

/* Where to begin is another place now: tried at once, unless the peer is heard already, which says it better. */
static int followed_turn(struct bypeer_model *model, struct bypeer_model_link *link,
                         const struct bypeer_model_followed_link *definition)
{
    bool is_same =
        link->endpoint_port == definition->endpoint_port && memcmp(link->endpoint, definition->endpoint, 16) == 0;
    if (is_same)
        return 0;
    memcpy(link->endpoint, definition->endpoint, 16);
    link->endpoint_port = definition->endpoint_port;
    if (link->current != 0 || definition->endpoint_port == 0)
        return 0;
    return bypeer_model_set_endpoint(model, link->id, link->endpoint, link->endpoint_port, NULL);
}

int bypeer_model_follow_link(struct bypeer_model *model, const struct bypeer_model_followed_link *definition,
                             uint32_t *ret_id, struct bypeer_problem *problem)
{
    char name[64];
    followed_name(model, definition, name);
    struct bypeer_model_link *link = model_find_link(model, name);
    if (link && link->live) {
        *ret_id = link->id;
        return memcmp(link->public_key, definition->public_key, 32) == 0
                   ? followed_turn(model, link, definition)
                   : bypeer_problem_set(problem, -EEXIST, "key_exists",
                                        "link \"%s\"\nanother key begins like its own\nmake another key", name);
    }
    uint32_t serial = link ? link->serial : 0; /* of before a restart */
    if (!link && !(link = model_new_link(model, 0, name)))
        return bypeer_problem_no_memory(problem);
    followed_define(link, definition);
    link->followed = true;
    int result = model_check_link_fits(model, link, problem);
    if (result == 0 && serial == 0)
        result = model_make_link_durable(model, link, problem);
    if (result == 0)
        result = model_start_link(model, link, problem);
    if (result < 0) {
        if (serial == 0) {
            (void)bypeer_store_remove_link(model->store, link->id, NULL);
            model_drop_link(model, link);
        }
        return result;
    }
    *ret_id = link->id;
    return 1;
}

void bypeer_model_unfollow_link(struct bypeer_model *model, uint32_t id)
{
    struct bypeer_model_link *link = model_link(model, id);
    if (!link || !link->followed)
        return;
    for (size_t at = model->followed_count; link->members > 0 && at > 0; at--)
        if (model->followed[at - 1].link == id) {
            uint8_t address[16];
            memcpy(address, model->followed[at - 1].address, 16);
            (void)bypeer_model_unfollow_member(model, address);
        }
    model_stop_link(model, link);
    (void)bypeer_store_remove_link(model->store, id, NULL);
    model_drop_link(model, link);
}

int bypeer_model_sweep_followed(struct bypeer_model *model, struct bypeer_problem *problem)
{
    int result = 0;
    for (uint32_t id = 1; id < model->link_room && result == 0; id++) {
        struct bypeer_model_link *link = model->links[id];
        if (!link || link->live || !model_is_followed_name(link->name))
            continue;
        result = bypeer_store_remove_link(model->store, id, problem);
        model_drop_link(model, link);
    }
    return result;
}

bool model_is_followed_name(const char *name)
{
    return strchr(name, '/') != NULL;
}

/* --- members --- */

/* The first one whose address is not before this one. */
static size_t followed_seek(const struct bypeer_model *model, const uint8_t address[static 16])
{
    size_t low = 0, high = model->followed_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(model->followed[middle].address, address, 16) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct bypeer_model_member *model_followed_member(const struct bypeer_model *model,
                                                        const uint8_t address[static 16])
{
    size_t at = followed_seek(model, address);
    bool found = at < model->followed_count && memcmp(model->followed[at].address, address, 16) == 0;
    return found ? &model->followed[at] : NULL;
}

const struct bypeer_model_member *bypeer_model_followed_members(const struct bypeer_model *model, size_t *ret_count)
{
    *ret_count = model->followed_count;
    return model->followed;
}

static int followed_make_room(struct bypeer_model *model)
{
    if (model->followed_count < model->followed_room)
        return 0;
    size_t room = model->followed_room ? model->followed_room * 2 : 64;
    struct bypeer_model_member *longer = reallocarray(model->followed, room, sizeof(*longer));
    if (!longer)
        return -ENOMEM;
    model->followed = longer;
    model->followed_room = room;
    return 0;
}

static bool followed_is_same(const struct bypeer_destination *one, const struct bypeer_destination *other)
{
    return one->link == other->link && one->group == other->group && one->flags == other->flags &&
           memcmp(one->others, other->others, sizeof(one->others)) == 0;
}

int bypeer_model_follow_member(struct bypeer_model *model, const struct bypeer_model_followed_member *member,
                               struct bypeer_problem *problem)
{
    const struct bypeer_model_group *group = model_group(model, member->group);
    const struct bypeer_model_link *link = model_link(model, member->link);
    if (!group || !group->live || !link || !link->live || !bypeer_ipv6_in_prefix(member->address, group->prefix, 48) ||
        memcmp(member->address, group->address, 16) == 0)
        return bypeer_problem_set(
            problem, -EINVAL, "bad_member",
            "a member of group \"%s\"\nhas no address of the group, or no link\nlook for what was "
            "logged before",
            group ? group->name : "");
    struct bypeer_destination record = {.link = member->link,
                                        .group = member->group,
                                        .flags =
                                            member->roles << BYPEER_DESTINATION_ROLES_SHIFT & BYPEER_DESTINATION_ROLES,
                                        .prefix_bits = 128};
    memcpy(record.key, member->address, 16);
    memcpy(record.others, member->others, sizeof(record.others));
    struct bypeer_model_member *there = (struct bypeer_model_member *)model_followed_member(model, member->address);
    const struct bypeer_destination *present = bypeer_writer_find_destination(model->writer, member->address);
    if (there && present && followed_is_same(present, &record))
        return 0;
    if (!there && present)
        return bypeer_problem_set(problem, -EEXIST, "member_exists",
                                  "a member of group \"%s\"\nis behind another link already\nremove it there",
                                  group->name);
    if (!there && followed_make_room(model) < 0)
        return bypeer_problem_no_memory(problem);
    int result = model_put_destination(model, &record, problem);
    if (result < 0)
        return result;
    if (!there) {
        size_t at = followed_seek(model, member->address);
        memmove(&model->followed[at + 1], &model->followed[at],
                (model->followed_count++ - at) * sizeof(*model->followed));
        there = &model->followed[at];
        *there = (struct bypeer_model_member){.line = 0};
        memcpy(there->address, member->address, 16);
    }
    there->link = member->link;
    there->group = member->group;
    return 0;
}

int bypeer_model_unfollow_member(struct bypeer_model *model, const uint8_t address[static 16])
{
    const struct bypeer_model_member *there = model_followed_member(model, address);
    if (!there)
        return -ENOENT;
    model_take_member(model, address);
    size_t at = (size_t)(there - model->followed);
    memmove(&model->followed[at], &model->followed[at + 1], (--model->followed_count - at) * sizeof(*model->followed));
    return 0;
}

/* --- multicast --- */

int bypeer_model_follow_multicast(struct bypeer_model *model, uint32_t id, const uint32_t *links, uint32_t count,
                                  uint32_t packets_s, struct bypeer_problem *problem)
{
    const struct bypeer_model_group *group = model_group(model, id);
    if (!group || !group->followed)
        return bypeer_problem_set(problem, -ENOENT, "no_such_group",
                                  "group %u\nis not followed\nlist the groups with: bypeer groups", id);
    if (count > BYPEER_MULTICAST_LINKS_MAX)
        count = BYPEER_MULTICAST_LINKS_MAX;
    struct bypeer_multicast_receiver receivers[BYPEER_MULTICAST_LINKS_MAX];
    for (uint32_t at = 0; at < count; at++) {
        const struct bypeer_model_link *link = model_link(model, links[at]);
        receivers[at] =
            link ? bypeer_model_receiver(model, link) : (struct bypeer_multicast_receiver){.link = links[at]};
    }
    for (unsigned attempt = 0;; attempt++) {
        int result = bypeer_writer_set_multicast(model->writer, id, receivers, count, packets_s);
        if (result == -ENOSPC || result == -EAGAIN)
            result = model_make_room(model, result, attempt, problem);
        else
            return result < 0 ? bypeer_problem_set(problem, result, "capacity",
                                                   "group \"%s\"\nits multicast list has no place in the tables: %s\n"
                                                   "have fewer links in the group",
                                                   group->name, strerror(-result))
                              : 0;
        if (result < 0)
            return result;
    }
}
