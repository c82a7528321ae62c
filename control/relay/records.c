/*
 * Pairs in the tables: two records each, one under either address.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "control/dataplane/channel.h"
#include "control/relay/state.h"

#define ROOM_ATTEMPTS 4

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

bool relays_is_free(const struct bypeer_relays *relays, const uint8_t address[static 16])
{
    return !bypeer_writer_find_relay(records_writer(relays), address);
}

int relays_reserve(struct bypeer_relays *relays, size_t more, struct bypeer_problem *problem)
{
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(records_writer(relays), &usage);
    uint64_t need = (uint64_t)usage.used.relays + 2 * more;
    if (need <= usage.capacity.relays)
        return 0;
    struct bypeer_tables_size size = usage.used;
    size.relays = (uint32_t)need;
    return bypeer_node_make_room(relays->node, -ENOSPC, &size, problem);
}

static int records_put(struct bypeer_relays *relays, const struct bypeer_destination *record,
                       struct bypeer_problem *problem)
{
    for (unsigned attempt = 0;; attempt++) {
        int result = bypeer_writer_put_relay(records_writer(relays), record);
        if (result >= 0)
            return 0;
        struct bypeer_writer_usage usage;
        bypeer_writer_usage(records_writer(relays), &usage);
        usage.used.relays++;
        if ((result == -EAGAIN || result == -ENOSPC) && attempt < ROOM_ATTEMPTS)
            result = bypeer_node_make_room(relays->node, result, &usage.used, problem);
        else
            bypeer_problem_set(problem, result, "capacity", "relay links\nfind no room in the tables: %s\ntry again",
                               strerror(-result));
        if (result < 0)
            return result;
    }
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
    for (unsigned side = 0; side < 2; side++) {
        struct bypeer_destination record = {
            .partner_state = bypeer_relay_state_number(pair, 1 - side),
            .own_state = bypeer_relay_state_number(pair, side),
            .group = group->id,
            .flags = pair->ports[0] != 0 ? records_link(relays, pair, side) << BYPEER_RELAY_LINK_SHIFT : 0,
            .serial = pair->serial,
        };
        memcpy(record.key, pair->addresses[side], 16);
        memcpy(record.partner, pair->addresses[1 - side], 16);
        int result = records_put(relays, &record, problem);
        if (result < 0) {
            relays_withdraw(relays, pair);
            return result;
        }
        pair->live = true;
    }
    return 0;
}

void relays_withdraw(struct bypeer_relays *relays, struct bypeer_relay_pair *pair)
{
    if (!pair->live)
        return;
    bypeer_writer_remove_relay(records_writer(relays), pair->addresses[0]);
    bypeer_writer_remove_relay(records_writer(relays), pair->addresses[1]);
    pair->live = false;
}
