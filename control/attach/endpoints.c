/*
 * Where another node can be. A record must not make this node send to itself, to many, or into an overlay.
 */
#include <arpa/inet.h>
#include <string.h>

#include "control/attach/state.h"
#include "overlay/ip/ipv6.h"

static bool endpoints_is_unicast(const struct bypeer_plan_endpoint *endpoint)
{
    struct in6_addr address;
    memcpy(&address, endpoint->address, 16);
    const uint8_t first = address.s6_addr[12];
    if (IN6_IS_ADDR_V4MAPPED(&address))
        return first != 0 && first != 127 && first < 224;
    return !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_LOOPBACK(&address) && !IN6_IS_ADDR_MULTICAST(&address);
}

/* Of the groups of the model, and of those that it is about to follow. */
static bool endpoints_is_overlay(const struct bypeer_attach *attach, const uint8_t address[static 16])
{
    const struct bypeer_model *model = attach->node->model;
    for (const struct bypeer_model_group *group = bypeer_model_next_group(model, 0); group;
         group = bypeer_model_next_group(model, group->id))
        if (group->live && bypeer_ipv6_in_prefix(address, group->prefix, 48))
            return true;
    for (unsigned at = 0; at < attach->count; at++)
        if (bypeer_ipv6_in_prefix(address, attach->list[at]->prefix, 48))
            return true;
    return false;
}

static bool endpoints_is_own(const struct bypeer_config *config, const uint8_t address[static 16], uint16_t port_number)
{
    uint8_t told[16];
    uint16_t told_port;
    /* Behind the same translated address there may be others, too. */
    if (attach_read_endpoint(config->wireguard.endpoint, told, &told_port) && told_port == port_number &&
        memcmp(told, address, 16) == 0)
        return true;
    for (uint32_t at = 0; at < config->wireguard.address_count; at++)
        if (memcmp(config->wireguard.addresses[at], address, 16) == 0)
            return true;
    for (uint32_t port = 0; port < config->port_count; port++)
        for (uint32_t at = 0; at < config->ports[port].address_count; at++)
            if (memcmp(config->ports[port].addresses[at].address, address, 16) == 0)
                return true;
    return false;
}

/* Why no other node can be there; NULL: one can. */
static const char *endpoints_fault(const struct bypeer_attach *attach, const struct bypeer_plan_endpoint *endpoint)
{
    const struct bypeer_config *config = attach->node->config;
    if (endpoint->port == 0 || !endpoints_is_unicast(endpoint))
        return "no node can be there";
    if (endpoints_is_own(config, endpoint->address, endpoint->port))
        return "that address is this node's own";
    if (config->relay.bits && bypeer_ipv6_in_prefix(endpoint->address, config->relay.prefix, config->relay.bits))
        return "relay.prefix of this node holds it";
    return endpoints_is_overlay(attach, endpoint->address) ? "it is in the overlay of a group" : NULL;
}

/* Whether it is new that this member names it. */
static bool endpoints_note(struct bypeer_attach *attach, const struct bypeer_group_member *member,
                           const struct bypeer_plan_endpoint *endpoint)
{
    for (unsigned at = 0; at < ATTACH_REFUSED_MAX; at++) {
        const struct attach_refused *refused = &attach->refused[at];
        if (memcmp(refused->member, member->address, 16) == 0 && refused->endpoint.port == endpoint->port &&
            memcmp(refused->endpoint.address, endpoint->address, 16) == 0)
            return false;
    }
    struct attach_refused *refused = &attach->refused[attach->refused_count++ % ATTACH_REFUSED_MAX];
    memcpy(refused->member, member->address, 16);
    refused->endpoint = *endpoint;
    return true;
}

bool attach_may_send(struct bypeer_attach *attach, const struct bypeer_joined *joined,
                     const struct bypeer_peer_name *supernode, const struct bypeer_plan_endpoint *endpoint)
{
    struct bypeer_group_member member;
    char address[INET6_ADDRSTRLEN], overlay[INET6_ADDRSTRLEN];
    const char *fault = endpoints_fault(attach, endpoint);
    if (fault && bypeer_group_find_member(bypeer_joined_group(joined), supernode, &member) &&
        endpoints_note(attach, &member, endpoint))
        bypeer_log_limited(&attach->log_limit, BYPEER_LOG_WARNING,
                           "group %s: %s (%s) says that it is at %s port %u, but %s; it is not tried",
                           bypeer_joined_friendly(joined), member.friendly,
                           inet_ntop(AF_INET6, member.address, overlay, sizeof(overlay)),
                           inet_ntop(AF_INET6, endpoint->address, address, sizeof(address)), endpoint->port, fault);
    return !fault;
}
