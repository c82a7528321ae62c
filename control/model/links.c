/*
 * Links: the record that workers send by, made from what was asked for (peer, VNI, port), and what the kernel says
 * (next hop, source address, MTU of the path).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/entries.h"
#include "overlay/fabric/link.h"
#include "overlay/wireguard/link.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200 5: every IPv6 link carries as much */

void model_define_link(struct bypeer_model_link *link, const struct bypeer_store_link *definition)
{
    link->group = definition->group;
    memcpy(link->peer, definition->peer, 16);
    memcpy(link->local_address, definition->local, 16);
    link->has_local = definition->has_local;
    link->vni = definition->vni;
    link->udp_port = definition->udp_port;
    link->mtu = definition->mtu;
    link->wireguard = definition->wireguard;
    link->has_preshared = definition->has_preshared;
    memcpy(link->preshared_key, definition->preshared_key, 32);
    model_set_key(link, definition->public_key);
    link->persistent_s = definition->persistent_s;
    link->endpoint_port = definition->endpoint_port;
    memcpy(link->endpoint, definition->endpoint, 16);
    link->has_address = definition->has_address;
    memcpy(link->address, definition->address, 16);
}

uint32_t bypeer_model_link_vni(const struct bypeer_model *model, const struct bypeer_model_link *link)
{
    if (link->vni)
        return link->vni;
    const struct bypeer_model_group *group = model_group(model, link->group);
    return group ? group->vni : 0;
}

const struct bypeer_adjacency *bypeer_model_adjacency(const struct bypeer_model *model, uint32_t id)
{
    return id < model->adjacency_room && model->adjacencies[id].id == id && id > 0 ? &model->adjacencies[id] : NULL;
}

const char *bypeer_model_link_why_down(const struct bypeer_model *model, const struct bypeer_model_link *link)
{
    if (!link->live)
        return "is not active";
    if (link->local)
        return "goes to this host";
    if (link->wireguard && link->peer_port == 0)
        return "it has not been heard of yet, and has no endpoint";
    if (link->adjacency == 0)
        return link->why_down ? link->why_down : "the kernel has not told the next hop yet";
    if (bypeer_model_link_mtu(model, link) < IPV6_MTU_MIN)
        return "its path carries no 1280 bytes of overlay packet";
    const struct bypeer_adjacency *adjacency = bypeer_model_adjacency(model, link->adjacency);
    if (!adjacency || !adjacency->valid)
        return "its next hop does not answer";
    if (!link->wireguard || link->current != 0)
        return NULL;
    /* Who has answered an initiation may send only after the other side did (whitepaper, 5.4.5). */
    return link->next == 0 ? "there has been no handshake" : "its peer has not used the new session yet";
}

int model_put_link_row(struct bypeer_model *model, const struct bypeer_model_link *link, struct bypeer_problem *problem)
{
    const bool has_preshared = link->stored && link->has_preshared; /* a secret of the file stays where it is */
    struct bypeer_store_link row = {
        .id = link->id,
        .serial = link->serial,
        .defined = link->stored,
        .has_local = link->has_local,
        .group = link->group,
        .vni = link->vni,
        .udp_port = link->udp_port,
        .mtu = link->mtu,
        .wireguard = link->wireguard,
        .has_preshared = has_preshared,
        .has_address = link->has_address,
        .persistent_s = link->persistent_s,
        .endpoint_port = link->endpoint_port,
    };
    memcpy(row.name, link->name, sizeof(row.name));
    memcpy(row.peer, link->peer, 16);
    memcpy(row.local, link->local_address, 16);
    memcpy(row.public_key, link->public_key, 32);
    if (has_preshared)
        memcpy(row.preshared_key, link->preshared_key, 32);
    memcpy(row.endpoint, link->endpoint, 16);
    memcpy(row.address, link->address, 16);
    int result = bypeer_store_put_link(model->store, &row, problem);
    explicit_bzero(row.preshared_key, sizeof(row.preshared_key));
    return result;
}

/* What outer headers and encapsulation take of a packet of the path; of a peer that is nowhere yet, the most. */
static unsigned links_overhead(const struct bypeer_model_link *link)
{
    bool is_ipv4 = model_is_ipv4(link->peer);
    if (link->wireguard)
        return is_ipv4 ? BYPEER_WIREGUARD_IPV4_OVERHEAD : BYPEER_WIREGUARD_IPV6_OVERHEAD;
    return is_ipv4 ? BYPEER_FABRIC_IPV4_TEMPLATE_BYTES : BYPEER_FABRIC_IPV6_TEMPLATE_BYTES;
}

uint16_t bypeer_model_link_mtu(const struct bypeer_model *model, const struct bypeer_model_link *link)
{
    if (link->local)
        return UINT16_MAX;
    unsigned path = link->path_mtu ? link->path_mtu : model->limits.port_mtu;
    unsigned overhead = links_overhead(link);
    unsigned carried = path > overhead ? path - overhead : 0;
    return (uint16_t)(link->mtu && link->mtu < carried ? link->mtu : carried);
}

uint16_t bypeer_model_smallest_mtu(const struct bypeer_model *model)
{
    uint16_t smallest = 0;
    for (uint32_t id = 1; id < model->link_room; id++) {
        const struct bypeer_model_link *link = model->links[id];
        if (!link || !link->live || link->local)
            continue;
        uint16_t mtu = bypeer_model_link_mtu(model, link);
        if (mtu >= IPV6_MTU_MIN && (smallest == 0 || mtu < smallest))
            smallest = mtu;
    }
    return smallest;
}

struct bypeer_multicast_receiver bypeer_model_receiver(const struct bypeer_model *model,
                                                       const struct bypeer_model_link *link)
{
    struct bypeer_multicast_receiver receiver = {.link = link->id};
    const struct bypeer_model_group *group = link->local ? model_group(model, link->group) : NULL;
    if (group)
        memcpy(receiver.address, group->address, 16);
    else if (link->wireguard && link->has_address)
        memcpy(receiver.address, link->address, 16);
    return receiver;
}

static void links_make_record(const struct bypeer_model *model, const struct bypeer_model_link *link,
                              struct bypeer_link *ret_record)
{
    struct bypeer_link record = {
        .id = link->id,
        .kind = link->local       ? BYPEER_LINK_LOCAL
                : link->wireguard ? BYPEER_LINK_WIREGUARD
                                  : BYPEER_LINK_FABRIC,
        .group = link->group,
        .vni = link->wireguard ? 0 : bypeer_model_link_vni(model, link),
        .mtu = bypeer_model_link_mtu(model, link),
        .udp_port = link->udp_port,
        .session = link->id,
        .serial = link->serial,
    };
    if (!link->local) {
        memcpy(record.peer, link->peer, 16);
        memcpy(record.local, link->has_local ? link->local_address : link->path_local, 16);
        record.underlay = model_is_ipv4(link->peer) ? 4 : 6;
        if (link->wireguard) {
            record.wireguard.current = link->current;
            record.wireguard.next = link->next;
            record.peer_port = link->peer_port;
            record.wireguard.persistent_s = link->persistent_s;
        }
        /* Without both addresses there is no template yet, and without an adjacency nobody uses it. */
        int prepared = link->wireguard ? bypeer_wireguard_link_prepare(&record) : bypeer_fabric_link_prepare(&record);
        if (prepared == 0 && record.mtu >= IPV6_MTU_MIN)
            record.adjacency = link->adjacency;
    }
    *ret_record = record;
}

int model_refresh_link(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem)
{
    struct bypeer_link record;
    links_make_record(model, link, &record);
    for (unsigned attempt = 0;; attempt++) {
        int result = bypeer_writer_put_link(model->writer, &record);
        if (result >= 0)
            return 0;
        if (result == -EEXIST)
            return bypeer_problem_set(problem, result, "peer_exists",
                                      "link \"%s\"\nanother link goes to its peer with VNI %u already\n"
                                      "give one of them another VNI",
                                      link->name, record.vni);
        if (result != -EAGAIN && result != -ENOSPC)
            return bypeer_problem_set(problem, result, "capacity",
                                      "link \"%s\"\nthe tables have no place for id %u\nraise tables.links and restart "
                                      "bypeerd",
                                      link->name, link->id);
        result = model_make_room(model, result, attempt, problem);
        if (result < 0)
            return result;
    }
}

int model_check_link_fits(const struct bypeer_model *model, const struct bypeer_model_link *link,
                          struct bypeer_problem *problem)
{
    if (!link->live && model->live_links >= model->limits.links)
        return bypeer_problem_set(problem, -ENOSPC, "capacity",
                                  "link \"%s\"\nthere are %u links already, as many as tables.links allows\n"
                                  "raise tables.links and reload",
                                  link->name, model->live_links);
    const struct bypeer_model_link *other = link->wireguard ? bypeer_model_find_peer(model, link->key_text) : NULL;
    if (other && other->id != link->id)
        return model_key_exists(link, other, problem);
    return 0;
}

/* A peer is where its definition says until it is heard elsewhere. */
static int links_start_peer(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem)
{
    if (link->live)
        return 0;
    link->udp_port = model->limits.wireguard_port;
    if (link->endpoint_port != 0) {
        memcpy(link->peer, link->endpoint, 16);
        link->peer_port = link->endpoint_port;
    }
    return bypeer_ids_add(&model->peer_keys, link->key_text, link->id) < 0 ? bypeer_problem_no_memory(problem) : 0;
}

int model_start_link(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem)
{
    int result = link->wireguard ? links_start_peer(model, link, problem) : 0;
    if (result < 0)
        return result;
    result = model_refresh_link(model, link, problem);
    if (result < 0) {
        if (link->wireguard && !link->live)
            bypeer_ids_remove(&model->peer_keys, link->key_text);
        return result;
    }
    if (!link->live && !link->local) {
        model->live_links++;
        struct bypeer_model_group *group = model_group(model, link->group);
        if (group)
            group->links++;
    }
    link->live = true;
    if (model->hooks.link_changed)
        model->hooks.link_changed(model->hooks.entries_context, link, false);
    return 0;
}

void model_stop_link(struct bypeer_model *model, struct bypeer_model_link *link)
{
    if (!link->live)
        return;
    bypeer_writer_remove_link(model->writer, link->id);
    if (model->hooks.link_changed) /* after the record: its next hop may be taken out now */
        model->hooks.link_changed(model->hooks.entries_context, link, true);
    link->live = false;
    link->adjacency = 0;
    link->path_mtu = 0;
    memset(link->path_local, 0, sizeof(link->path_local));
    if (link->wireguard) {
        bypeer_ids_remove(&model->peer_keys, link->key_text);
        memset(link->peer, 0, sizeof(link->peer));
        link->peer_port = 0;
        link->has_local = false;
        link->current = link->next = 0;
    }
    if (!link->local) {
        model->live_links--;
        struct bypeer_model_group *group = model_group(model, link->group);
        if (group)
            group->links--;
    }
}

int model_make_link_durable(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem)
{
    bool inside = bypeer_store_in_transaction(model->store);
    uint64_t serial;
    int result = inside ? 0 : bypeer_store_begin(model->store, problem);
    if (result == 0)
        result = bypeer_store_count_up(model->store, "link_serial", &serial, problem);
    if (result == 0) {
        link->serial = (uint32_t)serial;
        result = model_put_link_row(model, link, problem);
    }
    return inside ? result : bypeer_store_end(model->store, result, problem);
}

int bypeer_model_add_link(struct bypeer_model *model, const struct bypeer_store_link *definition, const char *group,
                          struct bypeer_problem *problem)
{
    int result = model_check_link(definition, problem);
    if (result < 0)
        return result;
    const struct bypeer_model_group *its_group = model_find_group(model, group);
    if (!its_group || !its_group->live)
        return bypeer_problem_set(problem, -ENOENT, "no_such_group",
                                  "group \"%s\"\ndoes not exist\nlist the groups with: bypeer groups", group);
    if (its_group->followed)
        return model_refuse_followed("group", group, problem);
    struct bypeer_model_link *link = model_find_link(model, definition->name);
    if (link && (link->live || link->stored))
        return bypeer_problem_set(problem, -EEXIST, "link_exists",
                                  "link \"%s\"\nexists already%s\nchoose another name, or remove it first", link->name,
                                  link->line ? ", in the configuration file" : "");
    bool is_new = !link;
    if (is_new && !(link = model_new_link(model, 0, definition->name)))
        return bypeer_problem_no_memory(problem);
    model_define_link(link, definition);
    link->group = its_group->id;
    link->stored = true;
    result = model_check_link_fits(model, link, problem);
    /* First into the tables, where no member leads to it yet: they know whether another link has its peer and VNI. */
    if (result == 0)
        result = model_start_link(model, link, problem);
    if (result == 0)
        result = model_make_link_durable(model, link, problem);
    if (result == 0)
        result = model_refresh_link(model, link, problem); /* with its serial */
    if (result < 0) {
        model_stop_link(model, link);
        link->stored = false;
        if (is_new)
            model_drop_link(model, link);
        return result;
    }
    return model->kept > 0 ? model_wake(model, NULL, NULL, problem) : 0;
}

int bypeer_model_remove_link(struct bypeer_model *model, const char *name, struct bypeer_problem *problem)
{
    struct bypeer_model_link *link = model_find_link(model, name);
    if (!link || link->local || (!link->live && !link->stored))
        return bypeer_problem_set(problem, -ENOENT, "no_such_link",
                                  "link \"%s\"\ndoes not exist\nlist the links with: bypeer links", name);
    if (link->line)
        return bypeer_problem_set(problem, -EPERM, "configured",
                                  "link \"%s\"\nis in line %u of the configuration file\nremove it there and reload",
                                  name, link->line);
    if (link->followed)
        return model_refuse_followed("link", name, problem);
    int own = model_holds_own_address(model, link, problem);
    if (own < 0)
        return own;
    if (link->members + link->routes + link->kept > (unsigned)own)
        return bypeer_problem_set(problem, -EBUSY, "in_use",
                                  "link \"%s\"\nis used by %u members and %u routes\nremove them first, with: bypeer "
                                  "members, bypeer routes",
                                  name, link->members + link->kept - (unsigned)own, link->routes);
    int result = bypeer_store_begin(model->store, problem);
    if (result == 0 && own)
        result = model_forget_kept_member(model, link->address, problem);
    if (result == 0 && own)
        result = bypeer_store_remove_member(model->store, link->address, problem);
    if (result == 0)
        result = bypeer_store_remove_link(model->store, link->id, problem);
    result = bypeer_store_end(model->store, result, problem);
    if (result < 0)
        return result;
    struct bypeer_model_group *group = model_group(model, link->group);
    if (!link->live) {
        model->kept--;
        if (group && group->kept > 0)
            group->kept--;
    }
    if (own && link->live)
        model_take_member(model, link->address);
    model_stop_link(model, link);
    model_drop_link(model, link);
    return model->kept > 0 ? model_wake(model, NULL, NULL, problem) : 0;
}

/* --- what the kernel says --- */

/* A copy for people; what workers use is in the tables. */
static int links_note_adjacency(struct bypeer_model *model, const struct bypeer_adjacency *adjacency)
{
    if (adjacency->id >= model->adjacency_room) {
        uint32_t room = model->adjacency_room ? model->adjacency_room : 16;
        while (room <= adjacency->id)
            room *= 2;
        struct bypeer_adjacency *longer = reallocarray(model->adjacencies, room, sizeof(*longer));
        if (!longer)
            return -ENOMEM;
        memset(longer + model->adjacency_room, 0, (room - model->adjacency_room) * sizeof(*longer));
        model->adjacencies = longer;
        model->adjacency_room = room;
    }
    model->adjacencies[adjacency->id] = *adjacency;
    return 0;
}

int bypeer_model_set_adjacency(struct bypeer_model *model, const struct bypeer_adjacency *adjacency)
{
    if (adjacency->id == 0 || adjacency->id > BYPEER_TABLES_IDS_MAX)
        return -EINVAL;
    int noted = links_note_adjacency(model, adjacency);
    if (noted < 0)
        return noted;
    for (unsigned attempt = 0;; attempt++) {
        int result = bypeer_writer_put_adjacency(model->writer, adjacency);
        if (result >= 0)
            return 0;
        if (result != -EAGAIN && result != -ENOSPC)
            return result;
        int room = model_make_room(model, result, attempt, NULL);
        if (room < 0)
            return result;
    }
}

int bypeer_model_remove_adjacency(struct bypeer_model *model, uint32_t id)
{
    if (id < model->adjacency_room)
        model->adjacencies[id] = (struct bypeer_adjacency){0};
    return bypeer_writer_remove_adjacency(model->writer, id);
}

int bypeer_model_set_path(struct bypeer_model *model, const struct bypeer_link_path *path)
{
    struct bypeer_model_link *link = model_link(model, path->link);
    if (!link || !link->live)
        return -ENOENT;
    link->adjacency = path->adjacency;
    link->path_mtu = path->mtu;
    memcpy(link->path_local, path->local, 16);
    free(link->why_down);
    link->why_down = path->adjacency ? NULL : strdup(path->why);
    return model_refresh_link(model, link, NULL);
}
