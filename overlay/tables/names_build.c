#include "overlay/tables/names_build.h"

#include <errno.h>

#include "overlay/tables/writer_state.h"

static int order_of(uint32_t cloud_a, const uint8_t *id_a, uint32_t cloud_b, const uint8_t *id_b)
{
    return cloud_a != cloud_b ? (cloud_a > cloud_b) - (cloud_a < cloud_b) : memcmp(id_a, id_b, 32);
}

static int build_from_source(struct bypeer_names_build *build)
{
    uint32_t cloud, last_cloud = 0;
    uint8_t last[32] = {0};
    struct bypeer_name name;
    while (build->source.next(build->source.context, &cloud, &name)) {
        if (cloud < 1 || cloud > BYPEER_CLOUDS_MAX || name.address_count < 1 ||
            name.address_count > BYPEER_NAME_ADDRESSES ||
            (last_cloud != 0 && order_of(last_cloud, last, cloud, name.id) >= 0))
            return -EINVAL;
        struct bypeer_name_record record = {
            .port = name.port, .address_count = name.address_count, .flags = name.flags};
        memcpy(record.id, name.id, sizeof(record.id));
        memcpy(record.address, name.addresses[0], sizeof(record.address));
        int error = bypeer_names_array_add(&build->array, cloud, &record, (const uint8_t(*)[16])name.addresses + 1);
        if (error)
            return error;
        last_cloud = cloud;
        memcpy(last, name.id, sizeof(last));
    }
    return 0;
}

static int build_add_change(struct bypeer_names_build *build, const struct bypeer_names_change *change)
{
    if (change->removed)
        return 0;
    return bypeer_names_array_add(&build->array, change->cloud, &change->record, (const uint8_t(*)[16])change->more);
}

static int build_add_record(struct bypeer_names_build *build, uint32_t cloud, const struct bypeer_name_record *record)
{
    /* Marks that came since are those of fresh changes, which swap applies to the new half. */
    uint32_t dead = __atomic_load_n(&record->dead, __ATOMIC_RELAXED);
    if (dead != 0 && dead <= build->serial)
        return 0;
    return bypeer_names_array_add(&build->array, cloud, record, build->from.extras[record->extra].addresses);
}

/* Half and changes in one order; of an ID that both have the change counts. */
static int build_merged(struct bypeer_names_build *build)
{
    const struct bypeer_names_change *change = build->changes, *end = change + build->change_count;
    int error = 0;
    for (uint32_t cloud = 1; cloud <= BYPEER_CLOUDS_MAX; cloud++) {
        const struct bypeer_name_record *record = build->from.records + build->half[cloud].first;
        const struct bypeer_name_record *records_end = record + build->half[cloud].count;
        while (!error && (record < records_end || (change < end && change->cloud == cloud))) {
            int order = change == end || change->cloud != cloud ? -1
                        : record == records_end                 ? 1
                                                                : memcmp(record->id, change->record.id, 32);
            error = order < 0 ? build_add_record(build, cloud, record) : build_add_change(build, change);
            record += order <= 0;
            change += order >= 0;
        }
    }
    return error;
}

int bypeer_names_build(struct bypeer_names_build *build)
{
    build->result = build->source.next ? build_from_source(build) : build_merged(build);
    if (build->result == 0)
        bypeer_names_array_finish(&build->array);
    build->built = true;
    return build->result;
}
