#include "control/relay/relays.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "control/log.h"
#include "control/relay/state.h"
#include "overlay/relay/address.h"

#define RECORDS_MIN    512 /* room for pairs in the tables of a node that is a relay */
#define ORPHANS_A_TURN 256

/* --- start --- */

struct relays_load {
    struct bypeer_relays *relays;
    struct bypeer_problem *problem;
    uint64_t strays;
};

static int relays_load_member(void *context, const struct bypeer_store_relay_member *row)
{
    struct relays_load *load = context;
    if (bypeer_relays_find_member(load->relays, row->name) || relays_new_member(load->relays, row))
        return 0;
    return bypeer_problem_no_memory(load->problem);
}

/* Numbers that no pair has wait: workers that outlived the daemon may still see what it withdrew. */
static void relays_skip_numbers(struct bypeer_relays *relays, uint32_t number)
{
    while (relays->numbers.fresh < number)
        relay_numbers_give(&relays->numbers, relays->numbers.fresh++, true);
    relays->numbers.fresh++;
}

static int relays_load_pair(void *context, const struct bypeer_store_relay_pair *row)
{
    struct relays_load *load = context;
    struct bypeer_relays *relays = load->relays;
    const struct bypeer_relay_member *one = bypeer_relays_member(relays, row->members[0]);
    const struct bypeer_relay_member *other = bypeer_relays_member(relays, row->members[1]);
    if (!one || !other || one == other || row->number > BYPEER_RELAY_PAIRS_MAX ||
        relays_find_pair(relays, one->id, other->id)) {
        load->strays++;
        return 0;
    }
    struct bypeer_relay_pair pair = {
        .number = row->number,
        .members = {one->id, other->id},
        .serial = row->serial,
        .expires_s = row->expires_s,
        .ports = {row->ports[0], row->ports[1]},
    };
    for (unsigned side = 0; side < 2; side++) {
        if (pair.ports[side] != 0) {
            relays_make_port_key(relays, pair.ports[side], pair.addresses[side]);
            continue;
        }
        relays_make_address(relays, row->secrets[side], pair.addresses[side]);
        if (bypeer_relay_address_end(relays->secret, pair.addresses[side]) != bypeer_relay_end_number(&pair, side)) {
            load->strays++;
            return 0;
        }
    }
    relays_skip_numbers(relays, row->number);
    if (relays_new_pair(relays, &pair) == 0)
        return 0;
    return bypeer_problem_no_memory(load->problem);
}

/* The first IPv4 address that peers send to: of wireguard.addresses, or else of the ports. */
static void relays_find_ipv4(const struct bypeer_config *config, uint8_t ret_ipv4[static 4])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *found = NULL;
    for (uint32_t at = 0; at < config->wireguard.address_count && !found; at++)
        if (memcmp(config->wireguard.addresses[at], mapped, 12) == 0)
            found = config->wireguard.addresses[at];
    for (uint32_t port = 0; port < config->port_count && !found; port++)
        for (uint32_t at = 0; at < config->ports[port].address_count && !found; at++)
            if (memcmp(config->ports[port].addresses[at].address, mapped, 12) == 0)
                found = config->ports[port].addresses[at].address;
    if (found)
        memcpy(ret_ipv4, found + 12, 4);
}

/* Addresses that members have been told must go on telling their ends, so the secret is drawn once. */
static int relays_load_secret(struct bypeer_relays *relays, struct bypeer_problem *problem)
{
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return bypeer_problem_set(problem, -EIO, "random", "random numbers\nare not to be had\n");
    return bypeer_store_constant(relays->node->store, "relay_secret", random, &relays->secret, problem);
}

int bypeer_relays_open(struct bypeer_relays **ret_relays, struct bypeer_node *node, struct bypeer_problem *problem)
{
    struct bypeer_relays *relays = calloc(1, sizeof(*relays));
    if (!relays)
        return bypeer_problem_no_memory(problem);
    *relays = (struct bypeer_relays){.node = node, .numbers.fresh = 1, .next_expiry_s = UINT64_MAX};
    relays_find_ipv4(node->config, relays->ipv4);
    struct relays_load load = {.relays = relays, .problem = problem};
    int result = relays_load_secret(relays, problem);
    if (result == 0)
        result = bypeer_store_each_relay_member(node->store, relays_load_member, &load, problem);
    if (result == 0)
        result = bypeer_store_each_relay_pair(node->store, relays_load_pair, &load, problem);
    if (result == 0)
        result = relay_numbers_load(&relays->numbers, node->store, problem);
    if (result < 0) {
        bypeer_relays_close(relays);
        return result;
    }
    if (load.strays > 0)
        bypeer_log(BYPEER_LOG_WARNING, "relay: %llu pairs of the database cannot be right and are left out",
                   (unsigned long long)load.strays);
    relays->first_own = relays->numbers.fresh;
    *ret_relays = relays;
    return 0;
}

void bypeer_relays_close(struct bypeer_relays *relays)
{
    if (!relays)
        return;
    for (uint32_t id = 0; id < relays->member_room; id++)
        free(relays->members[id]);
    free(relays->members);
    free(relays->pairs);
    relay_numbers_free(&relays->numbers);
    relay_index_free(&relays->names);
    relay_index_free(&relays->keys);
    relay_index_free(&relays->addresses);
    relay_index_free(&relays->ends);
    free(relays);
}

/* Puts every pair that is to be forwarded and is not. */
static int relays_put_all(struct bypeer_relays *relays, struct bypeer_problem *problem)
{
    int result = 0;
    for (uint32_t number = 1; number < relays->pair_room && result == 0; number++)
        if (relays->pairs[number].number != 0 && !relays->pairs[number].live)
            result = relays_put(relays, &relays->pairs[number], problem);
    return result;
}

uint32_t bypeer_relays_first_size(const struct bypeer_relays *relays)
{
    uint32_t numbers = relays->numbers.fresh - 1, room = numbers + numbers / 4;
    if (relays->node->config->relay.bits == 0)
        return 0;
    return room < RECORDS_MIN ? RECORDS_MIN : room > BYPEER_RELAYS_MAX ? BYPEER_RELAYS_MAX : room;
}

int bypeer_relays_start(struct bypeer_relays *relays, struct bypeer_problem *problem)
{
    const struct bypeer_config *config = relays->node->config;
    struct bypeer_relay_prefix prefix = {
        .bits = config->relay.bits,
        .flags = config->relay.on_link ? BYPEER_RELAY_ON_LINK : 0,
        .port = config->relay.port,
        .port_low = config->relay.port_low,
        .port_high = config->relay.port_high,
        .secret = relays->secret,
    };
    memcpy(prefix.prefix, config->relay.prefix, 16);
    if (prefix.bits > 0)
        bypeer_writer_set_relay_prefix(relays->node->generation->writer, &prefix);
    relays->started = relays->peers_changed = true;
    bypeer_relays_follow_addresses(relays);
    if (relays->pair_count > 0 && relays->node->config->relay.bits == 0)
        bypeer_log(BYPEER_LOG_WARNING,
                   "relay: %u pairs are kept in the database but not forwarded: there is no relay.prefix",
                   relays->pair_count);
    return relays_put_all(relays, problem);
}

/* --- time, and what others do --- */

static void relays_forget(struct bypeer_relays *relays, struct bypeer_relay_pair *pair)
{
    uint32_t number = pair->number;
    relays_withdraw(relays, pair);
    relays_drop_pair(relays, pair);
    relay_numbers_give(&relays->numbers, number, true); /* it may have been withdrawn a moment ago */
}

static bool relays_is_expired(const struct bypeer_relay_pair *pair, uint64_t now_s)
{
    return pair->number > 0 && pair->expires_s > 0 && pair->expires_s <= now_s;
}

/* Out of the database, too; where that fails they are tried again with the next, or at the next start. */
static int relays_delete_expired(struct bypeer_relays *relays, uint64_t now_s)
{
    struct bypeer_store *store = relays->node->store;
    int result = bypeer_store_begin(store, NULL);
    for (uint32_t number = 1; number < relays->pair_room && result == 0; number++)
        if (relays_is_expired(&relays->pairs[number], now_s))
            result = bypeer_store_remove_relay_pair(store, number, NULL);
    return bypeer_store_end(store, result, NULL);
}

uint64_t bypeer_relays_expire(struct bypeer_relays *relays, uint64_t now_s)
{
    relays->wanting = relays->wanting || relays->failed;
    relays->peers_changed = relays->peers_changed || relays->failed;
    relays->failed = false;
    if (now_s < relays->next_expiry_s)
        return relays->next_expiry_s;
    uint64_t next = UINT64_MAX, expired = 0;
    for (uint32_t number = 1; number < relays->pair_room; number++) {
        struct bypeer_relay_pair *pair = &relays->pairs[number];
        if (relays_is_expired(pair, now_s)) {
            relays_withdraw(relays, pair);
            expired++;
        } else if (pair->number > 0 && pair->expires_s > 0 && pair->expires_s < next) {
            next = pair->expires_s;
        }
    }
    relays->next_expiry_s = next;
    if (expired == 0 || relays_delete_expired(relays, now_s) < 0)
        return next;
    /* The last made are the first of their members' chains, so that this way none is walked far. */
    for (uint32_t number = relays->pair_room; number-- > 1;)
        if (relays_is_expired(&relays->pairs[number], now_s))
            relays_forget(relays, &relays->pairs[number]);
    bypeer_log(BYPEER_LOG_INFO, "relay: %llu pairs have expired", (unsigned long long)expired);
    return next;
}

void bypeer_relays_group_changed(struct bypeer_relays *relays, const char *group, bool gone)
{
    if (!relays->started)
        return;
    relays->wanting = true;
    for (uint32_t number = 1; gone && number < relays->pair_room; number++) {
        struct bypeer_relay_pair *pair = &relays->pairs[number];
        if (pair->live && strcmp(relays->members[pair->members[0]]->group, group) == 0)
            relays_withdraw(relays, pair);
    }
}

/* In the tables at once; out of the database in the next turn, since the model may be amid a transaction of its own. */
void bypeer_relays_peer_changed(struct bypeer_relays *relays, const char *name, bool gone)
{
    const struct bypeer_relay_member *member = relays->started ? bypeer_relays_find_member(relays, name) : NULL;
    unsigned side;
    if (!member || !member->of_peer)
        return;
    relays->peers_changed = relays->wanting = true;
    for (const struct bypeer_relay_pair *pair = gone || relays_is_orphan(relays, member)
                                                    ? bypeer_relays_next_of_member(relays, member, NULL, &side)
                                                    : NULL;
         pair; pair = bypeer_relays_next_of_member(relays, member, pair, &side))
        relays_withdraw(relays, &relays->pairs[pair->number]);
}

/* --- removal --- */

/* Within a transaction. */
static int relays_remove_member_rows(struct bypeer_relays *relays, const struct bypeer_relay_member *member,
                                     struct bypeer_problem *problem)
{
    struct bypeer_store *store = relays->node->store;
    unsigned side;
    int result = 0;
    for (const struct bypeer_relay_pair *pair = bypeer_relays_next_of_member(relays, member, NULL, &side);
         pair && result == 0; pair = bypeer_relays_next_of_member(relays, member, pair, &side))
        result = bypeer_store_remove_relay_pair(store, pair->number, problem);
    return result == 0 ? bypeer_store_remove_relay_member(store, member->id, problem) : result;
}

static int relays_remove_rows(struct bypeer_relays *relays, const struct bypeer_relay_member *member,
                              const struct bypeer_relay_pair *only, struct bypeer_problem *problem)
{
    struct bypeer_store *store = relays->node->store;
    int result = bypeer_store_begin(store, problem);
    if (result == 0)
        result = only ? bypeer_store_remove_relay_pair(store, only->number, problem)
                      : relays_remove_member_rows(relays, member, problem);
    return bypeer_store_end(store, result, problem);
}

/* With all his pairs; returns how many. */
static size_t relays_forget_member(struct bypeer_relays *relays, struct bypeer_relay_member *member)
{
    size_t pairs = 0;
    for (; member->first_pair != 0; pairs++)
        relays_forget(relays, &relays->pairs[member->first_pair]);
    relays_drop_member(relays, member);
    return pairs;
}

static int relays_no_member(const char *name, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -ENOENT, "no_such_member",
                              "relay member \"%.64s\"\ndoes not exist\nlist them with: bypeer relay members", name);
}

int bypeer_relays_remove(struct bypeer_relays *relays, const char *name, const char *with, size_t *ret_pairs,
                         struct bypeer_problem *problem)
{
    const struct bypeer_relay_member *member = bypeer_relays_find_member(relays, name);
    const struct bypeer_relay_member *other = with ? bypeer_relays_find_member(relays, with) : NULL;
    if (!member || (with && !other))
        return relays_no_member(member ? with : name, problem);
    struct bypeer_relay_pair *only = other ? relays_find_pair(relays, member->id, other->id) : NULL;
    if (other && !only)
        return bypeer_problem_set(
            problem, -ENOENT, "no_such_pair",
            "relay members \"%s\" and \"%s\"\nare no pair\nlist the pairs with: bypeer relay list", name, with);
    int result = relays_remove_rows(relays, member, only, problem);
    if (result < 0)
        return result;
    if (only)
        relays_forget(relays, only);
    *ret_pairs = only ? 1 : relays_forget_member(relays, relays->members[member->id]);
    return 0;
}

/* --- turns --- */

/* The first of those who have lost their peer, as many as one transaction is made for; the rest have the next turn. */
static unsigned relays_find_orphans(struct bypeer_relays *relays, struct bypeer_relay_member *orphans[ORPHANS_A_TURN])
{
    unsigned count = 0;
    relays->peers_changed = false;
    for (uint32_t id = 1; id < relays->member_room && !relays->peers_changed; id++) {
        struct bypeer_relay_member *member = relays->members[id];
        if (!member || !relays_is_orphan(relays, member))
            continue;
        if (count < ORPHANS_A_TURN)
            orphans[count++] = member;
        else
            relays->peers_changed = true;
    }
    return count;
}

static int relays_remove_orphans(struct bypeer_relays *relays, struct bypeer_problem *problem)
{
    struct bypeer_store *store = relays->node->store;
    struct bypeer_relay_member *orphans[ORPHANS_A_TURN];
    unsigned count = relays_find_orphans(relays, orphans);
    if (count == 0)
        return 0;
    int result = bypeer_store_begin(store, problem);
    for (unsigned at = 0; at < count && result == 0; at++)
        result = relays_remove_member_rows(relays, orphans[at], problem);
    result = bypeer_store_end(store, result, problem);
    if (result < 0)
        return result;
    for (unsigned at = 0; at < count; at++) {
        bypeer_log(BYPEER_LOG_INFO, "relay: member \"%s\" goes with the peer of that name", orphans[at]->name);
        relays_forget_member(relays, orphans[at]);
    }
    return 0;
}

static void relays_fail(struct bypeer_relays *relays, const struct bypeer_problem *problem)
{
    char text[BYPEER_PROBLEM_TEXT];
    relays->failed = true;
    bypeer_log(BYPEER_LOG_ERROR, "%s", bypeer_problem_text(problem, text));
}

void bypeer_relays_turn(struct bypeer_relays *relays)
{
    struct bypeer_problem problem;
    uint32_t seen_no_more = relays->numbers.waiting_count > 0 ? relays_seen_no_more(relays) : UINT32_MAX;
    if (seen_no_more < UINT32_MAX)
        relay_numbers_ripen(&relays->numbers, seen_no_more);
    if (relays->peers_changed && relays_remove_orphans(relays, &problem) < 0)
        relays_fail(relays, &problem);
    if (!relays->wanting)
        return;
    relays->wanting = false;
    bypeer_relays_follow_addresses(relays);
    if (relays_put_all(relays, &problem) < 0)
        relays_fail(relays, &problem);
}
