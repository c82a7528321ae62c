#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "overlay/tables/writer_state.h"

int bypeer_writer_put_adjacency(struct bypeer_writer *writer, const struct bypeer_adjacency *adjacency)
{
    return bypeer_slots_writer_put(&writer->adjacencies, adjacency->id, adjacency);
}

int bypeer_writer_remove_adjacency(struct bypeer_writer *writer, uint32_t id)
{
    return bypeer_slots_writer_remove(&writer->adjacencies, id);
}

/* --- ingress: the ways in that belong to a fabric link ---------------------------------------------------------------
 */

static void link_ingress_key(const struct bypeer_writer *writer, const struct bypeer_link *link,
                             uint8_t ret_key[static 16])
{
    bypeer_ingress_key(writer->header->hash_seed, link->peer, link->vni, ret_key);
}

static void link_endpoint_key(const struct bypeer_writer *writer, const struct bypeer_link *link,
                              uint8_t ret_key[static 16])
{
    bypeer_ingress_key(writer->header->hash_seed, link->local, BYPEER_INGRESS_ENDPOINT | link->udp_port, ret_key);
}

/* An endpoint's record counts the links that have it, in a field that no reader looks at. */
static uint64_t *endpoint_links(struct bypeer_writer *writer, const uint8_t key[static 16])
{
    const struct bypeer_destination *record = bypeer_exact_writer_find(&writer->ingresses, key);
    return record ? &writer->ingresses.records[record - writer->ingresses.records].serial : NULL;
}

static int endpoint_acquire(struct bypeer_writer *writer, const struct bypeer_link *link)
{
    struct bypeer_destination endpoint = {.link = link->id, .prefix_bits = 128, .serial = 1};
    link_endpoint_key(writer, link, endpoint.key);
    const struct bypeer_destination *taken = bypeer_exact_writer_find(&writer->ingresses, endpoint.key);
    if (taken && taken->flags & (BYPEER_DESTINATION_CLOUD | BYPEER_DESTINATION_WIREGUARD))
        return -EEXIST;
    uint64_t *links = endpoint_links(writer, endpoint.key);
    if (!links)
        return bypeer_exact_writer_put(&writer->ingresses, &endpoint);
    ++*links;
    return 0;
}

static void endpoint_release(struct bypeer_writer *writer, const struct bypeer_link *link)
{
    uint8_t key[16];
    link_endpoint_key(writer, link, key);
    uint64_t *links = endpoint_links(writer, key);
    if (links && --*links == 0)
        (void)bypeer_exact_writer_remove(&writer->ingresses, key);
}

static void ingress_remove(struct bypeer_writer *writer, const struct bypeer_link *link)
{
    uint8_t key[16];
    link_ingress_key(writer, link, key);
    (void)bypeer_exact_writer_remove(&writer->ingresses, key);
}

static bool same_ingress(const struct bypeer_link *a, const struct bypeer_link *b)
{
    return a->vni == b->vni && memcmp(a->peer, b->peer, sizeof(a->peer)) == 0;
}

/* Enters both ways in. The link's present ones, if it has any, stay. */
static int ingresses_put(struct bypeer_writer *writer, const struct bypeer_link *link)
{
    struct bypeer_destination ingress = {
        .link = link->id, .group = link->group, .prefix_bits = 128, .serial = link->serial};
    link_ingress_key(writer, link, ingress.key);
    const struct bypeer_destination *taken = bypeer_exact_writer_find(&writer->ingresses, ingress.key);
    if (taken && taken->link != link->id)
        return -EEXIST;
    int error = endpoint_acquire(writer, link);
    if (error < 0)
        return error;
    error = bypeer_exact_writer_put(&writer->ingresses, &ingress);
    if (error < 0)
        endpoint_release(writer, link);
    return error;
}

/* --- links ----------------------------------------------------------------------------------------------------------
 */

int bypeer_writer_put_link(struct bypeer_writer *writer, const struct bypeer_link *link)
{
    if (link->kind != BYPEER_LINK_LOCAL && link->kind != BYPEER_LINK_FABRIC && link->kind != BYPEER_LINK_WIREGUARD)
        return -EINVAL;
    if (link->id == 0 || link->id > writer->links.capacity)
        return -EINVAL;
    if (bypeer_pool_available(&writer->links.pool) == 0)
        return -EAGAIN;
    const struct bypeer_link *present = bypeer_slots_writer_find(&writer->links, link->id);
    const struct bypeer_link old = present ? *present : (struct bypeer_link){.kind = BYPEER_LINK_NONE};

    /* The ways in first: until the link's record names this peer too, the worker's exact comparison refuses it. */
    if (link->kind == BYPEER_LINK_FABRIC) {
        int error = ingresses_put(writer, link);
        if (error < 0)
            return error;
    }
    /* Before workers see a trunk they note the group of sources, and no shorter than they see it. */
    bool is_trunk = link->group == BYPEER_GROUP_ANY, was_trunk = present && old.group == BYPEER_GROUP_ANY;
    if (is_trunk && !was_trunk)
        bypeer_writer_count_judged(writer, 1);
    int result = bypeer_slots_writer_put(&writer->links, link->id, link);
    if (was_trunk && !is_trunk)
        bypeer_writer_count_judged(writer, -1);
    if (old.kind == BYPEER_LINK_FABRIC) {
        if (link->kind != BYPEER_LINK_FABRIC || !same_ingress(&old, link))
            ingress_remove(writer, &old);
        endpoint_release(writer, &old);
    }
    return result;
}

int bypeer_writer_remove_link(struct bypeer_writer *writer, uint32_t id)
{
    const struct bypeer_link *present = bypeer_slots_writer_find(&writer->links, id);
    if (!present)
        return -ENOENT;
    if (present->kind == BYPEER_LINK_FABRIC) {
        ingress_remove(writer, present);
        endpoint_release(writer, present);
    }
    (void)bypeer_writer_remove_link_limit(writer, id);
    bool was_trunk = present->group == BYPEER_GROUP_ANY;
    int result = bypeer_slots_writer_remove(&writer->links, id);
    if (was_trunk)
        bypeer_writer_count_judged(writer, -1);
    return result;
}
