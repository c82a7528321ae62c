/*
 * This node's own addresses in the underlay, as workers are told them: nobody's endpoint may be there, or the node
 * would send to itself what it relays.
 */
#include <errno.h>
#include <string.h>

#include "control/log.h"
#include "control/relay/state.h"

struct own_addresses {
    uint8_t addresses[RELAY_OWN_MAX][16];
    unsigned count;
    bool is_cut;
};

static bool own_has(const uint8_t (*addresses)[16], unsigned count, const uint8_t address[static 16])
{
    for (unsigned at = 0; at < count; at++)
        if (memcmp(addresses[at], address, 16) == 0)
            return true;
    return false;
}

static void own_add(struct own_addresses *own, const uint8_t address[static 16])
{
    if (own_has((const uint8_t(*)[16])own->addresses, own->count, address))
        return;
    own->is_cut = own->is_cut || own->count == RELAY_OWN_MAX;
    if (own->count < RELAY_OWN_MAX)
        memcpy(own->addresses[own->count++], address, 16);
}

static void own_collect(const struct bypeer_config *config, struct own_addresses *ret_own)
{
    *ret_own = (struct own_addresses){.count = 0};
    for (uint32_t port = 0; port < config->port_count; port++)
        for (uint32_t at = 0; at < config->ports[port].address_count; at++)
            own_add(ret_own, config->ports[port].addresses[at].address);
    for (uint32_t at = 0; at < config->wireguard.address_count; at++)
        own_add(ret_own, config->wireguard.addresses[at]);
}

void bypeer_relays_follow_addresses(struct bypeer_relays *relays)
{
    const struct bypeer_config *config = relays->node->config;
    struct bypeer_writer *writer = relays->node->generation->writer;
    struct own_addresses own;
    unsigned kept = 0;
    if (config->relay.bits == 0)
        return;
    own_collect(config, &own);
    if (own.is_cut)
        bypeer_log(BYPEER_LOG_WARNING, "relay: of this node's addresses only %u are kept from being members'",
                   RELAY_OWN_MAX);
    for (unsigned at = 0; at < relays->own_count; at++) {
        if (own_has((const uint8_t(*)[16])own.addresses, own.count, relays->own[at]))
            memmove(relays->own[kept++], relays->own[at], 16);
        else
            bypeer_writer_remove_endpoint(writer, relays->own[at], 0);
    }
    relays->own_count = kept;
    for (unsigned at = 0; at < own.count; at++) {
        if (own_has((const uint8_t(*)[16])relays->own, relays->own_count, own.addresses[at]))
            continue;
        int result = bypeer_writer_put_endpoint(writer, own.addresses[at], 0);
        if (result < 0)
            relays->wanting = true; /* again in the next turn */
        else
            memcpy(relays->own[relays->own_count++], own.addresses[at], 16);
    }
}
