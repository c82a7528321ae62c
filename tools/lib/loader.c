/*
 * Bulk changes of members: requests of up to 50000 addresses, two on their way.
 *
 * A request is written out by hand, since it is one array of plain strings: 50000 JSON objects for it would take longer
 * than the node needs for the whole transaction.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/call.h"

#define ON_THEIR_WAY 2u
#define ADDRESS_TEXT (INET6_ADDRSTRLEN + 3) /* quotes and comma */

struct request {
    uint64_t id;
    size_t addresses;
};

struct bypeer_loader {
    struct bypeer *node;
    struct request requests[ON_THEIR_WAY]; /* oldest first */
    unsigned count;
    struct bypeer_loaded done;
    int error; /* the first one: everything after it fails with it */
    char *line;
    size_t line_room;
};

int bypeer_loader_begin(struct bypeer_loader **ret_loader, struct bypeer *node)
{
    struct bypeer_loader *loader = calloc(1, sizeof(*loader));
    if (!loader)
        return -ENOMEM;
    loader->node = node;
    *ret_loader = loader;
    return 0;
}

/* Takes the answer of the oldest request. */
static int loader_collect(struct bypeer_loader *loader, bool wait)
{
    json_t *result;
    int error = call_receive(loader->node, loader->requests[0].id, wait, &result);
    if (error == -EAGAIN)
        return error;
    if (!error) {
        loader->done.added += (uint64_t)json_integer_value(json_object_get(result, "added"));
        loader->done.replaced += (uint64_t)json_integer_value(json_object_get(result, "replaced"));
        loader->done.removed += (uint64_t)json_integer_value(json_object_get(result, "removed"));
        loader->done.acknowledged += loader->requests[0].addresses;
        json_decref(result);
    }
    loader->count--;
    memmove(loader->requests, loader->requests + 1, loader->count * sizeof(loader->requests[0]));
    return error;
}

/* Writes the request into loader->line. Returns its length, or -ENOMEM and -EINVAL. */
static ssize_t loader_write(struct bypeer_loader *loader, const char *link, const uint8_t (*addresses)[16],
                            size_t count)
{
    char *name = NULL;
    if (link) {
        json_t *string = json_string(link);
        name = json_dumps(string, JSON_ENCODE_ANY);
        json_decref(string);
        if (!name)
            return connection_fail(loader->node, -EINVAL, "the name of the link is no UTF-8");
    }
    size_t room = 256 + (name ? strlen(name) : 0) + count * ADDRESS_TEXT;
    if (room > loader->line_room) {
        char *line = realloc(loader->line, room);
        if (!line) {
            free(name);
            return connection_fail(loader->node, -ENOMEM, "out of memory");
        }
        loader->line = line;
        loader->line_room = room;
    }
    char *at = loader->line;
    at += sprintf(at, "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"members.%s\",\"params\":{",
                  loader->node->last_id + 1, link ? "load" : "unload");
    if (name)
        at += sprintf(at, "\"link\":%s,", name);
    at = stpcpy(at, "\"addresses\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            *at++ = ',';
        *at++ = '"';
        inet_ntop(AF_INET6, addresses[i], at, INET6_ADDRSTRLEN);
        at += strlen(at);
        *at++ = '"';
    }
    at = stpcpy(at, "]}}");
    free(name);
    return at - loader->line;
}

int bypeer_loader_put(struct bypeer_loader *loader, const char *link, const uint8_t (*addresses)[16], size_t count)
{
    if (loader->error)
        return loader->error;
    if (count == 0)
        return 0;
    if (count > BYPEER_LOAD_MAX)
        return connection_fail(loader->node, -EINVAL, "%zu addresses at once are too many; use at most %d", count,
                               BYPEER_LOAD_MAX);
    while (loader->count && !loader->error) {
        loader->error = loader_collect(loader, loader->count == ON_THEIR_WAY);
        if (loader->error == -EAGAIN) {
            loader->error = 0;
            break;
        }
    }
    ssize_t length = loader->error ? 0 : loader_write(loader, link, addresses, count);
    if (length < 0)
        return (int)length;
    if (!loader->error)
        loader->error = call_send_text(loader->node, loader->line, (size_t)length);
    if (!loader->error)
        loader->requests[loader->count++] = (struct request){loader->node->last_id, count};
    return loader->error;
}

void bypeer_loader_progress(const struct bypeer_loader *loader, struct bypeer_loaded *ret_done)
{
    *ret_done = loader->done;
}

int bypeer_loader_finish(struct bypeer_loader *loader, struct bypeer_loaded *ret_done)
{
    int error = loader->error;
    bool refused = error == 0 || error == -EREMOTEIO;
    /* After a refusal the later request has been carried out or refused by itself: its answer is taken, so that what
     * is reported as done is true and the connection stays usable; the text of the first failure is kept. */
    while (loader->count && refused) {
        char *text = loader->node->text;
        json_t *data = loader->node->data;
        int code = loader->node->code;
        if (error) {
            loader->node->text = NULL;
            loader->node->data = NULL;
        }
        int later = loader_collect(loader, true);
        if (error) {
            connection_forget_error(loader->node);
            loader->node->text = text;
            loader->node->data = data;
            loader->node->code = code;
        }
        refused = later == 0 || later == -EREMOTEIO;
        error = error ? error : later;
    }
    if (ret_done)
        *ret_done = loader->done;
    free(loader->line);
    free(loader);
    return error;
}
