#include "tools/cli/batches.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 4096u

struct batch {
    struct batch *next; /* of its chain, most recently used first */
    char *link;         /* NULL: removal */
    size_t count, room;
    uint8_t (*addresses)[16];
};

struct batches {
    struct bypeer_loader *loader;
    struct batch *chains[CHAINS]; /* by hash of the link's name */
    size_t total;
};

struct batches *batches_begin(struct bypeer_loader *loader)
{
    struct batches *batches = calloc(1, sizeof(*batches));
    if (batches)
        batches->loader = loader;
    return batches;
}

static void batch_free(struct batch *batch)
{
    free(batch->link);
    free(batch->addresses);
    free(batch);
}

/* Sends the batch that *at points to, and drops it. */
static int batches_send(struct batches *batches, struct batch **at)
{
    struct batch *batch = *at;
    int error = bypeer_loader_put(batches->loader, batch->link, (const uint8_t(*)[16])batch->addresses, batch->count);
    *at = batch->next;
    batches->total -= batch->count;
    batch_free(batch);
    return error;
}

static int batches_send_fullest(struct batches *batches)
{
    struct batch **fullest = NULL;
    for (unsigned i = 0; i < CHAINS; i++)
        for (struct batch **at = &batches->chains[i]; *at; at = &(*at)->next)
            if (!fullest || (*at)->count > (*fullest)->count)
                fullest = at;
    return fullest ? batches_send(batches, fullest) : 0;
}

static struct batch **batches_chain(struct batches *batches, const char *link)
{
    unsigned hash = 2166136261u; /* FNV-1a */
    for (; link && *link; link++)
        hash = (hash ^ (unsigned char)*link) * 16777619u;
    return &batches->chains[(hash ^ (hash >> 16)) % CHAINS];
}

static bool same_link(const char *one, const char *other)
{
    return one == other || (one && other && strcmp(one, other) == 0);
}

/* The batch of a link, moved to the front of its chain: in most files the next line has the same link. */
static struct batch **batches_find(struct batches *batches, const char *link)
{
    struct batch **chain = batches_chain(batches, link);
    struct batch **at = chain;
    while (*at && !same_link((*at)->link, link))
        at = &(*at)->next;
    struct batch *batch = *at;
    if (batch) {
        *at = batch->next;
    } else {
        batch = calloc(1, sizeof(*batch));
        if (batch && link) {
            batch->link = strdup(link);
            if (!batch->link) {
                free(batch);
                batch = NULL;
            }
        }
        if (!batch)
            return NULL;
    }
    batch->next = *chain;
    *chain = batch;
    return chain;
}

int batches_add(struct batches *batches, const char *link, const uint8_t address[static 16])
{
    struct batch **at = batches_find(batches, link);
    if (!at)
        return -ENOMEM;
    struct batch *batch = *at;
    if (batch->count == batch->room) {
        size_t room = batch->room ? batch->room * 2 : 64;
        uint8_t(*addresses)[16] = realloc(batch->addresses, room * 16);
        if (!addresses)
            return -ENOMEM;
        batch->addresses = addresses;
        batch->room = room;
    }
    memcpy(batch->addresses[batch->count++], address, 16);
    batches->total++;
    if (batch->count == BYPEER_LOAD_MAX)
        return batches_send(batches, at);
    return batches->total == BATCHES_ADDRESSES ? batches_send_fullest(batches) : 0;
}

int batches_flush(struct batches *batches)
{
    int error = 0;
    for (unsigned i = 0; i < CHAINS; i++)
        while (batches->chains[i] && !error)
            error = batches_send(batches, &batches->chains[i]);
    return error;
}

void batches_free(struct batches *batches)
{
    for (unsigned i = 0; batches && i < CHAINS; i++) {
        while (batches->chains[i]) {
            struct batch *batch = batches->chains[i];
            batches->chains[i] = batch->next;
            batch_free(batch);
        }
    }
    free(batches);
}
