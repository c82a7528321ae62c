/*
 * Relay records by the numbers of their pairs, which control gives out: they are durable, so no pool could. The pool
 * here only tells how long a number that was given up may still be seen.
 */
#include <errno.h>
#include <string.h>

#include "overlay/relay/address.h"
#include "overlay/relay/packet.h"
#include "overlay/tables/writer_state.h"

static const uint8_t no_key[16];

int bypeer_relays_writer_init(struct bypeer_relays_writer *relays, struct bypeer_relay_record *records, uint32_t *ports,
                              uint32_t capacity)
{
    *relays = (struct bypeer_relays_writer){.records = records, .ports = ports, .capacity = capacity};
    int error = bypeer_pool_init(&relays->pool, capacity + 1);
    relays->pool.fresh = relays->pool.slots; /* none is the pool's to hand out */
    return error;
}

void bypeer_relays_writer_free(struct bypeer_relays_writer *relays)
{
    bypeer_pool_free(&relays->pool);
    *relays = (struct bypeer_relays_writer){0};
}

void bypeer_relays_writer_reclaim(struct bypeer_relays_writer *relays, uint64_t completed)
{
    bypeer_pool_reclaim(&relays->pool, completed);
    while (bypeer_pool_take(&relays->pool) != 0)
        continue;
}

static bool relays_is_port(const uint8_t key[static 16])
{
    return memcmp(key, no_key, 8) == 0;
}

static void relays_set_ports(struct bypeer_relays_writer *relays, uint32_t number,
                             const struct bypeer_relay_record *record, bool gone)
{
    for (uint32_t side = 0; side < 2; side++)
        if (relays_is_port(record->keys[side]))
            __atomic_store_n(&relays->ports[bypeer_relay_key_port(record->keys[side])], gone ? 0 : 2 * number + side,
                             __ATOMIC_RELAXED);
}

/* Whether readers will look for the record where it is: what a port leads to is written with it. */
static bool relays_can_be_found(const struct bypeer_writer *writer, uint32_t number,
                                const struct bypeer_relay_record *record)
{
    const uint64_t secret = writer->header->relay_prefix.secret;
    for (uint32_t side = 0; side < 2; side++)
        if (!relays_is_port(record->keys[side]) &&
            bypeer_relay_address_end(secret, record->keys[side]) != 2 * number + side)
            return false;
    return true;
}

int bypeer_writer_put_relay(struct bypeer_writer *writer, uint32_t number, const struct bypeer_relay_record *relay)
{
    struct bypeer_relays_writer *relays = &writer->relays;
    if (number == 0 || relay->serial == 0 || !relays_can_be_found(writer, number, relay))
        return -EINVAL;
    if (number > relays->capacity)
        return -ENOSPC;
    struct bypeer_relay_record *record = &relays->records[number];
    if (record->is_there &&
        (record->serial != relay->serial || memcmp(record->keys, relay->keys, sizeof(record->keys)) != 0))
        return -EINVAL;
    for (unsigned side = 0; side < 2; side++)
        __atomic_store_n(&record->links[side], relay->links[side], __ATOMIC_RELAXED);
    if (record->is_there)
        return 0;
    memcpy(record->keys, relay->keys, sizeof(record->keys));
    record->serial = relay->serial;
    /* Pairs with the acquire in bypeer_relays_has(). */
    __atomic_store_n(&record->is_there, 1, __ATOMIC_RELEASE);
    relays_set_ports(relays, number, relay, false);
    relays->used++;
    return 1;
}

int bypeer_writer_remove_relay(struct bypeer_writer *writer, uint32_t number)
{
    struct bypeer_relays_writer *relays = &writer->relays;
    if (number == 0 || number > relays->capacity || !relays->records[number].is_there)
        return -ENOENT;
    struct bypeer_relay_record *record = &relays->records[number];
    relays_set_ports(relays, number, record, true);
    __atomic_store_n(&record->is_there, 0, __ATOMIC_RELAXED);
    bypeer_pool_retire(&relays->pool, number);
    relays->used--;
    return 0;
}

int bypeer_writer_copy_relays(struct bypeer_writer *to, const struct bypeer_writer *from)
{
    int result = 0;
    for (uint32_t number = 1; number <= from->relays.capacity && result >= 0; number++)
        if (from->relays.records[number].is_there)
            result = bypeer_writer_put_relay(to, number, &from->relays.records[number]);
    return result < 0 ? result : 0;
}
