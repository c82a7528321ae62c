/*
 * Pairs in the tables.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "control/dataplane/channel.h"
#include "control/relay/state.h"

static struct bypeer_writer *records_writer(const struct bypeer_relays *relays)
{
    return relays->node->generation->writer;
}

uint32_t relays_seen_no_more(const struct bypeer_relays *relays)
{
    const struct bypeer_node *node = relays->node;
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(records_writer(relays), &usage);
    if (usage.retired > 0)
        return UINT32_MAX;
    if (!node->channel)
        return 0;
    /* A data plane of the control before this one may still come, but it has none of the pairs that were made since. */
    if (!bypeer_channel_was_attached(node->channel))
        return relays->first_own;
    /* A generation that has nothing retired may be newer than the one that workers still use. */
    return bypeer_channel_is_used_alone(node->channel, node->generation->number) ? 0 : UINT32_MAX;
}

int relays_reserve(struct bypeer_relays *relays, struct bypeer_problem *problem)
{
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(records_writer(relays), &usage);
    if (relays->numbers.fresh - 1 <= usage.capacity.relays)
        return 0;
    struct bypeer_tables_size size = usage.used;
    size.relays = relays->numbers.fresh - 1;
    return bypeer_node_make_room(relays->node, -ENOSPC, &size, problem);
}

static int records_put(struct bypeer_relays *relays, uint32_t number, const struct bypeer_relay_record *record,
                       struct bypeer_problem *problem)
{
    int result = bypeer_writer_put_relay(records_writer(relays), number, record);
    if (result == -ENOSPC) {
        struct bypeer_writer_usage usage;
        bypeer_writer_usage(records_writer(relays), &usage);
        usage.used.relays = number;
        result = bypeer_node_make_room(relays->node, result, &usage.used, problem);
        if (result < 0)
            return result;
        result = bypeer_writer_put_relay(records_writer(relays), number, record);
    }
    if (result >= 0)
        return 0;
    return bypeer_problem_set(problem, result, "capacity", "relay links\nfind no room in the tables: %s\ntry again",
                              strerror(-result));
}

/* Whether the port is one of the relay's, on an address of this node. */
static bool records_has_port(const struct bypeer_relays *relays, uint16_t port)
{
    static const uint8_t none[4];
    const struct bypeer_config *config = relays->node->config;
    return port >= config->relay.port_low && port <= config->relay.port_high && memcmp(relays->ipv4, none, 4) != 0;
}

/* Of a pair over IPv4: the link of the member, who may use his port only from where that has him. 0: he has none. */
static uint32_t records_link(const struct bypeer_relays *relays, const struct bypeer_relay_pair *pair, unsigned side)
{
    const struct bypeer_relay_member *member = relays->members[pair->members[side]];
    const struct bypeer_model_link *link = bypeer_model_find_link(relays->node->model, member->name);
    return member->of_peer && link && link->live ? link->id : 0;
}

static bool records_may_use_ports(const struct bypeer_relays *relays, const struct bypeer_relay_pair *pair)
{
    return records_has_port(relays, pair->ports[0]) && records_has_port(relays, pair->ports[1]) &&
           records_link(relays, pair, 0) != 0 && records_link(relays, pair, 1) != 0;
}

int relays_put(struct bypeer_relays *relays, struct bypeer_relay_pair *pair, struct bypeer_problem *problem)
{
    const struct bypeer_relay_member *member = relays->members[pair->members[0]];
    const struct bypeer_relay_member *other = relays->members[pair->members[1]];
    const struct bypeer_model_group *group = bypeer_model_find_group(relays->node->model, member->group);
    if (pair->live || !group || !group->live || relays->node->config->relay.bits == 0 ||
        relays_is_orphan(relays, member) || relays_is_orphan(relays, other) ||
        (pair->ports[0] != 0 && !records_may_use_ports(relays, pair)) ||
        (pair->expires_s > 0 && pair->expires_s <= (uint64_t)time(NULL)))
        return 0;
    struct bypeer_relay_record record = {.serial = pair->serial};
    memcpy(record.keys, pair->addresses, sizeof(record.keys));
    for (unsigned side = 0; side < 2 && pair->ports[0] != 0; side++)
        record.links[side] = records_link(relays, pair, side);
    int result = records_put(relays, pair->number, &record, problem);
    pair->live = result == 0;
    return result;
}

void relays_withdraw(struct bypeer_relays *relays, struct bypeer_relay_pair *pair)
{
    if (!pair->live)
        return;
    bypeer_writer_remove_relay(records_writer(relays), pair->number);
    pair->live = false;
}
