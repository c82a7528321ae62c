/*
 * How often strangers may begin: each source (overlay/graph/source.h) has tokens, of which a connection takes one.
 *
 * Thread: one. Memory: fixed; of more sources than it holds, those that were seen last are known.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BYPEER_STRANGERS_SOURCES 256
#define BYPEER_STRANGERS_BURST   32  /* connections of a source at once */
#define BYPEER_STRANGERS_MS      250 /* and then one in so long */

/* All zero: nobody came yet. */
struct bypeer_strangers {
    struct bypeer_strangers_source {
        uint8_t address[16];
        uint64_t used_ms; /* 0: free */
        uint64_t full_ms; /* when all of its tokens are back */
    } sources[BYPEER_STRANGERS_SOURCES];
};

/* Whether one from this address may begin now; takes a token if so. now_ms: not 0, never goes back. */
bool bypeer_strangers_admit(struct bypeer_strangers *strangers, const uint8_t address[static 16], uint64_t now_ms);
