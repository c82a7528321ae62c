/* Private to the schema: how its files write a key, and the keys that are not in schema.c itself. */
#pragma once

#include "config/schema.h"

/* Where a value goes: a member of bypeer_config, or of an entry's structure, and what is kept beside it. */
#define FIELD(structure, member) \
    .offset = offsetof(struct structure, member), .size = sizeof(((struct structure *)NULL)->member)
#define BESIDE(structure, member) \
    .beside_offset = offsetof(struct structure, member), .beside_size = sizeof(((struct structure *)NULL)->member)
#define TEXT(structure, member, least) \
    FIELD(structure, member), .minimum = (least), .maximum = sizeof(((struct structure *)NULL)->member) - 1
#define ENTRIES(structure, array, number)                                                           \
    .entry_bytes = sizeof(struct structure), .array_offset = offsetof(struct bypeer_config, array), \
    .count_offset = offsetof(struct bypeer_config, number)

extern const char *const schema_booleans[];

/* schema_peers.c */
extern const struct bypeer_schema_key schema_wireguard_keys[5];
extern const struct bypeer_schema_key schema_peer_keys[7];
extern const struct bypeer_schema_key schema_relay_keys[4];
extern const struct bypeer_schema_key schema_grouping_keys[2];
