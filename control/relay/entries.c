/*
 * Members and pairs in memory. A member stays where he is; pairs move when their array grows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "control/relay/state.h"
#include "overlay/relay/packet.h"

#define FIRST_ROOM 64

static uint64_t entries_hash_name(const char *name)
{
    return XXH3_64bits(name, strlen(name));
}

static uint64_t entries_hash_ends(uint32_t one, uint32_t other)
{
    uint32_t ends[2] = {one < other ? one : other, one < other ? other : one};
    return XXH3_64bits(ends, sizeof(ends));
}

/* --- members --- */

const struct bypeer_relay_member *bypeer_relays_member(const struct bypeer_relays *relays, uint32_t id)
{
    return id < relays->member_room ? relays->members[id] : NULL;
}

const struct bypeer_relay_member *bypeer_relays_next_member(const struct bypeer_relays *relays, uint32_t id)
{
    while (++id < relays->member_room)
        if (relays->members[id])
            return relays->members[id];
    return NULL;
}

uint32_t bypeer_relays_count_members(const struct bypeer_relays *relays)
{
    return relays->member_count;
}

const struct bypeer_relay_member *bypeer_relays_find_member(const struct bypeer_relays *relays, const char *name)
{
    uint32_t at = 0, id;
    while ((id = relay_index_next(&relays->names, entries_hash_name(name), &at)) != 0)
        if (strcmp(relays->members[id]->name, name) == 0)
            return relays->members[id];
    return NULL;
}

struct bypeer_relay_member *relays_find_key(const struct bypeer_relays *relays, const char *group,
                                            const uint8_t public_key[static 32])
{
    uint32_t at = 0, id;
    while ((id = relay_index_next(&relays->keys, XXH3_64bits(public_key, 32), &at)) != 0)
        if (memcmp(relays->members[id]->public_key, public_key, 32) == 0 &&
            strcmp(relays->members[id]->group, group) == 0)
            return relays->members[id];
    return NULL;
}

struct bypeer_relay_member *relays_find_address(const struct bypeer_relays *relays, const uint8_t address[static 16])
{
    uint32_t at = 0, id;
    while ((id = relay_index_next(&relays->addresses, XXH3_64bits(address, 16), &at)) != 0)
        if (memcmp(relays->members[id]->address, address, 16) == 0)
            return relays->members[id];
    return NULL;
}

static uint32_t entries_free_id(struct bypeer_relays *relays)
{
    uint32_t id = relays->member_hint ? relays->member_hint : 1;
    while (id < relays->member_room && relays->members[id])
        id++;
    relays->member_hint = id;
    return id;
}

static int entries_room_for_member(struct bypeer_relays *relays, uint32_t id)
{
    if (id < relays->member_room)
        return 0;
    uint32_t room = relays->member_room ? relays->member_room : FIRST_ROOM;
    while (room <= id)
        room *= 2;
    struct bypeer_relay_member **grown = realloc(relays->members, room * sizeof(struct bypeer_relay_member *));
    if (!grown)
        return -ENOMEM;
    memset(grown + relays->member_room, 0, (room - relays->member_room) * sizeof(struct bypeer_relay_member *));
    relays->members = grown;
    relays->member_room = room;
    return 0;
}

static void entries_unindex(struct bypeer_relays *relays, const struct bypeer_relay_member *member)
{
    relay_index_remove(&relays->names, entries_hash_name(member->name), member->id);
    relay_index_remove(&relays->keys, XXH3_64bits(member->public_key, 32), member->id);
    relay_index_remove(&relays->addresses, XXH3_64bits(member->address, 16), member->id);
}

struct bypeer_relay_member *relays_new_member(struct bypeer_relays *relays, const struct bypeer_store_relay_member *as)
{
    uint32_t id = as->id ? as->id : entries_free_id(relays);
    struct bypeer_relay_member *member = calloc(1, sizeof(*member));
    if (!member || entries_room_for_member(relays, id) < 0) {
        free(member);
        return NULL;
    }
    member->id = id;
    memcpy(member->name, as->name, sizeof(member->name));
    memcpy(member->group, as->group, sizeof(member->group));
    memcpy(member->public_key, as->public_key, 32);
    memcpy(member->address, as->address, 16);
    member->of_peer = as->of_peer;
    if (relay_index_add(&relays->names, entries_hash_name(member->name), id) < 0 ||
        relay_index_add(&relays->keys, XXH3_64bits(member->public_key, 32), id) < 0 ||
        relay_index_add(&relays->addresses, XXH3_64bits(member->address, 16), id) < 0) {
        entries_unindex(relays, member);
        free(member);
        return NULL;
    }
    relays->members[id] = member;
    relays->member_count++;
    return member;
}

void relays_drop_member(struct bypeer_relays *relays, struct bypeer_relay_member *member)
{
    entries_unindex(relays, member);
    relays->members[member->id] = NULL;
    relays->member_count--;
    if (relays->member_hint > member->id)
        relays->member_hint = member->id;
    free(member);
}

bool relays_is_orphan(const struct bypeer_relays *relays, const struct bypeer_relay_member *member)
{
    const struct bypeer_model *model = relays->node->model;
    if (!member->of_peer)
        return false;
    const struct bypeer_model_link *link = bypeer_model_find_link(model, member->name);
    const struct bypeer_model_group *group = link ? bypeer_model_group(model, link->group) : NULL;
    return !link || !link->live || !link->wireguard || memcmp(link->public_key, member->public_key, 32) != 0 ||
           !group || strcmp(group->name, member->group) != 0;
}

/* --- pairs --- */

uint32_t bypeer_relays_count_pairs(const struct bypeer_relays *relays)
{
    return relays->pair_count;
}

const struct bypeer_relay_pair *bypeer_relays_next_pair(const struct bypeer_relays *relays, uint32_t number)
{
    while (++number < relays->pair_room)
        if (relays->pairs[number].number)
            return &relays->pairs[number];
    return NULL;
}

const struct bypeer_relay_pair *bypeer_relays_next_of_member(const struct bypeer_relays *relays,
                                                             const struct bypeer_relay_member *member,
                                                             const struct bypeer_relay_pair *pair, unsigned *ret_side)
{
    uint32_t number = pair ? pair->next[pair->members[1] == member->id] : member->first_pair;
    if (number == 0)
        return NULL;
    const struct bypeer_relay_pair *next = &relays->pairs[number];
    *ret_side = next->members[1] == member->id;
    return next;
}

struct bypeer_relay_pair *relays_find_pair(const struct bypeer_relays *relays, uint32_t one, uint32_t other)
{
    uint32_t at = 0, number;
    while ((number = relay_index_next(&relays->ends, entries_hash_ends(one, other), &at)) != 0) {
        struct bypeer_relay_pair *pair = &relays->pairs[number];
        if ((pair->members[0] == one && pair->members[1] == other) ||
            (pair->members[0] == other && pair->members[1] == one))
            return pair;
    }
    return NULL;
}

static int entries_room_for_pair(struct bypeer_relays *relays, uint32_t number)
{
    if (number < relays->pair_room)
        return 0;
    uint32_t room = relays->pair_room ? relays->pair_room : FIRST_ROOM;
    while (room <= number)
        room *= 2;
    struct bypeer_relay_pair *grown = realloc(relays->pairs, room * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    memset(grown + relays->pair_room, 0, (room - relays->pair_room) * sizeof(*grown));
    relays->pairs = grown;
    relays->pair_room = room;
    return 0;
}

static void entries_mark_ports(struct bypeer_relays *relays, const struct bypeer_relay_pair *pair, bool used)
{
    for (unsigned side = 0; pair->ports[0] != 0 && side < 2; side++) {
        uint8_t bit = (uint8_t)(1u << (pair->ports[side] % 8));
        uint8_t *byte = &relays->ports[pair->ports[side] / 8];
        *byte = used ? (uint8_t)(*byte | bit) : (uint8_t)(*byte & ~bit);
    }
}

int relays_new_pair(struct bypeer_relays *relays, const struct bypeer_relay_pair *as)
{
    if (entries_room_for_pair(relays, as->number) < 0 ||
        relay_index_add(&relays->ends, entries_hash_ends(as->members[0], as->members[1]), as->number) < 0)
        return -ENOMEM;
    struct bypeer_relay_pair *pair = &relays->pairs[as->number];
    *pair = *as;
    entries_mark_ports(relays, pair, true);
    for (unsigned side = 0; side < 2; side++) {
        struct bypeer_relay_member *member = relays->members[pair->members[side]];
        pair->next[side] = member->first_pair;
        member->first_pair = pair->number;
        member->pairs++;
    }
    relays->pair_count++;
    if (pair->expires_s > 0 && pair->expires_s < relays->next_expiry_s)
        relays->next_expiry_s = pair->expires_s;
    return 0;
}

static void entries_unchain(struct bypeer_relays *relays, const struct bypeer_relay_pair *pair, unsigned side)
{
    struct bypeer_relay_member *member = relays->members[pair->members[side]];
    uint32_t *link = &member->first_pair;
    while (*link != pair->number) {
        struct bypeer_relay_pair *before = &relays->pairs[*link];
        link = &before->next[before->members[1] == member->id];
    }
    *link = pair->next[side];
    member->pairs--;
}

void relays_drop_pair(struct bypeer_relays *relays, struct bypeer_relay_pair *pair)
{
    entries_unchain(relays, pair, 0);
    entries_unchain(relays, pair, 1);
    entries_mark_ports(relays, pair, false);
    relay_index_remove(&relays->ends, entries_hash_ends(pair->members[0], pair->members[1]), pair->number);
    *pair = (struct bypeer_relay_pair){0};
    relays->pair_count--;
}

const uint8_t *bypeer_relays_ipv4(const struct bypeer_relays *relays)
{
    return relays->ipv4;
}

void relays_make_port_key(const struct bypeer_relays *relays, uint16_t port, uint8_t ret_key[static 16])
{
    bypeer_relay_port_key(ret_key, relays->ipv4, port);
}

uint16_t relays_draw_port(const struct bypeer_relays *relays, uint16_t other, uint32_t random)
{
    const uint32_t low = relays->node->config->relay.port_low, high = relays->node->config->relay.port_high;
    for (uint32_t at = 0; low > 0 && at <= high - low; at++) {
        uint32_t port = low + (random + at) % (high - low + 1);
        if (port != other && !(relays->ports[port / 8] >> (port % 8) & 1))
            return (uint16_t)port;
    }
    return 0;
}

void relays_make_address(const struct bypeer_relays *relays, const uint8_t secret[static 16],
                         uint8_t ret_address[static 16])
{
    const struct bypeer_config *config = relays->node->config;
    for (unsigned at = 0; at < 16; at++) {
        unsigned kept = config->relay.bits > at * 8 ? config->relay.bits - at * 8 : 0;
        uint8_t mask = (uint8_t)(kept >= 8 ? 0xff : 0xff00 >> kept);
        ret_address[at] = (uint8_t)((config->relay.prefix[at] & mask) | (secret[at] & ~mask));
    }
}
