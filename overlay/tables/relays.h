/*
 * Relay records as a reader finds them: by the end that a relay address tells, or the port of the IPv4 variant.
 *
 *   key --> end --> record end / 2, and states end and end ^ 1 of the sessions region
 *
 * An end is a guess until its record has the very key. So a burst computes the ends of all packets, fetches all that
 * they lead to, and only then asks bypeer_relays_has().
 *
 * Threads: any number of readers. What is found is whole until the worker's next quiescent state.
 */
#pragma once

#include "overlay/ip/wire.h"
#include "overlay/relay/address.h"
#include "overlay/relay/packet.h"
#include "overlay/tables/tables.h"

/* The end of a key, if it is anybody's. */
static inline uint32_t bypeer_relays_end(const struct bypeer_tables *tables, const uint8_t key[static 16])
{
    if (__builtin_expect(bypeer_load64_raw(key) != 0, 1)) /* ports have keys that begin with zeros */
        return bypeer_relay_address_end(tables->relay_prefix.secret, key);
    uint16_t port = bypeer_relay_key_port(key);
    return port < tables->relay_port_count ? __atomic_load_n(&tables->relay_ports[port], __ATOMIC_RELAXED) : 0;
}

/* Never NULL: of an end that is out of range it is record 0, which is nobody's. */
static inline const struct bypeer_relay_record *bypeer_relays_record(const struct bypeer_tables *tables, uint32_t end)
{
    return &tables->relays[end / 2 < tables->relay_count ? end / 2 : 0];
}

/* Whether the record has this key at this end. */
static inline bool bypeer_relays_has(const struct bypeer_relay_record *record, uint32_t end,
                                     const uint8_t key[static 16])
{
    const uint8_t *own = record->keys[end % 2];
    /* Pairs with the release in writer_relays.c. */
    return __atomic_load_n(&record->is_there, __ATOMIC_ACQUIRE) != 0 &&
           ((bypeer_load64_raw(own) ^ bypeer_load64_raw(key)) |
            (bypeer_load64_raw(own + 8) ^ bypeer_load64_raw(key + 8))) == 0;
}

/* One key by itself: its record, and *ret_end, or NULL. */
static inline const struct bypeer_relay_record *bypeer_relays_find(const struct bypeer_tables *tables,
                                                                   const uint8_t key[static 16], uint32_t *ret_end)
{
    const uint32_t end = bypeer_relays_end(tables, key);
    const struct bypeer_relay_record *record = bypeer_relays_record(tables, end);
    *ret_end = end;
    return bypeer_relays_has(record, end, key) ? record : NULL;
}
