/*
 * Methods of links: what was asked for, what the kernel says, and what the data plane counted.
 */
#include <stdio.h>
#include <string.h>

#include "control/api/call.h"
#include "control/dataplane/channel.h"

#define FABRIC_UDP_PORT 4790 /* VXLAN-GPE, IANA */

/* MAC of the next hop and the port to it, or null. */
static json_t *links_adjacency(const struct bypeer_node *node, const struct bypeer_model_link *link)
{
    const struct bypeer_adjacency *adjacency = bypeer_model_adjacency(node->model, link->adjacency);
    if (!adjacency || !adjacency->valid)
        return json_null();
    const struct bypeer_config *config = node->config;
    return json_pack("{s:o, s:s}", "mac", call_mac_text(adjacency->ether), "port",
                     adjacency->port < config->port_count ? config->ports[adjacency->port].name : "");
}

static json_t *links_describe(const struct bypeer_node *node, const struct bypeer_model_link *link)
{
    static const uint8_t none[16];
    const struct bypeer_model_group *group = bypeer_model_group(node->model, link->group);
    const uint8_t *local = link->has_local ? link->local_address : link->path_local;
    const char *why_down = bypeer_model_link_why_down(node->model, link);
    json_t *entry =
        json_pack("{s:I, s:s, s:s, s:o, s:o, s:I, s:i, s:i, s:b, s:o, s:I, s:o}", "id", (json_int_t)link->id, "name",
                  link->name, "group", group ? group->name : "", "peer", call_address_text(link->peer), "local",
                  memcmp(local, none, 16) == 0 ? json_null() : call_address_text(local), "vni",
                  (json_int_t)bypeer_model_link_vni(node->model, link), "udp_port", link->udp_port, "mtu",
                  bypeer_model_link_mtu(node->model, link), "up", !why_down, "adjacency", links_adjacency(node, link),
                  "members", (json_int_t)link->members, "origin", call_origin(link->line, link->followed));
    if (why_down)
        json_object_set_new(entry, "why_down", json_string(why_down));
    return entry;
}

void call_add_traffic(const struct bypeer_node *node, const struct bypeer_model_link *link, json_t *entry)
{
    struct bypeer_session sum = {0};
    const struct bypeer_sessions_view *view = node->channel ? bypeer_channel_sessions(node->channel) : NULL;
    if (view && view->entries)
        bypeer_sessions_sum(view, link->id, link->serial, &sum);
    json_object_update_new(entry,
                           json_pack("{s:I, s:I, s:I, s:I, s:I}", "sent_packets", (json_int_t)sum.sent_packets,
                                     "sent_bytes", (json_int_t)sum.sent_bytes, "received_packets",
                                     (json_int_t)sum.received_packets, "received_bytes", (json_int_t)sum.received_bytes,
                                     "last_received", (json_int_t)(sum.last_received_ns / 1000000000u)));
}

int method_links_list(struct call *call)
{
    const struct bypeer_model *model = call->node->model;
    json_t *list = json_array();
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id)) {
        if (!link->live || link->local || link->wireguard)
            continue;
        json_t *entry = links_describe(call->node, link);
        call_add_traffic(call->node, link, entry);
        json_array_append_new(list, entry);
    }
    call->result = json_pack("{s:o}", "links", list);
    return 0;
}

int method_links_add(struct call *call)
{
    const char *name = call_string(call, "name"), *local = call_string(call, "local");
    struct bypeer_store_link definition = {
        .defined = true,
        .vni = (uint32_t)call_integer(call, "vni", 0),
        .udp_port = (uint16_t)call_integer(call, "udp_port", FABRIC_UDP_PORT),
        .mtu = (uint16_t)call_integer(call, "mtu", 0),
    };
    snprintf(definition.name, sizeof(definition.name), "%s", name);
    if (strlen(name) >= sizeof(definition.name))
        definition.name[0] = '\0'; /* is no name, and said so */
    int result = call_underlay_address(call, "peer", call_string(call, "peer"), definition.peer);
    if (result == 0 && local) {
        definition.has_local = true;
        result = call_underlay_address(call, "local", local, definition.local);
    }
    if (result == 0)
        result = bypeer_model_add_link(call->node->model, &definition, call_string(call, "group"), &call->problem);
    return result < 0 ? result : call_number(call, "added", 1);
}

int method_links_remove(struct call *call)
{
    int result = bypeer_model_remove_link(call->node->model, call_string(call, "name"), &call->problem);
    return result < 0 ? result : call_number(call, "removed", 1);
}
