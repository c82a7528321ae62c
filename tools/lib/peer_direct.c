#include <errno.h>
#include <stdlib.h>

#include "tools/lib/base64.h"
#include "tools/lib/peer_values.h"

int bypeer_peer_direct_open(struct bypeer *node, const char *group, const char *member, int timeout_ms,
                            int64_t *ret_link)
{
    json_t *result = NULL;
    int usual_ms = peer_wait_longer(node, timeout_ms);
    int error = peer_call(
        node, "direct.open",
        json_pack("{s:s, s:s, s:o*}", "group", group, "member", member, "timeout_ms", peer_unless_zero(timeout_ms)),
        &result);
    node->timeout_ms = usual_ms;
    if (error)
        return error;
    int64_t link = value_integer(result, "link");
    json_decref(result);
    if (link <= 0)
        return value_malformed(node, "direct.open");
    *ret_link = link;
    return 0;
}

int bypeer_peer_direct_send(struct bypeer *node, const char *group, int64_t link, const char *type, const void *bytes,
                            size_t length)
{
    if (length > BYPEER_PEER_DATA_MAX)
        return connection_fail(node, -EINVAL, "a message of %zu bytes is too long; use at most %u", length,
                               BYPEER_PEER_DATA_MAX);
    char *text = malloc(BASE64_BYTES(length));
    if (!text)
        return connection_fail(node, -ENOMEM, "out of memory");
    base64_write(bytes, length, text);
    int error = peer_call(
        node, "direct.send",
        json_pack("{s:s, s:I, s:s*, s:s}", "group", group, "link", (json_int_t)link, "type", type, "data", text), NULL);
    free(text);
    return error;
}

int bypeer_peer_direct_close(struct bypeer *node, const char *group, int64_t link)
{
    return peer_call(node, "direct.close", json_pack("{s:s, s:I}", "group", group, "link", (json_int_t)link), NULL);
}
