#include "overlay/tables/retire.h"

#include <errno.h>
#include <stdlib.h>

int bypeer_retire_init(struct bypeer_retire *ret_retire, uint64_t capacity)
{
    if (capacity == 0 || capacity > UINT64_C(1) << 32)
        return -EINVAL;
    uint64_t room = 1;
    while (room < capacity)
        room *= 2;
    struct bypeer_retired *entries = calloc(room, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    *ret_retire = (struct bypeer_retire){.entries = entries, .mask = room - 1, .capacity = capacity};
    return 0;
}

void bypeer_retire_free(struct bypeer_retire *retire)
{
    free(retire->entries);
    *retire = (struct bypeer_retire){.entries = NULL};
}

int bypeer_retire_push(struct bypeer_retire *retire, uint32_t kind, uint32_t slot)
{
    if (bypeer_retire_full(retire))
        return -EAGAIN;
    retire->entries[retire->tail++ & retire->mask] =
        (struct bypeer_retired){.kind = kind, .slot = slot, .token = retire->requested + 1};
    return 0;
}

bool bypeer_retire_waiting(const struct bypeer_retire *retire)
{
    return bypeer_retire_count(retire) && retire->entries[(retire->tail - 1) & retire->mask].token > retire->requested;
}

uint64_t bypeer_retire_request(struct bypeer_retire *retire)
{
    if (bypeer_retire_waiting(retire))
        retire->requested++;
    return retire->requested;
}

bool bypeer_retire_pop(struct bypeer_retire *retire, uint64_t completed, struct bypeer_retired *ret_retired)
{
    if (completed > retire->requested)
        completed = retire->requested;
    if (bypeer_retire_count(retire) == 0)
        return false;
    const struct bypeer_retired *oldest = &retire->entries[retire->head & retire->mask];
    if (oldest->token > completed)
        return false;
    *ret_retired = *oldest;
    retire->head++;
    return true;
}
