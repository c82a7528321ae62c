#include "overlay/graph/tokens.h"

#include <string.h>

#include "overlay/graph/source.h"

bool bypeer_tokens_are_left(const struct bypeer_tokens *tokens, const struct bypeer_tokens_rate *rate, uint64_t now_ms)
{
    return tokens->full_ms <= now_ms + (rate->burst - 1) * (uint64_t)rate->every_ms;
}

void bypeer_tokens_take(struct bypeer_tokens *tokens, const struct bypeer_tokens_rate *rate, uint64_t now_ms)
{
    tokens->full_ms = (tokens->full_ms > now_ms ? tokens->full_ms : now_ms) + rate->every_ms;
}

struct bypeer_tokens *bypeer_tokens_of(struct bypeer_tokens_source sources[], size_t count,
                                       const uint8_t address[static 16])
{
    struct bypeer_tokens_source *chosen = &sources[0];
    for (size_t at = 0; at < count; at++) {
        if (bypeer_graph_is_same_source(sources[at].address, address))
            return &sources[at].tokens;
        if (sources[at].tokens.full_ms < chosen->tokens.full_ms)
            chosen = &sources[at];
    }
    *chosen = (struct bypeer_tokens_source){.tokens = {0}};
    memcpy(chosen->address, address, sizeof(chosen->address));
    return &chosen->tokens;
}
