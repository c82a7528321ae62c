#include "overlay/tables/slots.h"

#include <errno.h>
#include <string.h>

int bypeer_slots_writer_init(struct bypeer_slots_writer *writer, uint32_t *index, void *records, uint32_t record_count,
                             uint32_t record_bytes, uint32_t capacity)
{
    struct bypeer_pool pool;
    int error = bypeer_pool_init(&pool, record_count);
    if (error)
        return error;
    *writer = (struct bypeer_slots_writer){
        .index = index, .records = records, .record_bytes = record_bytes, .capacity = capacity, .pool = pool};
    return 0;
}

void bypeer_slots_writer_free(struct bypeer_slots_writer *writer)
{
    bypeer_pool_free(&writer->pool);
}

static uint8_t *slots_record(const struct bypeer_slots_writer *writer, uint32_t slot)
{
    return writer->records + (uint64_t)slot * writer->record_bytes;
}

int bypeer_slots_writer_put(struct bypeer_slots_writer *writer, uint32_t id, const void *record)
{
    if (id == 0 || id > writer->capacity)
        return -EINVAL;
    uint32_t slot = bypeer_pool_take(&writer->pool);
    if (slot == 0)
        return -EAGAIN;
    memcpy(slots_record(writer, slot), record, writer->record_bytes);
    uint32_t old = writer->index[id];
    /* The record before its slot; pairs with the acquire load in bypeer_slots_find(). */
    __atomic_store_n(&writer->index[id], slot, __ATOMIC_RELEASE);
    if (old != 0) {
        bypeer_pool_retire(&writer->pool, old);
        return 0;
    }
    writer->used++;
    return 1;
}

int bypeer_slots_writer_remove(struct bypeer_slots_writer *writer, uint32_t id)
{
    if (id == 0 || id > writer->capacity || writer->index[id] == 0)
        return -ENOENT;
    uint32_t old = writer->index[id];
    __atomic_store_n(&writer->index[id], 0, __ATOMIC_RELEASE);
    bypeer_pool_retire(&writer->pool, old);
    writer->used--;
    return 0;
}

const void *bypeer_slots_writer_find(const struct bypeer_slots_writer *writer, uint32_t id)
{
    if (id == 0 || id > writer->capacity || writer->index[id] == 0)
        return NULL;
    return slots_record(writer, writer->index[id]);
}

int bypeer_slots_writer_copy(struct bypeer_slots_writer *to, const struct bypeer_slots_writer *from)
{
    for (uint32_t id = 1; id <= from->capacity; id++) {
        const void *record = bypeer_slots_writer_find(from, id);
        if (!record)
            continue;
        if (id > to->capacity)
            return -ENOSPC;
        int error = bypeer_slots_writer_put(to, id, record);
        if (error < 0)
            return error;
    }
    return 0;
}
