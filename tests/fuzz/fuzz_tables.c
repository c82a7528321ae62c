/* A tables region of any contents: attach refuses it, or every look-up stays inside. */
#include "overlay/tables/exact.h"
#include "overlay/tables/names_search.h"
#include "overlay/tables/relays.h"
#include "tests/fuzz/region_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void touch(const void *record, size_t bytes)
{
    for (size_t i = 0; record && i < bytes; i++)
        sink += ((const uint8_t *)record)[i];
}

static void look_up(const struct bypeer_tables *tables, const uint8_t *key)
{
    struct bypeer_exact_variant variants[BYPEER_EXACT_VARIANTS];
    const struct bypeer_destination *found;
    uint32_t id;
    bypeer_exact_variants(variants);
    for (unsigned i = 0; i < BYPEER_EXACT_VARIANTS; i++) {
        if (!variants[i].lookup)
            continue;
        variants[i].lookup(&tables->destinations, &key, 1, &found);
        touch(found, sizeof(*found));
        variants[i].lookup(&tables->ingresses, &key, 1, &found);
        touch(found, sizeof(*found));
    }
    touch(bypeer_prefixes_lookup(tables, key), sizeof(struct bypeer_destination));
    touch(bypeer_relays_find(tables, key, &id), sizeof(struct bypeer_relay_record));
    memcpy(&id, key, sizeof(id));
    touch(bypeer_tables_link(tables, id), sizeof(struct bypeer_link));
    touch(bypeer_tables_adjacency(tables, id), sizeof(struct bypeer_adjacency));
    touch(bypeer_tables_group(tables, id), sizeof(struct bypeer_group));
    touch(bypeer_tables_group_part(tables, id), sizeof(struct bypeer_group_part));
    touch(bypeer_tables_link_limit(tables, id), sizeof(struct bypeer_limit));
    touch(bypeer_tables_group_limit(tables, id), sizeof(struct bypeer_limit));
    touch(bypeer_tables_session(tables, id), sizeof(struct bypeer_wireguard_session));
    touch(bypeer_tables_session_in(tables, id), sizeof(struct bypeer_wireguard_session));
    touch(tables->wireguard, sizeof(*tables->wireguard));
}

/* From an ID outwards, as far as a walk goes. */
static void look_up_name(const struct bypeer_tables *tables, uint8_t cloud, const uint8_t *id)
{
    struct bypeer_names_variant variants[BYPEER_NAMES_VARIANTS];
    struct bypeer_names_walk walk;
    const struct bypeer_name_record *record;
    const uint8_t(*more)[16];
    touch(bypeer_names_cloud(tables, cloud), sizeof(struct bypeer_cloud_record));
    sink += bypeer_names_is_own(tables, cloud, id) + bypeer_names_is_leaf(tables, cloud, id);
    bypeer_names_variants(variants);
    for (unsigned i = 0; i < BYPEER_NAMES_VARIANTS; i++) {
        if (!variants[i].locate)
            continue;
        variants[i].locate(tables, &cloud, &id, 1, BYPEER_NAMES_FETCH_NEAREST, &walk);
        while ((record = i % 3 == 0   ? bypeer_names_nearest(&walk, id)
                         : i % 3 == 1 ? bypeer_names_above(&walk)
                                      : bypeer_names_below(&walk)) != NULL) {
            touch(record, sizeof(*record));
            unsigned count = bypeer_names_addresses(tables, record, &more);
            touch(more, (count - 1) * sizeof(*more));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes;
    char why[BYPEER_REGION_WHY_BYTES];
    struct bypeer_tables tables;
    uint8_t *base = region_input(BYPEER_REGION_TABLES, data, size, &bytes);
    if (!base)
        return 0;
    if (bypeer_tables_attach(&tables, base, bytes, why) == 0) {
        for (unsigned at = 0; at + 16 <= REGION_INPUT_HEAD; at++)
            look_up(&tables, data + at);
        for (unsigned at = 0; at + 32 <= REGION_INPUT_HEAD; at++)
            look_up_name(&tables, data[at] % (BYPEER_CLOUDS_MAX + 2), data + at);
        for (uint32_t i = 0; i < tables.names.record_count && i < 8; i++)
            look_up_name(&tables, 1, tables.names.records[i].id);
        /* Keys of the records themselves, as far as the input holds some. */
        for (uint32_t i = 0; i < tables.destinations.record_count && i < 8; i++)
            look_up(&tables, tables.destinations.records[i].key);
    }
    free(base);
    return 0;
}
