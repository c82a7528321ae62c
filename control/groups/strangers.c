#include "control/groups/strangers.h"

#include "overlay/graph/source.h"

/* That of the address; else the one that was used least lately, emptied. */
static struct bypeer_strangers_source *strangers_find(struct bypeer_strangers *strangers,
                                                      const uint8_t address[static 16])
{
    struct bypeer_strangers_source *oldest = &strangers->sources[0];
    for (unsigned at = 0; at < BYPEER_STRANGERS_SOURCES; at++) {
        struct bypeer_strangers_source *source = &strangers->sources[at];
        if (source->used_ms != 0 && bypeer_graph_is_same_source(source->address, address))
            return source;
        if (source->used_ms < oldest->used_ms)
            oldest = source;
    }
    *oldest = (struct bypeer_strangers_source){0};
    memcpy(oldest->address, address, sizeof(oldest->address));
    return oldest;
}

bool bypeer_strangers_admit(struct bypeer_strangers *strangers, const uint8_t address[static 16], uint64_t now_ms)
{
    struct bypeer_strangers_source *source = strangers_find(strangers, address);
    uint64_t full = source->full_ms > now_ms ? source->full_ms : now_ms;
    source->used_ms = now_ms;
    if (full + BYPEER_STRANGERS_MS > now_ms + (uint64_t)BYPEER_STRANGERS_BURST * BYPEER_STRANGERS_MS)
        return false;
    source->full_ms = full + BYPEER_STRANGERS_MS;
    return true;
}
