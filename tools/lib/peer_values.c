#include "tools/lib/peer_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned role;
} role_names[] = {
    {"administrator", BYPEER_PEER_ADMINISTRATOR},
    {"inviting", BYPEER_PEER_INVITING},
    {"member", BYPEER_PEER_MEMBER},
    {"supernode", BYPEER_PEER_SUPERNODE},
};
#define ROLE_NAMES (sizeof(role_names) / sizeof(role_names[0]))

unsigned peer_roles_read(const json_t *list)
{
    unsigned roles = 0;
    for (size_t at = 0; at < json_array_size(list); at++) {
        const char *name = json_string_value(json_array_get(list, at));
        for (size_t known = 0; name && known < ROLE_NAMES; known++)
            if (strcmp(name, role_names[known].name) == 0)
                roles |= role_names[known].role;
    }
    return roles;
}

json_t *peer_roles_write(unsigned roles)
{
    json_t *list = roles ? json_array() : NULL;
    for (size_t known = 0; known < ROLE_NAMES; known++)
        if (roles & role_names[known].role)
            json_array_append_new(list, json_string(role_names[known].name));
    return list;
}

json_t *peer_unless_zero(int64_t value)
{
    return value ? json_integer(value) : NULL;
}

bool peer_is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

#define WAIT_MS  30000
#define LATER_MS 5000 /* that an answer may take beyond the time that it was given */

int peer_wait_longer(struct bypeer *node, int timeout_ms)
{
    int usual_ms = node->timeout_ms;
    if (usual_ms >= 0)
        node->timeout_ms = (timeout_ms ? timeout_ms : WAIT_MS) + LATER_MS;
    return usual_ms;
}

int peer_call(struct bypeer *node, const char *method, json_t *params, json_t **ret_result)
{
    if (!params)
        return connection_fail(node, -EINVAL, "a parameter of %s is missing or no UTF-8", method);
    return bypeer_call(node, method, params, ret_result);
}

int peer_call_text(struct bypeer *node, const char *method, json_t *params, const char *key, char *ret_text,
                   size_t room)
{
    json_t *result = NULL;
    int error = peer_call(node, method, params, &result);
    if (error)
        return error;
    if (!value_text(result, key)[0])
        error = value_malformed(node, method);
    else if (ret_text)
        value_copy(result, key, ret_text, room);
    json_decref(result);
    return error;
}

int peer_call_string(struct bypeer *node, const char *method, json_t *params, const char *key, char **ret_text)
{
    json_t *result = NULL;
    int error = peer_call(node, method, params, &result);
    if (error)
        return error;
    char *text = value_text(result, key)[0] ? strdup(value_text(result, key)) : NULL;
    if (text)
        *ret_text = text;
    else
        error = value_malformed(node, method);
    json_decref(result);
    return error;
}

int peer_snapshot_make(struct peer_snapshot **ret_snapshot, struct bypeer *node, const char *method, json_t *answer,
                       const char *key, size_t element_bytes, peer_fill *fill)
{
    const json_t *list = json_object_get(answer, key);
    size_t count = json_array_size(list);
    struct peer_snapshot *snapshot = calloc(1, sizeof(*snapshot) + count * element_bytes);
    bool good = json_is_array(list);
    for (size_t at = 0; snapshot && good && at < count; at++)
        good = fill((char *)(snapshot + 1) + at * element_bytes, json_array_get(list, at));
    if (!snapshot || !good) {
        free(snapshot);
        json_decref(answer);
        return snapshot ? value_malformed(node, method) : connection_fail(node, -ENOMEM, "out of memory");
    }
    snapshot->source = answer;
    snapshot->count = count;
    *ret_snapshot = snapshot;
    return 0;
}

int peer_enumerate(void **ret_snapshot, struct bypeer *node, const char *method, json_t *params, const char *key,
                   size_t element_bytes, peer_fill *fill)
{
    json_t *answer = NULL;
    struct peer_snapshot *snapshot = NULL;
    int error = peer_call(node, method, params, &answer);
    if (!error)
        error = peer_snapshot_make(&snapshot, node, method, answer, key, element_bytes, fill);
    if (!error)
        *ret_snapshot = snapshot;
    return error;
}

void bypeer_peer_free(void *snapshot)
{
    if (!snapshot)
        return;
    json_decref(((struct peer_snapshot *)snapshot)->source);
    free(snapshot);
}
