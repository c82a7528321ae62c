/* Private to libbypeer: what the functions of peer.h have in common. */
#pragma once

#include "tools/lib/peer.h"
#include "tools/lib/values.h"

/* What every snapshot begins with; elements follow. */
struct peer_snapshot {
    json_t *source;
    size_t count;
};

/* Fills an element, all zero before, from an object that outlives it. False: it is not as it should be. */
typedef bool peer_fill(void *element, json_t *object);

/* Calls a method whose answer has an array under a key, and makes a snapshot of it. params: its reference is taken. */
int peer_enumerate(void **ret_snapshot, struct bypeer *node, const char *method, json_t *params, const char *key,
                   size_t element_bytes, peer_fill *fill);
/* The same of an answer that is there; its reference is taken. */
int peer_snapshot_make(struct peer_snapshot **ret_snapshot, struct bypeer *node, const char *method, json_t *answer,
                       const char *key, size_t element_bytes, peer_fill *fill);

/* A call with params from json_pack(), whose reference is taken; NULL: -EINVAL. ret_result may be NULL. */
int peer_call(struct bypeer *node, const char *method, json_t *params, json_t **ret_result);
/* The same; the text under the key of the answer is copied, if it is wanted. */
int peer_call_text(struct bypeer *node, const char *method, json_t *params, const char *key, char *ret_text,
                   size_t room);
/* The same; *ret_text is the caller's to free(). */
int peer_call_string(struct bypeer *node, const char *method, json_t *params, const char *key, char **ret_text);

/* For a method that takes up to so long itself (0: 30 s). Returns what is to be put back into node->timeout_ms. */
int peer_wait_longer(struct bypeer *node, int timeout_ms);

/* NULL for 0, which is left out of params then. */
json_t *peer_unless_zero(int64_t value);
bool peer_is_true(const json_t *object, const char *key);
unsigned peer_roles_read(const json_t *list);
json_t *peer_roles_write(unsigned roles); /* NULL: none */

/* peer_records.c: of an element, whose payload is decoded within the object. */
peer_fill peer_record_fill;
