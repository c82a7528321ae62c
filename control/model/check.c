/*
 * Checks of definitions that come by API, with the same rules as the schema has for the file.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "control/model/entries.h"
#include "overlay/ip/ipv6.h"

/* ::ffff:0:0/96 holds the IPv4 addresses. */
static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool model_is_ipv4(const uint8_t address[static 16])
{
    return memcmp(address, ipv4_prefix, sizeof(ipv4_prefix)) == 0;
}

int bypeer_model_check_name(const char *kind, const char *name, struct bypeer_problem *problem)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(name);
    if (length >= 1 && length <= 63 && strspn(name, letters) == length)
        return 0;
    return bypeer_problem_set(problem, -EINVAL, "bad_name",
                              "%s \"%s\"\nis no name\nuse 1 to 63 letters, digits, dots, underscores and hyphens", kind,
                              name);
}

/* An address that one peer can have: none that is unspecified, loopback, link-local or multicast. */
static bool check_is_unicast(const uint8_t address[static 16])
{
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t unspecified[16];
    if (model_is_ipv4(address))
        return address[12] != 0 && address[12] != 127 && address[12] < 224;
    if (memcmp(address, loopback, 16) == 0 || memcmp(address, unspecified, 16) == 0 || address[0] == 0xff)
        return false;
    return !(address[0] == 0xfe && (address[1] & 0xc0) == 0x80);
}

int model_check_group(const struct bypeer_store_group *definition, struct bypeer_problem *problem)
{
    static const uint8_t zeros[10];
    int result = bypeer_model_check_name("group", definition->name, problem);
    if (result < 0)
        return result;
    if (definition->prefix[0] != 0xfd || memcmp(definition->prefix + 6, zeros, sizeof(zeros)) != 0)
        return bypeer_problem_set(problem, -EINVAL, "bad_prefix",
                                  "group \"%s\"\nits prefix is no /48 of fd00::/8\nuse an RFC 4193 prefix, such as "
                                  "fd12:3456:789a::/48",
                                  definition->name);
    if (definition->vni == 0 || definition->vni > 0xffffff)
        return bypeer_problem_set(problem, -EINVAL, "bad_vni",
                                  "group \"%s\"\nVNI %u is out of range\nuse 1 to 16777215", definition->name,
                                  definition->vni);
    if (definition->has_address && (!bypeer_ipv6_in_prefix(definition->address, definition->prefix, 48) ||
                                    memcmp(definition->address, definition->prefix, 16) == 0))
        return bypeer_problem_set(problem, -EINVAL, "bad_address",
                                  "group \"%s\"\nits address is no host address within its prefix\n"
                                  "use an address of the group's /48",
                                  definition->name);
    return 0;
}

static int check_peer(const struct bypeer_store_link *definition, struct bypeer_problem *problem)
{
    static const uint8_t none[32];
    if (memcmp(definition->public_key, none, 32) == 0)
        return bypeer_problem_set(problem, -EINVAL, "bad_key",
                                  "peer \"%s\"\nhas no public key\nuse what `wg pubkey` gives", definition->name);
    if (definition->endpoint_port != 0 && !check_is_unicast(definition->endpoint))
        return bypeer_problem_set(problem, -EINVAL, "bad_endpoint",
                                  "peer \"%s\"\nits endpoint is no unicast address\nuse the peer's outer address, or "
                                  "leave it out",
                                  definition->name);
    return 0;
}

int model_check_link(const struct bypeer_store_link *definition, struct bypeer_problem *problem)
{
    int result = bypeer_model_check_name("link", definition->name, problem);
    if (result < 0)
        return result;
    if (definition->wireguard)
        return check_peer(definition, problem);
    if (!check_is_unicast(definition->peer))
        return bypeer_problem_set(problem, -EINVAL, "bad_peer",
                                  "link \"%s\"\nits peer is no unicast address\nuse the peer's outer address",
                                  definition->name);
    if (definition->has_local &&
        (!check_is_unicast(definition->local) || model_is_ipv4(definition->local) != model_is_ipv4(definition->peer)))
        return bypeer_problem_set(problem, -EINVAL, "bad_local",
                                  "link \"%s\"\nits local address is no unicast address of the peer's family\n"
                                  "use one of this node's outer addresses, or leave it out",
                                  definition->name);
    if (definition->vni > 0xffffff)
        return bypeer_problem_set(problem, -EINVAL, "bad_vni", "link \"%s\"\nVNI %u is out of range\nuse 1 to 16777215",
                                  definition->name, definition->vni);
    if (definition->udp_port == 0)
        return bypeer_problem_set(problem, -EINVAL, "bad_port",
                                  "link \"%s\"\nUDP port 0 is out of range\nuse 1 to 65535; fabric's is 4790",
                                  definition->name);
    if (definition->mtu != 0 && (definition->mtu < 1280 || definition->mtu > 8964))
        return bypeer_problem_set(problem, -EINVAL, "bad_mtu",
                                  "link \"%s\"\nMTU %u is out of range\nuse 1280 to 8964, or leave it out",
                                  definition->name, definition->mtu);
    return 0;
}

int model_check_route(const uint8_t prefix[static 16], uint8_t bits, struct bypeer_problem *problem)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, prefix, text, sizeof(text));
    if (bits > 128)
        return bypeer_problem_set(problem, -EINVAL, "bad_prefix",
                                  "route %s/%u\nits length is out of range\nuse 0 to 128", text, bits);
    for (unsigned bit = bits; bit < 128; bit++)
        if (prefix[bit / 8] & (0x80 >> bit % 8))
            return bypeer_problem_set(problem, -EINVAL, "bad_prefix",
                                      "route %s/%u\nhas bits beyond its length\nset them to zero", text, bits);
    if (prefix[0] == 0xff || model_is_ipv4(prefix) || (prefix[0] == 0xfe && (prefix[1] & 0xc0) == 0x80 && bits >= 10))
        return bypeer_problem_set(problem, -EINVAL, "bad_prefix",
                                  "route %s/%u\nis no prefix that the overlay forwards\nuse a unicast IPv6 prefix",
                                  text, bits);
    return 0;
}
