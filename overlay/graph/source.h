/*
 * From where somebody comes. Whoever has one address has many: a /64 is one source, and of IPv4 (::ffff:a.b.c.d) a /24.
 *
 * Addresses: 16 bytes in network order. Threads: any.
 */
#pragma once

#include <stdbool.h>

#include "overlay/ip/ipv4.h"

static inline bool bypeer_graph_is_same_source(const uint8_t a[static 16], const uint8_t b[static 16])
{
    bool is_ipv4 = bypeer_ipv4_is_mapped(a);
    return is_ipv4 == (bypeer_ipv4_is_mapped(b) != 0) && memcmp(a, b, is_ipv4 ? 15 : 8) == 0;
}
