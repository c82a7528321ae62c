#include <errno.h>

#include "overlay/meter/rate.h"
#include "overlay/tables/writer_state.h"

static void limits_count(struct bypeer_writer *writer)
{
    uint64_t limits = (uint64_t)writer->link_limits.used + writer->group_limits.used;
    __atomic_store_n(&writer->header->limits, limits, __ATOMIC_RELAXED);
}

static int limit_put(struct bypeer_writer *writer, struct bypeer_slots_writer *limits, const struct bypeer_limit *given)
{
    struct bypeer_limit limit = *given;
    if (limit.flags & BYPEER_LIMIT_RATE) {
        if (limit.bits_s < BYPEER_RATE_MIN || limit.bits_s > BYPEER_RATE_MAX || limit.burst < BYPEER_RATE_BURST_MIN ||
            limit.burst > BYPEER_RATE_BURST_MAX)
            return -EINVAL;
        limit.cost = bypeer_rate_cost(limit.bits_s);
        limit.ahead = bypeer_rate_ahead(limit.bits_s, limit.burst);
        limit.capacity = bypeer_share_capacity(limit.bits_s);
        limit.room = limit.burst * BYPEER_SHARE_UNITS;
    }
    int result = bypeer_slots_writer_put(limits, limit.id, &limit);
    limits_count(writer);
    return result;
}

int bypeer_writer_put_link_limit(struct bypeer_writer *writer, const struct bypeer_limit *limit)
{
    return limit_put(writer, &writer->link_limits, limit);
}

int bypeer_writer_put_group_limit(struct bypeer_writer *writer, const struct bypeer_limit *limit)
{
    return limit_put(writer, &writer->group_limits, limit);
}

int bypeer_writer_remove_link_limit(struct bypeer_writer *writer, uint32_t link)
{
    int result = bypeer_slots_writer_remove(&writer->link_limits, link);
    limits_count(writer);
    return result;
}

int bypeer_writer_remove_group_limit(struct bypeer_writer *writer, uint32_t group)
{
    int result = bypeer_slots_writer_remove(&writer->group_limits, group);
    limits_count(writer);
    return result;
}

const struct bypeer_limit *bypeer_writer_find_link_limit(const struct bypeer_writer *writer, uint32_t link)
{
    return bypeer_slots_writer_find(&writer->link_limits, link);
}

const struct bypeer_limit *bypeer_writer_find_group_limit(const struct bypeer_writer *writer, uint32_t group)
{
    return bypeer_slots_writer_find(&writer->group_limits, group);
}

int bypeer_writer_copy_limits(struct bypeer_writer *to, const struct bypeer_writer *from)
{
    int error = bypeer_slots_writer_copy(&to->link_limits, &from->link_limits);
    if (!error)
        error = bypeer_slots_writer_copy(&to->group_limits, &from->group_limits);
    limits_count(to);
    return error;
}
