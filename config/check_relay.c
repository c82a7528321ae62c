/* Rules of the section relay. */
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/value.h"

static bool in_prefix(const uint8_t address[static 16], const uint8_t prefix[static 16], unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
        uint8_t mask = (uint8_t)(kept >= 8 ? 0xff : 0xff00 >> kept);

        if ((address[i] ^ prefix[i]) & mask)
            return false;
    }
    return true;
}

static void check_relay_prefix(const struct bypeer_config *config, struct bypeer_report *report)
{
    uint32_t line = bypeer_config_line(config, "relay", 0, "prefix");
    const uint8_t *prefix = config->relay.prefix;
    char text[BYPEER_VALUE_ADDRESS];

    for (uint32_t i = 0; i < config->port_count; i++) {
        for (uint32_t a = 0; a < config->ports[i].address_count; a++) {
            const uint8_t *own = config->ports[i].addresses[a].address;

            if (!in_prefix(own, prefix, config->relay.bits))
                continue;
            bypeer_value_write_address(text, own);
            bypeer_report_add(report, line, "relay.prefix",
                              "holds %s, this node's own address on port %s; use a prefix without own addresses, such "
                              "as another /80 of the network",
                              text, config->ports[i].name);
        }
    }
    for (uint32_t i = 0; i < config->wireguard.address_count; i++) {
        if (!in_prefix(config->wireguard.addresses[i], prefix, config->relay.bits))
            continue;
        bypeer_value_write_address(text, config->wireguard.addresses[i]);
        bypeer_report_add(report, line, "relay.prefix",
                          "holds %s, which wireguard.addresses has; use a prefix without own addresses", text);
    }
    for (uint32_t i = 0; i < config->group_count; i++) {
        const uint8_t *group = config->groups[i].prefix;

        if (group[0] && (in_prefix(group, prefix, config->relay.bits) || in_prefix(prefix, group, 48)))
            bypeer_report_add(report, line, "relay.prefix",
                              "overlaps the prefix of group \"%s\"; use a prefix of the underlay",
                              config->groups[i].name);
    }
}

/* "52000-59999" */
static bool read_ports(const char *text, uint16_t *ret_low, uint16_t *ret_high)
{
    size_t first = strspn(text, "0123456789");
    const char *second = text + first + 1;
    long low, high;

    if (first < 1 || first > 5 || text[first] != '-' || strlen(second) < 1 || strlen(second) > 5 ||
        second[strspn(second, "0123456789")] != '\0')
        return false;
    low = strtol(text, NULL, 10);
    high = strtol(second, NULL, 10);
    if (low < 1024 || high > UINT16_MAX || low > high)
        return false;
    *ret_low = (uint16_t)low;
    *ret_high = (uint16_t)high;
    return true;
}

/* What this node listens on itself cannot stand for a relay address. */
static void check_relay_ports(const struct bypeer_config *config, uint32_t line, struct bypeer_report *report)
{
    uint16_t low = config->relay.port_low, high = config->relay.port_high;

    if (config->wireguard.port >= low && config->wireguard.port <= high)
        bypeer_report_add(report, line, "relay.ipv4-ports", "holds %u, which is wireguard.port; use other ports",
                          config->wireguard.port);
    for (uint32_t i = 0; i < config->cloud_count; i++)
        if (config->clouds[i].port >= low && config->clouds[i].port <= high)
            bypeer_report_add(report, line, "relay.ipv4-ports", "holds %u, the port of cloud \"%s\"; use other ports",
                              config->clouds[i].port, config->clouds[i].name);
}

void check_relay(struct check *check)
{
    struct bypeer_config *config = check->config;
    uint32_t line = bypeer_config_line(config, "relay", 0, "ipv4-ports");
    char quoted[BYPEER_VALUE_QUOTED];

    if (config->relay.bits)
        check_relay_prefix(config, check->report);
    if (!config->relay.ipv4_ports[0])
        return;
    if (!read_ports(config->relay.ipv4_ports, &config->relay.port_low, &config->relay.port_high)) {
        bypeer_value_quote(quoted, config->relay.ipv4_ports);
        bypeer_report_add(check->report, line, "relay.ipv4-ports",
                          "%s is no range of ports; write one from 1024 to 65535 like 52000-59999", quoted);
    } else if (!config->relay.bits) {
        bypeer_report_add(check->report, line, "relay.ipv4-ports", "needs relay.prefix; add it, or remove this");
    } else {
        check_relay_ports(config, line, check->report);
    }
}
