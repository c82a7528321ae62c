/* The sections names and clouds. */
#include <string.h>

#include "config/check.h"
#include "config/value.h"

static const uint8_t zero[16];

static bool is_link_local(const uint8_t address[static 16])
{
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

static bool is_loopback(const uint8_t address[static 16])
{
    return memcmp(address, zero, 15) == 0 && address[15] == 1;
}

static void check_cloud_addresses(struct check *check, uint32_t i)
{
    const struct bypeer_config_cloud *cloud = &check->config->clouds[i];
    bool link = cloud->scope == BYPEER_CLOUD_LINK;
    uint32_t loopbacks = 0;
    char text[BYPEER_VALUE_ADDRESS];

    for (uint32_t a = 0; a < cloud->address_count; a++) {
        bypeer_value_write_address(text, cloud->addresses[a]);
        loopbacks += is_loopback(cloud->addresses[a]) ? 1 : 0;
        if (is_link_local(cloud->addresses[a]) != link)
            check_report(check, "clouds", i, "addresses", "%s is %s, but the cloud's scope is %s; use %s", text,
                         link ? "not link-local" : "link-local", link ? "link" : "global",
                         link ? "an address from fe80::/10" : "an address that is routed");
    }
    if (loopbacks > 0 && loopbacks < cloud->address_count)
        check_report(check, "clouds", i, "addresses", "has ::1 among others; a cloud on this host alone has only that");
    for (uint32_t s = 0; s < cloud->seed_count; s++) {
        bypeer_value_write_address(text, cloud->seeds[s].address);
        if (check_is_ipv4(cloud->seeds[s].address))
            check_report(check, "clouds", i, "seeds", "%s is IPv4; PNRP knows IPv6 only", text);
        else if (is_link_local(cloud->seeds[s].address) != link)
            check_report(check, "clouds", i, "seeds", "%s is %s, but the cloud's scope is %s", text,
                         link ? "not link-local" : "link-local", link ? "link" : "global");
    }
}

/* Two clouds must not have an address and port in common; those that are chosen are of one scope and zone. */
static bool clouds_share(const struct bypeer_config_cloud *one, const struct bypeer_config_cloud *other)
{
    if (one->port != other->port || one->scope != other->scope || strcmp(one->interface, other->interface) != 0)
        return false;
    if (one->address_count == 0 || other->address_count == 0)
        return one->address_count == other->address_count;
    for (uint32_t a = 0; a < one->address_count; a++)
        for (uint32_t b = 0; b < other->address_count; b++)
            if (memcmp(one->addresses[a], other->addresses[b], 16) == 0)
                return true;
    return false;
}

/* A search names profile and scope, nothing else. */
static bool clouds_answer_one_search(const struct bypeer_config_cloud *one, const struct bypeer_config_cloud *other)
{
    return one->ssdp == BYPEER_SWITCH_ON && other->ssdp == BYPEER_SWITCH_ON && one->profile == other->profile &&
           one->scope == other->scope && strcmp(one->interface, other->interface) == 0;
}

void check_cloud(struct check *check, uint32_t i)
{
    static const uint16_t ports[] = {[BYPEER_CLOUD_MODERN] = 3541, [BYPEER_CLOUD_WINDOWS] = 3540};
    struct bypeer_config_cloud *clouds = check->config->clouds, *cloud = &clouds[i];
    bool link = cloud->scope == BYPEER_CLOUD_LINK;

    if (cloud->port == 0)
        cloud->port = ports[cloud->profile];
    if (cloud->ssdp == BYPEER_SWITCH_AUTO)
        cloud->ssdp = link ? BYPEER_SWITCH_ON : BYPEER_SWITCH_OFF;
    if (link && !cloud->interface[0])
        check_report(check, "clouds", i, "scope", "is link, but there is no interface; add one such as eth0");
    if (!link && cloud->interface[0])
        check_report(check, "clouds", i, "interface", "\"%s\" is for scope link; remove it, or add scope: link",
                     cloud->interface);
    check_cloud_addresses(check, i);
    for (uint32_t earlier = 0; earlier < i; earlier++) {
        if (cloud->name[0] && strcmp(clouds[earlier].name, cloud->name) == 0) {
            check_report(check, "clouds", i, "name", "\"%s\" is that of clouds[%u] too (line %u); choose another",
                         cloud->name, earlier, bypeer_config_line(check->config, "clouds", earlier, "name"));
        } else if (clouds_share(&clouds[earlier], cloud)) {
            check_report(check, "clouds", i, "port",
                         "%u is that of clouds[%u] too, on the same addresses; give one of them another port or other "
                         "addresses",
                         cloud->port, earlier);
        } else if (clouds_answer_one_search(&clouds[earlier], cloud)) {
            check_report(check, "clouds", i, "ssdp",
                         "finds the nodes of clouds[%u] too, and theirs find this one: they would become one cloud; "
                         "use ssdp: false and seeds in one of them",
                         earlier);
        }
    }
}

/* A datagram's answer goes out from the address that the kernel prefers, which one of many asked is not always. */
static void check_names_dns(struct check *check)
{
    static const uint8_t any4[16] = {[10] = 0xff, [11] = 0xff};
    struct bypeer_config *config = check->config;

    for (uint32_t i = 0; i < config->names.dns_count; i++) {
        bool is_any4 = memcmp(config->names.dns[i].address, any4, 16) == 0;
        if (is_any4 || memcmp(config->names.dns[i].address, zero, 16) == 0)
            bypeer_report_add(check->report, bypeer_config_line(config, "names", 0, "dns"), "names.dns",
                              "%s stands for all addresses, and answers would come from another than was asked; write "
                              "each address that is to be asked",
                              is_any4 ? "0.0.0.0" : "::");
    }
}

void check_names(struct check *check)
{
    struct bypeer_config *config = check->config;

    check_names_dns(check);
    if (config->names.ids <= config->names.ids_max)
        return;
    if (!bypeer_config_line(config, "names", 0, "ids"))
        config->names.ids = config->names.ids_max;
    else
        bypeer_report_add(check->report, bypeer_config_line(config, "names", 0, "ids"), "names.ids",
                          "%u is more than ids-max, %u; lower it", config->names.ids, config->names.ids_max);
}
