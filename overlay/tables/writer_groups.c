/*
 * Groups, with the chains of parts that hold their rules and multicast lists. A chain is written whole into free slots,
 * then the group's record is replaced by one that names it, which is the one store that readers see; only then is the
 * chain before it retired.
 */
#include <errno.h>
#include <stdbool.h>

#include "overlay/tables/writer_state.h"

int bypeer_group_parts_writer_init(struct bypeer_group_parts_writer *parts, struct bypeer_group_part *records,
                                   uint32_t record_count, uint32_t capacity)
{
    *parts = (struct bypeer_group_parts_writer){.records = records, .capacity = capacity};
    return bypeer_pool_init(&parts->pool, record_count);
}

void bypeer_group_parts_writer_free(struct bypeer_group_parts_writer *parts)
{
    bypeer_pool_free(&parts->pool);
}

void bypeer_writer_count_judged(struct bypeer_writer *writer, int more)
{
    uint64_t judged = writer->header->judged + (uint64_t)(int64_t)more;
    __atomic_store_n(&writer->header->judged, judged, __ATOMIC_RELEASE);
}

/* --- chains ---------------------------------------------------------------------------------------------------------
 */

static void chain_retire(struct bypeer_writer *writer, uint32_t first)
{
    struct bypeer_group_parts_writer *parts = &writer->group_parts;
    for (uint32_t slot = first; slot != 0; slot = parts->records[slot].next) {
        bypeer_pool_retire(&parts->pool, slot);
        parts->used--;
    }
}

static int chain_room(const struct bypeer_writer *writer, uint32_t count)
{
    const struct bypeer_group_parts_writer *parts = &writer->group_parts;
    if (count > parts->capacity - parts->used)
        return -ENOSPC;
    return bypeer_pool_available(&parts->pool) < count ? -EAGAIN : 0;
}

static uint32_t parts_for(uint32_t count, uint32_t each)
{
    return (count + each - 1) / each;
}

/* Puts a part, zeroed, before what is there of a chain. There is room. */
static struct bypeer_group_part *chain_prepend(struct bypeer_writer *writer, uint32_t *first)
{
    struct bypeer_group_parts_writer *parts = &writer->group_parts;
    uint32_t slot = bypeer_pool_take(&parts->pool);
    struct bypeer_group_part *part = &parts->records[slot];
    *part = (struct bypeer_group_part){.next = *first};
    *first = slot;
    parts->used++;
    return part;
}

/* From its end to its beginning. */
static uint32_t chain_of_receivers(struct bypeer_writer *writer, const struct bypeer_multicast_receiver receivers[],
                                   uint32_t count)
{
    uint32_t first = 0;
    for (uint32_t left = parts_for(count, BYPEER_PART_RECEIVERS); left > 0; left--) {
        uint32_t at = (left - 1) * BYPEER_PART_RECEIVERS;
        uint32_t some = count - at < BYPEER_PART_RECEIVERS ? count - at : BYPEER_PART_RECEIVERS;
        memcpy(chain_prepend(writer, &first)->receivers, &receivers[at], some * sizeof(*receivers));
    }
    return first;
}

static uint32_t chain_of_rules(struct bypeer_writer *writer, const struct bypeer_policy_rule rules[], uint32_t count)
{
    uint32_t first = 0;
    for (uint32_t left = parts_for(count, BYPEER_PART_RULES); left > 0; left--) {
        uint32_t at = (left - 1) * BYPEER_PART_RULES;
        uint32_t some = count - at < BYPEER_PART_RULES ? count - at : BYPEER_PART_RULES;
        memcpy(chain_prepend(writer, &first)->rules, &rules[at], some * sizeof(*rules));
    }
    return first;
}

/* --- groups ---------------------------------------------------------------------------------------------------------
 */

const struct bypeer_group *bypeer_writer_find_group(const struct bypeer_writer *writer, uint32_t id)
{
    return bypeer_slots_writer_find(&writer->groups, id);
}

int bypeer_writer_put_group(struct bypeer_writer *writer, const struct bypeer_group *given)
{
    struct bypeer_group group = *given;
    const struct bypeer_group none = {.id = 0}, *present = bypeer_writer_find_group(writer, group.id);
    if (!present)
        present = &none;
    group.rules = present->rules;
    group.rule_count = present->rule_count;
    group.multicast = present->multicast;
    group.multicast_links = present->multicast_links;
    group.multicast_rate = present->multicast_rate;
    return bypeer_slots_writer_put(&writer->groups, group.id, &group);
}

int bypeer_writer_remove_group(struct bypeer_writer *writer, uint32_t id)
{
    const struct bypeer_group *present = bypeer_writer_find_group(writer, id);
    (void)bypeer_writer_remove_group_limit(writer, id);
    if (!present)
        return -ENOENT;
    const struct bypeer_group old = *present;
    int result = bypeer_slots_writer_remove(&writer->groups, id);
    if (old.rules != 0)
        bypeer_writer_count_judged(writer, -1);
    chain_retire(writer, old.rules);
    chain_retire(writer, old.multicast);
    return result;
}

/* Room for a chain of so many parts, and for the group's record that will name it. */
static int group_room(const struct bypeer_writer *writer, uint32_t id, uint32_t parts)
{
    if (!bypeer_writer_find_group(writer, id))
        return -ENOENT;
    return bypeer_pool_available(&writer->groups.pool) == 0 ? -EAGAIN : chain_room(writer, parts);
}

int bypeer_writer_set_multicast(struct bypeer_writer *writer, uint32_t id,
                                const struct bypeer_multicast_receiver receivers[], uint32_t count, uint32_t packets_s)
{
    if (count > BYPEER_MULTICAST_LINKS_MAX)
        return -E2BIG;
    int error = group_room(writer, id, parts_for(count, BYPEER_PART_RECEIVERS));
    if (error)
        return error;
    struct bypeer_group group = *bypeer_writer_find_group(writer, id);
    uint32_t old = group.multicast;
    group.multicast = chain_of_receivers(writer, receivers, count);
    group.multicast_links = (uint16_t)count;
    group.multicast_rate = packets_s;
    (void)bypeer_slots_writer_put(&writer->groups, id, &group);
    chain_retire(writer, old);
    return 0;
}

static bool rule_is_valid(const struct bypeer_policy_rule *rule)
{
    return rule->port_low <= rule->port_high &&
           (rule->verdict == BYPEER_POLICY_DENY || rule->verdict == BYPEER_POLICY_ALLOW);
}

static int rules_check(const struct bypeer_policy_rule rules[], uint32_t count)
{
    if (count > BYPEER_GROUP_RULES_MAX)
        return -E2BIG;
    for (uint32_t i = 0; i < count; i++)
        if (!rule_is_valid(&rules[i]))
            return -EINVAL;
    return 0;
}

int bypeer_writer_add_group(struct bypeer_writer *writer, const struct bypeer_group *given,
                            const struct bypeer_policy_rule rules[], uint32_t count)
{
    struct bypeer_group group = *given;
    if (bypeer_writer_find_group(writer, group.id))
        return bypeer_writer_put_group(writer, given);
    int error = rules_check(rules, count);
    if (!error && (group.id == 0 || group.id > writer->groups.capacity))
        error = -EINVAL;
    if (!error && bypeer_pool_available(&writer->groups.pool) == 0)
        error = -EAGAIN;
    if (!error)
        error = chain_room(writer, parts_for(count, BYPEER_PART_RULES));
    if (error)
        return error;
    group.rules = chain_of_rules(writer, rules, count);
    group.rule_count = (uint16_t)count;
    group.multicast = 0;
    group.multicast_links = 0;
    if (count > 0)
        bypeer_writer_count_judged(writer, 1);
    return bypeer_slots_writer_put(&writer->groups, group.id, &group);
}

int bypeer_writer_set_rules(struct bypeer_writer *writer, uint32_t id, const struct bypeer_policy_rule rules[],
                            uint32_t count)
{
    int error = rules_check(rules, count);
    if (!error)
        error = group_room(writer, id, parts_for(count, BYPEER_PART_RULES));
    if (error)
        return error;
    struct bypeer_group group = *bypeer_writer_find_group(writer, id);
    uint32_t old = group.rules;
    group.rules = chain_of_rules(writer, rules, count);
    group.rule_count = (uint16_t)count;
    /* A packet that was looked up before roles are noted, and judged after, would be refused: so they are noted first,
     * and longer than need be. */
    if (old == 0 && count > 0)
        bypeer_writer_count_judged(writer, 1);
    (void)bypeer_slots_writer_put(&writer->groups, id, &group);
    if (old != 0 && count == 0)
        bypeer_writer_count_judged(writer, -1);
    chain_retire(writer, old);
    return 0;
}

/* --- growth ---------------------------------------------------------------------------------------------------------
 */

/* Chains first, so that a group takes one record, as there is for each. */
static int group_copy(struct bypeer_writer *to, const struct bypeer_writer *from, const struct bypeer_group *group)
{
    struct bypeer_multicast_receiver receivers[BYPEER_MULTICAST_LINKS_MAX];
    struct bypeer_policy_rule rules[BYPEER_GROUP_RULES_MAX];
    const struct bypeer_group_part *parts = from->group_parts.records;
    struct bypeer_group copy = *group;
    int error = chain_room(to, parts_for(group->multicast_links, BYPEER_PART_RECEIVERS) +
                                   parts_for(group->rule_count, BYPEER_PART_RULES));
    if (error)
        return -ENOSPC;
    uint32_t slot = group->multicast;
    for (uint32_t at = 0; at < group->multicast_links; at++) {
        receivers[at] = parts[slot].receivers[at % BYPEER_PART_RECEIVERS];
        slot = at % BYPEER_PART_RECEIVERS == BYPEER_PART_RECEIVERS - 1 ? parts[slot].next : slot;
    }
    slot = group->rules;
    for (uint32_t at = 0; at < group->rule_count; at++) {
        rules[at] = parts[slot].rules[at % BYPEER_PART_RULES];
        slot = at % BYPEER_PART_RULES == BYPEER_PART_RULES - 1 ? parts[slot].next : slot;
    }
    copy.multicast = chain_of_receivers(to, receivers, group->multicast_links);
    copy.rules = chain_of_rules(to, rules, group->rule_count);
    if (copy.rules != 0)
        bypeer_writer_count_judged(to, 1);
    return bypeer_slots_writer_put(&to->groups, copy.id, &copy);
}

int bypeer_writer_copy_groups(struct bypeer_writer *to, const struct bypeer_writer *from)
{
    for (uint32_t id = 1; id <= from->groups.capacity; id++) {
        const struct bypeer_group *group = bypeer_writer_find_group(from, id);
        if (group && (id > to->groups.capacity || group_copy(to, from, group) < 0))
            return -ENOSPC;
    }
    return 0;
}
