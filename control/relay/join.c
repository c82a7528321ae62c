/*
 * Members and pairs that come: made in memory, where whatever is wrong with them shows, then durable, then in the
 * tables. Until they are durable, all of them can be taken back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include "control/relay/state.h"
#include "overlay/relay/address.h"

/* A pair that is made, with what is written of it. */
struct join_pair {
    uint32_t number;
    uint8_t secrets[2][16];
};

struct join {
    struct bypeer_relays *relays;
    const struct bypeer_relay_joining *joining;
    struct bypeer_relay_member **members; /* of each entry */
    uint32_t *made_members;               /* ids */
    size_t made_member_count;
    struct join_pair *made;
    size_t made_count, made_room;
    uint32_t *renewed; /* numbers of pairs that get another end */
    size_t renewed_count, renewed_room;
    uint64_t serial;
    struct bypeer_problem *problem;
};

/* --- members --- */

static int join_check_known(struct join *join, const struct bypeer_relay_entry *entry,
                            const struct bypeer_relay_member *member)
{
    const char *wrong = NULL;
    if (entry->public_key && memcmp(entry->public_key, member->public_key, 32) != 0)
        wrong = "public key";
    else if (entry->address && memcmp(entry->address, member->address, 16) != 0)
        wrong = "overlay address";
    else if (join->joining->group && strcmp(join->joining->group, member->group) != 0)
        wrong = "group";
    if (!wrong)
        return 0;
    return bypeer_problem_set(join->problem, -EEXIST, "member_exists",
                              "relay member \"%s\"\nis there with another %s\nremove it first, or use another name",
                              member->name, wrong);
}

static int join_check_new(struct join *join, const struct bypeer_store_relay_member *row,
                          const struct bypeer_model_group *group)
{
    static const uint8_t no_key[32];
    const struct bypeer_relay_member *other;
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, row->address, text, sizeof(text));
    if (memcmp(row->public_key, no_key, 32) == 0)
        return bypeer_problem_set(join->problem, -EINVAL, "bad_key",
                                  "relay member \"%s\"\nhas a public key of zeros\nuse what wg pubkey printed",
                                  row->name);
    if (memcmp(row->address, group->prefix, 6) != 0)
        return bypeer_problem_set(join->problem, -EINVAL, "bad_address",
                                  "relay member \"%s\"\n%s is not in the /48 of group \"%s\"\nuse an address of it",
                                  row->name, text, group->name);
    if (group->has_address && memcmp(row->address, group->address, 16) == 0)
        return bypeer_problem_set(join->problem, -EINVAL, "bad_address",
                                  "relay member \"%s\"\n%s is this node's own address in the group\nuse another",
                                  row->name, text);
    if ((other = relays_find_key(join->relays, row->group, row->public_key)) != NULL)
        return bypeer_problem_set(
            join->problem, -EEXIST, "key_exists",
            "relay member \"%s\"\nhas the public key of \"%s\"\ngive each member a key of its own", row->name,
            other->name);
    if ((other = relays_find_address(join->relays, row->address)) != NULL)
        return bypeer_problem_set(join->problem, -EEXIST, "address_exists",
                                  "relay member \"%s\"\n%s is the address of \"%s\"\nuse another", row->name, text,
                                  other->name);
    return 0;
}

/* The WireGuard peer that bears the name and, if the entry has one, the key. */
static const struct bypeer_model_link *join_peer(const struct join *join, const struct bypeer_relay_entry *entry)
{
    const struct bypeer_model_link *link = bypeer_model_find_link(join->relays->node->model, entry->name);
    bool fits = link && link->live && link->wireguard &&
                (!entry->public_key || memcmp(entry->public_key, link->public_key, 32) == 0);
    return fits ? link : NULL;
}

static int join_new_member(struct join *join, const struct bypeer_relay_entry *entry,
                           struct bypeer_relay_member **ret_member)
{
    const struct bypeer_model_link *peer = join_peer(join, entry);
    const struct bypeer_model_group *its_group =
        peer ? bypeer_model_group(join->relays->node->model, peer->group) : NULL;
    const char *group_name = join->joining->group ? join->joining->group : its_group ? its_group->name : NULL;
    const uint8_t *public_key = entry->public_key ? entry->public_key : peer ? peer->public_key : NULL;
    if (!public_key || !group_name)
        return bypeer_problem_set(join->problem, -ENOENT, "no_such_member",
                                  "relay member \"%.64s\"\ndoes not exist\nname its %s, or list those that there are "
                                  "with: bypeer relay members",
                                  entry->name, public_key ? "group" : "public key");
    const struct bypeer_model_group *group = bypeer_model_find_group(join->relays->node->model, group_name);
    if (!group || !group->live)
        return bypeer_problem_set(join->problem, -ENOENT, "no_such_group",
                                  "group \"%.64s\"\ndoes not exist\nlist the groups with: bypeer groups", group_name);
    if (its_group && its_group != group)
        return bypeer_problem_set(join->problem, -EINVAL, "other_group",
                                  "relay member \"%s\"\nis a peer in group \"%s\"\nuse that group, or another name",
                                  entry->name, its_group->name);
    int result = bypeer_model_check_name("relay member", entry->name, join->problem);
    if (result < 0)
        return result;
    struct bypeer_store_relay_member row = {.of_peer = peer != NULL};
    strncpy(row.name, entry->name, sizeof(row.name) - 1);
    memcpy(row.group, group->name, sizeof(row.group));
    memcpy(row.public_key, public_key, 32);
    if (entry->address)
        memcpy(row.address, entry->address, 16);
    else if (peer && peer->has_address)
        memcpy(row.address, peer->address, 16);
    else
        bypeer_model_default_address(group, row.public_key, row.address);
    result = join_check_new(join, &row, group);
    if (result < 0)
        return result;
    struct bypeer_relay_member *member = relays_new_member(join->relays, &row);
    if (!member)
        return bypeer_problem_no_memory(join->problem);
    join->made_members[join->made_member_count++] = member->id;
    *ret_member = member;
    return 0;
}

static int join_members(struct join *join)
{
    const struct bypeer_relay_joining *joining = join->joining;
    join->members = calloc(joining->entry_count + 1, sizeof(struct bypeer_relay_member *));
    join->made_members = calloc(joining->entry_count + 1, sizeof(*join->made_members));
    if (!join->members || !join->made_members)
        return bypeer_problem_no_memory(join->problem);
    for (size_t at = 0; at < joining->entry_count; at++) {
        const struct bypeer_relay_entry *entry = &joining->entries[at];
        const struct bypeer_relay_member *there = bypeer_relays_find_member(join->relays, entry->name);
        int result = there ? join_check_known(join, entry, there) : join_new_member(join, entry, &join->members[at]);
        if (result < 0)
            return result;
        if (there)
            join->members[at] = join->relays->members[there->id];
    }
    return 0;
}

/* --- pairs --- */

/* Grows an array of items to at least count + 1. */
static int join_grow(void **items, size_t *room, size_t count, size_t bytes)
{
    if (count < *room)
        return 0;
    size_t larger = *room ? *room * 2 : 64;
    void *grown = realloc(*items, larger * bytes);
    if (!grown)
        return -ENOMEM;
    *items = grown;
    *room = larger;
    return 0;
}

/* Ports for both: each is used from one address only, so that they need not be secret. */
static int join_draw_ports(struct join *join, struct bypeer_relay_pair *pair)
{
    static const uint8_t none[4];
    const struct bypeer_relays *relays = join->relays;
    uint32_t random;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return bypeer_problem_set(join->problem, -EIO, "random", "random numbers\nare not to be had\n");
    if (relays->node->config->relay.port_low == 0 || memcmp(relays->ipv4, none, 4) == 0)
        return bypeer_problem_set(
            join->problem, -ENOTSUP, "no_ipv4",
            "this node\nis no relay over IPv4\nadd relay.ipv4-ports and an IPv4 address of a port "
            "to its configuration and restart bypeerd");
    for (unsigned side = 0; side < 2; side++) {
        pair->ports[side] = relays_draw_port(relays, pair->ports[0], random);
        if (pair->ports[side] == 0)
            return bypeer_problem_set(join->problem, -ENOSPC, "capacity",
                                      "relay.ipv4-ports\nall of them are in use\nname more, or remove pairs");
        relays_make_port_key(relays, pair->ports[side], pair->addresses[side]);
    }
    return 0;
}

static int join_check_ipv4(const struct join *join, const struct bypeer_relay_member *member)
{
    if (member->of_peer)
        return 0;
    return bypeer_problem_set(join->problem, -EINVAL, "not_peer",
                              "relay member \"%s\"\nis no WireGuard peer of this node, so it does not know his IPv4 "
                              "address\nadd him with bypeer peer add, then by his name alone here",
                              member->name);
}

/* A random address, which nobody has, since it tells its end. */
static int join_draw_address(struct join *join, uint32_t end, uint8_t ret_secret[static 16],
                             uint8_t ret_address[static 16])
{
    if (getrandom(ret_secret, 16, 0) != 16)
        return bypeer_problem_set(join->problem, -EIO, "random", "random numbers\nare not to be had\n");
    bypeer_relay_address_set_end(join->relays->secret, end, ret_secret);
    relays_make_address(join->relays, ret_secret, ret_address);
    return 0;
}

/* How both are reached: secrets are kept, addresses follow from them. */
static int join_draw(struct join *join, struct bypeer_relay_pair *pair, uint8_t ret_secrets[2][16])
{
    int result = 0;
    if (join->joining->ipv4) {
        for (unsigned side = 0; side < 2 && result == 0; side++)
            result = join_check_ipv4(join, join->relays->members[pair->members[side]]);
        return result == 0 ? join_draw_ports(join, pair) : result;
    }
    for (unsigned side = 0; side < 2 && result == 0; side++)
        result = join_draw_address(join, bypeer_relay_end_number(pair, side), ret_secrets[side], pair->addresses[side]);
    return result;
}

static int join_new_pair(struct join *join, const struct bypeer_relay_member *one,
                         const struct bypeer_relay_member *other)
{
    struct bypeer_relays *relays = join->relays;
    if (join_grow((void **)&join->made, &join->made_room, join->made_count, sizeof(*join->made)) < 0)
        return bypeer_problem_no_memory(join->problem);
    struct join_pair *made = &join->made[join->made_count];
    struct bypeer_relay_pair pair = {.number = relay_numbers_take(&relays->numbers),
                                     .members = {one->id, other->id},
                                     .expires_s = join->joining->expires_s};
    if (pair.number == 0)
        return bypeer_problem_set(join->problem, relays->numbers.waiting_count ? -EAGAIN : -ENOSPC, "capacity",
                                  "relay links\n%u pairs are all that there may be\n%s", BYPEER_RELAY_PAIRS_MAX,
                                  relays->numbers.waiting_count ? "try again" : "remove some");
    *made = (struct join_pair){.number = pair.number};
    int result = join_draw(join, &pair, made->secrets);
    if (result == 0 && relays_new_pair(relays, &pair) < 0)
        result = bypeer_problem_no_memory(join->problem);
    if (result < 0)
        relay_numbers_give(&relays->numbers, pair.number, false);
    else
        join->made_count++;
    return result;
}

static int join_pair(struct join *join, size_t one_entry, size_t other_entry)
{
    const struct bypeer_relay_member *one = join->members[one_entry], *other = join->members[other_entry];
    if (one == other)
        return bypeer_problem_set(join->problem, -EINVAL, "same_member",
                                  "relay member \"%s\"\ncannot be a pair with itself\nname each member once",
                                  one->name);
    if (strcmp(one->group, other->group) != 0)
        return bypeer_problem_set(join->problem, -EINVAL, "other_group",
                                  "relay members \"%s\" and \"%s\"\nare in groups \"%s\" and \"%s\"\n"
                                  "only members of one group reach each other",
                                  one->name, other->name, one->group, other->group);
    const struct bypeer_relay_pair *there = relays_find_pair(join->relays, one->id, other->id);
    if (!there)
        return join_new_pair(join, one, other);
    if (join->joining->ipv4 != (there->ports[0] != 0))
        return bypeer_problem_set(join->problem, -EEXIST, "pair_exists",
                                  "relay members \"%s\" and \"%s\"\nare a pair over %s\nremove that first", one->name,
                                  other->name, there->ports[0] ? "IPv4" : "IPv6");
    if (!join->joining->has_expiry || there->expires_s == join->joining->expires_s)
        return 0;
    if (join_grow((void **)&join->renewed, &join->renewed_room, join->renewed_count, sizeof(*join->renewed)) < 0)
        return bypeer_problem_no_memory(join->problem);
    join->renewed[join->renewed_count++] = there->number;
    return 0;
}

static int join_pairs(struct join *join)
{
    const struct bypeer_relay_joining *joining = join->joining;
    int result = 0;
    for (size_t at = 0; joining->pairs && at < joining->pair_count && result == 0; at++)
        result = join_pair(join, joining->pairs[at][0], joining->pairs[at][1]);
    for (size_t one = 0; !joining->pairs && one < joining->entry_count; one++)
        for (size_t other = one + 1; other < joining->entry_count && result == 0; other++)
            result = join_pair(join, one, other);
    return result;
}

/* --- durable, and taken back --- */

static int join_write_member(struct join *join, const struct bypeer_relay_member *member)
{
    struct bypeer_store_relay_member row = {.id = member->id, .of_peer = member->of_peer};
    memcpy(row.name, member->name, sizeof(row.name));
    memcpy(row.group, member->group, sizeof(row.group));
    memcpy(row.public_key, member->public_key, 32);
    memcpy(row.address, member->address, 16);
    return bypeer_store_put_relay_member(join->relays->node->store, &row, join->problem);
}

static int join_write_pair(struct join *join, const struct join_pair *made)
{
    struct bypeer_relays *relays = join->relays;
    struct bypeer_relay_pair *pair = &relays->pairs[made->number];
    struct bypeer_store_relay_pair row = {.number = pair->number, .expires_s = pair->expires_s};
    int result = bypeer_store_count_up(relays->node->store, "relay_serial", &pair->serial, join->problem);
    if (result < 0)
        return result;
    if (join->serial == 0)
        join->serial = pair->serial;
    row.serial = pair->serial;
    memcpy(row.members, pair->members, sizeof(row.members));
    memcpy(row.secrets, made->secrets, sizeof(row.secrets));
    memcpy(row.ports, pair->ports, sizeof(row.ports));
    return bypeer_store_put_relay_pair(relays->node->store, &row, join->problem);
}

static int join_write(struct join *join)
{
    struct bypeer_store *store = join->relays->node->store;
    uint32_t blocks = join->relays->numbers.blocks;
    int result = bypeer_store_begin(store, join->problem);
    for (size_t at = 0; at < join->made_member_count && result == 0; at++)
        result = join_write_member(join, join->relays->members[join->made_members[at]]);
    for (size_t at = 0; at < join->made_count && result == 0; at++)
        result = join_write_pair(join, &join->made[at]);
    for (size_t at = 0; at < join->made_count && result == 0; at++)
        result = relay_numbers_use(store, join->made[at].number, &blocks, join->problem);
    for (size_t at = 0; at < join->renewed_count && result == 0; at++)
        result = bypeer_store_expire_relay_pair(store, join->renewed[at], join->joining->expires_s, join->problem);
    result = bypeer_store_end(store, result, join->problem);
    if (result == 0)
        join->relays->numbers.blocks = blocks;
    return result;
}

static void join_undo(struct join *join)
{
    struct bypeer_relays *relays = join->relays;
    for (size_t at = join->made_count; at-- > 0;) {
        relays_drop_pair(relays, &relays->pairs[join->made[at].number]);
        relay_numbers_give(&relays->numbers, join->made[at].number, false);
    }
    for (size_t at = join->made_member_count; at-- > 0;)
        relays_drop_member(relays, relays->members[join->made_members[at]]);
}

/* --- the whole --- */

/* Pairs that are there already end at another time now, or never. */
static void join_renew(struct join *join)
{
    struct bypeer_relays *relays = join->relays;
    uint64_t expires_s = join->joining->expires_s;
    for (size_t at = 0; at < join->renewed_count; at++)
        relays->pairs[join->renewed[at]].expires_s = expires_s;
    if (join->renewed_count > 0 && expires_s > 0 && expires_s < relays->next_expiry_s)
        relays->next_expiry_s = expires_s;
}

/* All of it is durable, so what finds no room now is no refusal: it is put later. */
static void join_put(struct join *join)
{
    struct bypeer_relays *relays = join->relays;
    int result = 0;
    for (size_t at = 0; at < join->made_count && result == 0; at++)
        result = relays_put(relays, &relays->pairs[join->made[at].number], join->problem);
    for (size_t at = 0; at < join->renewed_count && result == 0; at++)
        result = relays_put(relays, &relays->pairs[join->renewed[at]], join->problem);
    relays->wanting = relays->wanting || result < 0;
}

static int join_run(struct join *join)
{
    int result = join_members(join);
    if (result == 0)
        result = join_pairs(join);
    if (result == 0)
        result = relays_reserve(join->relays, join->problem);
    if (result == 0)
        result = join_write(join);
    if (result < 0) {
        join_undo(join);
        return result;
    }
    join_renew(join);
    join_put(join);
    return 0;
}

int bypeer_relays_join(struct bypeer_relays *relays, const struct bypeer_relay_joining *joining,
                       struct bypeer_relay_joined *ret_joined, struct bypeer_problem *problem)
{
    struct bypeer_problem ignored;
    struct join join = {.relays = relays, .joining = joining, .problem = problem ? problem : &ignored};
    if (relays->node->config->relay.bits == 0)
        return bypeer_problem_set(problem, -ENOTSUP, "no_relay",
                                  "this node\nis no relay\nadd relay.prefix to its configuration and restart bypeerd");
    int result = join_run(&join);
    if (result == 0)
        *ret_joined = (struct bypeer_relay_joined){
            .members = join.made_member_count, .pairs = join.made_count, .serial = join.serial};
    free(join.members);
    free(join.made_members);
    free(join.made);
    free(join.renewed);
    return result;
}
