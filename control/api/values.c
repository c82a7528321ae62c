/*
 * Values of parameters and results: addresses, prefixes, numbers.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/wireguard_key.h"
#include "control/api/call.h"

static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

const char *call_string(const struct call *call, const char *name)
{
    return json_string_value(json_object_get(call->parameters, name));
}

json_int_t call_integer(const struct call *call, const char *name, json_int_t fallback)
{
    const json_t *value = json_object_get(call->parameters, name);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool call_boolean(const struct call *call, const char *name)
{
    return json_is_true(json_object_get(call->parameters, name));
}

int call_overlay_address(struct call *call, const char *name, const char *text, uint8_t ret_address[static 16])
{
    uint8_t address[16];
    if (inet_pton(AF_INET6, text, address) != 1)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_address",
                                  "parameter \"%s\"\n\"%.64s\" is no IPv6 address\nwrite it as in RFC 5952", name,
                                  text);
    memcpy(ret_address, address, 16);
    return 0;
}

int call_underlay_address(struct call *call, const char *name, const char *text, uint8_t ret_address[static 16])
{
    uint8_t address[16];
    memcpy(address, ipv4_prefix, sizeof(ipv4_prefix));
    if (inet_pton(AF_INET, text, address + 12) != 1 && inet_pton(AF_INET6, text, address) != 1)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_address",
                                  "parameter \"%s\"\n\"%.64s\" is no IPv6 or IPv4 address\nwrite one", name, text);
    memcpy(ret_address, address, 16);
    return 0;
}

int call_underlay_endpoint(struct call *call, const char *name, const char *text, uint8_t ret_address[static 16],
                           uint16_t *ret_port)
{
    char before[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : sizeof(before),
           digits = colon ? strspn(colon + 1, "0123456789") : 0;
    unsigned long port = digits > 0 && digits <= 5 && colon[1 + digits] == '\0' ? strtoul(colon + 1, NULL, 10) : 0;
    if (length < sizeof(before) && port >= 1 && port <= UINT16_MAX) {
        bool bracketed = text[0] == '[' && colon[-1] == ']';
        memcpy(before, text + (bracketed ? 1 : 0), length);
        before[length - (bracketed ? 2 : 0)] = '\0';
        struct bypeer_problem ignored = call->problem;
        if (bracketed == (strchr(before, ':') != NULL) && call_underlay_address(call, name, before, ret_address) == 0) {
            *ret_port = (uint16_t)port;
            return 0;
        }
        call->problem = ignored;
    }
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_endpoint",
                              "parameter \"%s\"\n\"%.64s\" is no address with a port\nwrite one like "
                              "[2001:db8::9]:51820 or 192.0.2.9:51820",
                              name, text);
}

int call_key(struct call *call, const char *name, const char *text, uint8_t ret_key[static 32])
{
    if (bypeer_wireguard_key_read(text, ret_key))
        return 0;
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_key",
                              "parameter \"%s\"\nis no WireGuard key\nwrite the 44 characters that `wg pubkey` gives",
                              name);
}

int call_prefix(struct call *call, const char *name, const char *text, uint8_t ret_prefix[static 16], uint8_t *ret_bits)
{
    char address[INET6_ADDRSTRLEN];
    uint8_t prefix[16];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : sizeof(address);
    char *end = NULL;
    unsigned long bits = slash && slash[1] >= '0' && slash[1] <= '9' ? strtoul(slash + 1, &end, 10) : 129;
    if (length < sizeof(address) && bits <= 128 && *end == '\0') {
        memcpy(address, text, length);
        address[length] = '\0';
        if (inet_pton(AF_INET6, address, prefix) == 1) {
            memcpy(ret_prefix, prefix, 16);
            *ret_bits = (uint8_t)bits;
            return 0;
        }
    }
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_prefix",
                              "parameter \"%s\"\n\"%.64s\" is no IPv6 prefix\nwrite address, slash, length", name,
                              text);
}

json_t *call_address_text(const uint8_t address[static 16])
{
    char text[INET6_ADDRSTRLEN];
    if (memcmp(address, ipv4_prefix, sizeof(ipv4_prefix)) == 0)
        inet_ntop(AF_INET, address + 12, text, sizeof(text));
    else
        inet_ntop(AF_INET6, address, text, sizeof(text));
    return json_string(text);
}

json_t *call_underlay_endpoint_text(const uint8_t address[static 16], uint16_t port)
{
    char text[INET6_ADDRSTRLEN];
    if (port == 0)
        return json_null();
    if (memcmp(address, ipv4_prefix, sizeof(ipv4_prefix)) == 0) {
        inet_ntop(AF_INET, address + 12, text, sizeof(text));
        return json_sprintf("%s:%u", text, port);
    }
    inet_ntop(AF_INET6, address, text, sizeof(text));
    return json_sprintf("[%s]:%u", text, port);
}

json_t *call_prefix_text(const uint8_t prefix[static 16], unsigned bits)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, prefix, text, sizeof(text));
    return json_sprintf("%s/%u", text, bits);
}

bool call_read_endpoint(const char *text, struct bypeer_pnrp_endpoint *ret_endpoint)
{
    char address[INET6_ADDRSTRLEN];
    const char *end = text[0] == '[' ? strchr(text, ']') : NULL;
    size_t length = end ? (size_t)(end - text) - 1 : sizeof(address);
    if (length >= sizeof(address) || end[1] != ':' || strlen(end + 2) > 5 || strspn(end + 2, "0123456789") < 4 ||
        end[2 + strspn(end + 2, "0123456789")] != '\0')
        return false;
    memcpy(address, text + 1, length);
    address[length] = '\0';
    unsigned long port = strtoul(end + 2, NULL, 10);
    if (port < BYPEER_PNRP_PORT_MIN || port > UINT16_MAX || inet_pton(AF_INET6, address, ret_endpoint->address) != 1)
        return false;
    ret_endpoint->port = (uint16_t)port;
    return true;
}

json_t *call_endpoint_text(const struct bypeer_pnrp_endpoint *endpoint)
{
    char address[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, endpoint->address, address, sizeof(address));
    return json_sprintf("[%s]:%u", address, endpoint->port);
}

json_t *call_mac_text(const uint8_t mac[static 6])
{
    return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

json_t *call_origin(uint32_t line, bool is_followed)
{
    return line ? json_sprintf("config:%u", line) : json_string(is_followed ? "group" : "api");
}

int call_number(struct call *call, const char *key, uint64_t number)
{
    call->result = json_pack("{s:I}", key, (json_int_t)number);
    return 0;
}
