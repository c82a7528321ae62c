#include "config/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/wireguard_key.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int64_t bypeer_value_integer(const void *place, size_t bytes)
{
    uint8_t byte;
    uint16_t half;
    int32_t word;

    switch (bytes) {
    case 1:
        memcpy(&byte, place, sizeof(byte));
        return byte;
    case 2:
        memcpy(&half, place, sizeof(half));
        return half;
    default:
        /* No number of the schema reaches 2^31, so that one reading serves uint32_t and the int32_t that may be -1. */
        memcpy(&word, place, sizeof(word));
        return word;
    }
}

void bypeer_value_set_integer(void *place, size_t bytes, int64_t value)
{
    uint8_t byte = (uint8_t)value;
    uint16_t half = (uint16_t)value;
    int32_t word = (int32_t)value;

    if (bytes == 1)
        memcpy(place, &byte, sizeof(byte));
    else if (bytes == 2)
        memcpy(place, &half, sizeof(half));
    else
        memcpy(place, &word, sizeof(word));
}

void bypeer_value_quote(char quoted[static BYPEER_VALUE_QUOTED], const char *text)
{
    size_t length = 0;

    quoted[length++] = '"';
    while (*text && length < 49) {
        unsigned char c = (unsigned char)*text++;

        quoted[length++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    /* Not half a UTF-8 character. */
    if (*text) {
        while (length > 1 && ((unsigned char)quoted[length - 1] & 0xc0) == 0x80)
            length--;
        if (length > 1 && (unsigned char)quoted[length - 1] >= 0xc0)
            length--;
        memcpy(quoted + length, "...", 3);
        length += 3;
    }
    quoted[length++] = '"';
    quoted[length] = '\0';
}

void bypeer_value_write_address(char text[static BYPEER_VALUE_ADDRESS], const uint8_t address[static 16])
{
    if (memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0)
        inet_ntop(AF_INET, address + 12, text, BYPEER_VALUE_ADDRESS);
    else
        inet_ntop(AF_INET6, address, text, BYPEER_VALUE_ADDRESS);
}

static int read_text(const struct bypeer_schema_key *key, const char *text, char *place, char *why, size_t why_bytes)
{
    size_t length = strlen(text);
    char quoted[BYPEER_VALUE_QUOTED];

    bypeer_value_quote(quoted, text);
    if (length < (size_t)key->minimum || length > (size_t)key->maximum) {
        snprintf(why, why_bytes, "%s has %zu bytes; use %ld to %ld", quoted, length, (long)key->minimum,
                 (long)key->maximum);
        return -EINVAL;
    }
    if (key->type == BYPEER_SCHEMA_NAME) {
        size_t good = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

        if (text[good] || text[0] == '.' || text[0] == '-') {
            snprintf(why, why_bytes, "%s is no name; use letters, digits, and after the first also . _ -", quoted);
            return -EINVAL;
        }
    }
    if (key->type == BYPEER_SCHEMA_PATH && text[0] != '/') {
        snprintf(why, why_bytes, "%s is no absolute path; begin it with /", quoted);
        return -EINVAL;
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            snprintf(why, why_bytes, "%s holds a control character; remove it", quoted);
            return -EINVAL;
        }
    }
    strncpy(place, text, key->size); /* the rest becomes zero: names are compared as whole arrays */
    return 0;
}

static int read_number(const struct bypeer_schema_key *key, const char *text, size_t bytes, void *place, char *why,
                       size_t why_bytes)
{
    const char *automatic = key->has_automatic ? ", or auto" : "";
    char quoted[BYPEER_VALUE_QUOTED];
    int64_t value = 0;

    if (key->has_automatic && strcmp(text, "auto") == 0) {
        bypeer_value_set_integer(place, bytes, key->automatic);
        return 0;
    }
    if (text[0] && text[strspn(text, "0123456789")] == '\0') {
        for (const char *digit = text; *digit && value <= UINT32_MAX; digit++)
            value = value * 10 + (*digit - '0');
        if (value >= key->minimum && value <= key->maximum) {
            bypeer_value_set_integer(place, bytes, value);
            return 0;
        }
        bypeer_value_quote(quoted, text);
        quoted[strlen(quoted) - 1] = '\0';
        snprintf(why, why_bytes, "%s is out of range; use %ld to %ld%s", quoted + 1, (long)key->minimum,
                 (long)key->maximum, automatic);
        return -EINVAL;
    }
    bypeer_value_quote(quoted, text);
    snprintf(why, why_bytes, "%s is no whole number; use %ld to %ld%s", quoted, (long)key->minimum, (long)key->maximum,
             automatic);
    return -EINVAL;
}

static int read_choice(const struct bypeer_schema_key *key, const char *text, void *place, char *why, size_t why_bytes)
{
    const char *nearest;
    char quoted[BYPEER_VALUE_QUOTED];
    size_t length;

    for (int i = 0; key->choices[i]; i++) {
        if (strcmp(text, key->choices[i]) == 0) {
            bypeer_value_set_integer(place, key->size, i);
            return 0;
        }
    }
    bypeer_value_quote(quoted, text);
    nearest = bypeer_schema_nearest_choice(key, text);
    if (nearest) {
        snprintf(why, why_bytes, "%s is unknown; did you mean \"%s\"?", quoted, nearest);
        return -EINVAL;
    }
    length = (size_t)snprintf(why, why_bytes, "%s is unknown; use", quoted);
    for (int i = 0; key->choices[i] && length < why_bytes; i++) {
        length += (size_t)snprintf(why + length, why_bytes - length, "%s %s",
                                   i == 0                ? ""
                                   : key->choices[i + 1] ? ","
                                                         : " or",
                                   key->choices[i]);
    }
    return -EINVAL;
}

/* IPv6 as it is, IPv4 as ::ffff:a.b.c.d. */
static bool address_from_text(const char *text, uint8_t address[static 16])
{
    if (inet_pton(AF_INET6, text, address) == 1)
        return true;
    if (inet_pton(AF_INET, text, address + 12) == 1) {
        memcpy(address, mapped_prefix, sizeof(mapped_prefix));
        return true;
    }
    return false;
}

static bool address_is_ipv4(const uint8_t address[static 16])
{
    return memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* An address that can be a host's on a network: neither unspecified, loopback, multicast nor broadcast. */
static bool address_is_unicast(const uint8_t address[static 16])
{
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t unspecified[16] = {0};

    if (address_is_ipv4(address))
        return address[12] != 0 && address[12] != 127 && address[12] < 224;
    return memcmp(address, loopback, 16) != 0 && memcmp(address, unspecified, 16) != 0 && address[0] != 0xff;
}

static bool address_is_link_local(const uint8_t address[static 16])
{
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

static int read_overlay(const char *text, uint8_t place[static 16], char *why, size_t why_bytes)
{
    uint8_t address[16];
    char quoted[BYPEER_VALUE_QUOTED];

    if (!address_from_text(text, address) || address_is_ipv4(address)) {
        bypeer_value_quote(quoted, text);
        snprintf(why, why_bytes, "%s is no IPv6 address; write one like fd12:3456:789a::2%s", quoted,
                 strchr(text, '/') ? ", without a prefix length" : "");
        return -EINVAL;
    }
    memcpy(place, address, 16);
    return 0;
}

static int read_underlay(const char *text, uint8_t place[static 16], char *why, size_t why_bytes)
{
    uint8_t address[16];
    char quoted[BYPEER_VALUE_QUOTED];

    bypeer_value_quote(quoted, text);
    if (!address_from_text(text, address)) {
        snprintf(why, why_bytes, "%s is no IP address; write one like 2001:db8:1::2 or 192.0.2.2%s", quoted,
                 strchr(text, '/') ? ", without a prefix length" : "");
        return -EINVAL;
    }
    if (!address_is_unicast(address)) {
        snprintf(why, why_bytes, "%s is no host's address; use a unicast address of the underlay", quoted);
        return -EINVAL;
    }
    if (address_is_link_local(address)) {
        snprintf(why, why_bytes, "%s is link-local; use an address that is routed", quoted);
        return -EINVAL;
    }
    memcpy(place, address, 16);
    return 0;
}

/* Splits "ADDRESS/BITS". bits of IPv4 count from 96. */
static bool prefix_from_text(const char *text, uint8_t address[static 16], uint8_t *ret_bits)
{
    char before[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : 0;
    size_t digits = slash ? strlen(slash + 1) : 0;
    long bits;
    long base;

    if (!slash || length >= sizeof(before) || digits < 1 || digits > 3 || strspn(slash + 1, "0123456789") != digits)
        return false;
    memcpy(before, text, length);
    before[length] = '\0';
    if (!address_from_text(before, address))
        return false;
    base = address_is_ipv4(address) && !strchr(before, ':') ? 96 : 0;
    bits = strtol(slash + 1, NULL, 10) + base;
    if (bits > 128)
        return false;
    *ret_bits = (uint8_t)bits;
    return true;
}

static int read_interface(const char *text, struct bypeer_config_address *place, char *why, size_t why_bytes)
{
    struct bypeer_config_address address;
    char quoted[BYPEER_VALUE_QUOTED];

    bypeer_value_quote(quoted, text);
    if (!prefix_from_text(text, address.address, &address.bits)) {
        snprintf(why, why_bytes,
                 "%s is no address with a prefix length; write one like 2001:db8:1::1/64 or 192.0.2.1/24", quoted);
        return -EINVAL;
    }
    if (!address_is_unicast(address.address) || address.bits == 0 ||
        (address_is_ipv4(address.address) && address.bits <= 96)) {
        snprintf(why, why_bytes, "%s is no host's address; use a unicast address and its prefix length", quoted);
        return -EINVAL;
    }
    *place = address;
    return 0;
}

static int read_own_address(const char *text, uint8_t place[static 16], char *why, size_t why_bytes)
{
    static const uint8_t loopback[16] = {[15] = 1};
    uint8_t address[16];
    char quoted[BYPEER_VALUE_QUOTED];

    bypeer_value_quote(quoted, text);
    if (!address_from_text(text, address) || address_is_ipv4(address)) {
        snprintf(why, why_bytes, "%s is no IPv6 address; write one like 2001:db8:1::1%s", quoted,
                 strchr(text, '/') ? ", without a prefix length" : "");
        return -EINVAL;
    }
    if (!address_is_unicast(address) && memcmp(address, loopback, 16) != 0) {
        snprintf(why, why_bytes, "%s is no host's address; use a unicast address of this host", quoted);
        return -EINVAL;
    }
    memcpy(place, address, 16);
    return 0;
}

/* "[IPv6]:port" or "IPv4:port". */
static bool endpoint_from_text(const char *text, struct bypeer_config_endpoint *ret_endpoint)
{
    char before[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    size_t length = colon ? (size_t)(colon - text) : 0;
    size_t digits = colon ? strlen(colon + 1) : 0;

    if (!colon || digits < 1 || digits > 5 || strspn(colon + 1, "0123456789") != digits)
        return false;
    if (bracketed) {
        if (length < 2 || colon[-1] != ']')
            return false;
        text++;
        length -= 2;
    }
    if (length >= sizeof(before))
        return false;
    memcpy(before, text, length);
    before[length] = '\0';
    if (bracketed != (strchr(before, ':') != NULL) || !address_from_text(before, ret_endpoint->address))
        return false;
    long port = strtol(colon + 1, NULL, 10);
    ret_endpoint->port = (uint16_t)port;
    return port <= UINT16_MAX;
}

static int read_endpoint(const struct bypeer_schema_key *key, const char *text, struct bypeer_config_endpoint *place,
                         char *why, size_t why_bytes)
{
    struct bypeer_config_endpoint endpoint = {0};
    char quoted[BYPEER_VALUE_QUOTED];

    bypeer_value_quote(quoted, text);
    if (!endpoint_from_text(text, &endpoint)) {
        snprintf(why, why_bytes, "%s is no address with a port; write one like [2001:db8::1]:3541", quoted);
        return -EINVAL;
    }
    if (endpoint.port < key->minimum || endpoint.port > key->maximum) {
        snprintf(why, why_bytes, "%s has a port out of range; use %ld to %ld", quoted, (long)key->minimum,
                 (long)key->maximum);
        return -EINVAL;
    }
    if (endpoint.address[0] == 0xff) {
        snprintf(why, why_bytes, "%s is a multicast address; use a host's", quoted);
        return -EINVAL;
    }
    *place = endpoint;
    return 0;
}

/* A peer's: nobody can send to an unspecified address. */
static int read_peer_endpoint(const struct bypeer_schema_key *key, const char *text,
                              struct bypeer_config_endpoint *place, char *why, size_t why_bytes)
{
    struct bypeer_config_endpoint endpoint;
    char quoted[BYPEER_VALUE_QUOTED];
    int error = read_endpoint(key, text, &endpoint, why, why_bytes);

    if (error)
        return error;
    if (!address_is_unicast(endpoint.address) || address_is_link_local(endpoint.address)) {
        bypeer_value_quote(quoted, text);
        snprintf(why, why_bytes, "%s is no host's address that is routed; use the peer's in the underlay", quoted);
        return -EINVAL;
    }
    *place = endpoint;
    return 0;
}

static int read_key(const char *text, uint8_t *place, char *why, size_t why_bytes)
{
    static const uint8_t none[BYPEER_WIREGUARD_KEY_BYTES];
    uint8_t bytes[BYPEER_WIREGUARD_KEY_BYTES];

    if (bypeer_wireguard_key_read(text, bytes) && memcmp(bytes, none, sizeof(none)) != 0) {
        memcpy(place, bytes, sizeof(bytes));
        return 0;
    }
    /* Not said what it is: it may be a private key in the wrong place. */
    snprintf(why, why_bytes, "is no WireGuard key; write the 44 characters that `wg pubkey` gives");
    return -EINVAL;
}

static void mask(uint8_t address[static 16], unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;

        if (kept < 8)
            address[i] &= (uint8_t)(0xff00 >> kept);
    }
}

static int read_prefix(const struct bypeer_schema_key *key, const char *text, uint8_t place[static 16],
                       uint8_t *ret_bits, char *why, size_t why_bytes)
{
    uint8_t address[16];
    uint8_t masked[16];
    uint8_t bits;
    char quoted[BYPEER_VALUE_QUOTED];
    char remedy[BYPEER_VALUE_ADDRESS];

    bypeer_value_quote(quoted, text);
    if (!prefix_from_text(text, address, &bits) || address_is_ipv4(address)) {
        snprintf(why, why_bytes, "%s is no IPv6 prefix; write one like %s", quoted, key->example);
        return -EINVAL;
    }
    if (bits < key->minimum || bits > key->maximum) {
        if (key->minimum == key->maximum) {
            snprintf(why, why_bytes, "%s has %u bits; use /%ld", quoted, bits, (long)key->minimum);
        } else {
            snprintf(why, why_bytes, "%s has %u bits; use /%ld to /%ld", quoted, bits, (long)key->minimum,
                     (long)key->maximum);
        }
        return -EINVAL;
    }
    memcpy(masked, address, 16);
    mask(masked, bits);
    if (memcmp(masked, address, 16) != 0) {
        bypeer_value_write_address(remedy, masked);
        snprintf(why, why_bytes, "%s has bits set beyond its length; write %s/%u", quoted, remedy, bits);
        return -EINVAL;
    }
    if (!address_is_unicast(masked) || address_is_link_local(masked) || masked[0] == 0) {
        snprintf(why, why_bytes, "%s is no network of hosts; use a unicast prefix", quoted);
        return -EINVAL;
    }
    memcpy(place, masked, 16);
    if (ret_bits)
        *ret_bits = bits;
    return 0;
}

int bypeer_value_read(const struct bypeer_schema_key *key, const char *text, void *place, uint8_t *bits, char *why,
                      size_t why_bytes)
{
    switch (key->type) {
    case BYPEER_SCHEMA_TEXT:
    case BYPEER_SCHEMA_NAME:
    case BYPEER_SCHEMA_PATH:
        return read_text(key, text, place, why, why_bytes);
    case BYPEER_SCHEMA_NUMBER:
        return read_number(key, text, key->size, place, why, why_bytes);
    case BYPEER_SCHEMA_NUMBERS:
        return read_number(key, text, key->size / key->entries, place, why, why_bytes);
    case BYPEER_SCHEMA_CHOICE:
        return read_choice(key, text, place, why, why_bytes);
    case BYPEER_SCHEMA_OVERLAY:
        return read_overlay(text, place, why, why_bytes);
    case BYPEER_SCHEMA_UNDERLAY:
    case BYPEER_SCHEMA_UNDERLAYS:
        return read_underlay(text, place, why, why_bytes);
    case BYPEER_SCHEMA_INTERFACE:
        return read_interface(text, place, why, why_bytes);
    case BYPEER_SCHEMA_PREFIX:
        return read_prefix(key, text, place, bits, why, why_bytes);
    case BYPEER_SCHEMA_ADDRESSES:
        return read_own_address(text, place, why, why_bytes);
    case BYPEER_SCHEMA_ENDPOINTS:
        return read_endpoint(key, text, place, why, why_bytes);
    case BYPEER_SCHEMA_ENDPOINT:
        return read_peer_endpoint(key, text, place, why, why_bytes);
    case BYPEER_SCHEMA_KEY:
        return read_key(text, place, why, why_bytes);
    }
    return -EINVAL;
}

void bypeer_value_write(const struct bypeer_schema_key *key, const void *place, uint8_t bits,
                        char text[static BYPEER_VALUE_TEXT])
{
    const struct bypeer_config_address *interface = place;
    const struct bypeer_config_endpoint *endpoint = place;
    char address[BYPEER_VALUE_ADDRESS];
    int64_t number;

    switch (key->type) {
    case BYPEER_SCHEMA_TEXT:
    case BYPEER_SCHEMA_NAME:
    case BYPEER_SCHEMA_PATH:
        snprintf(text, BYPEER_VALUE_TEXT, "%s", (const char *)place);
        return;
    case BYPEER_SCHEMA_NUMBER:
        number = bypeer_value_integer(place, key->size);
        if (key->has_automatic && number == key->automatic)
            snprintf(text, BYPEER_VALUE_TEXT, "auto");
        else
            snprintf(text, BYPEER_VALUE_TEXT, "%ld", (long)number);
        return;
    case BYPEER_SCHEMA_NUMBERS:
        snprintf(text, BYPEER_VALUE_TEXT, "%ld", (long)bypeer_value_integer(place, key->size / key->entries));
        return;
    case BYPEER_SCHEMA_CHOICE:
        snprintf(text, BYPEER_VALUE_TEXT, "%s", key->choices[bypeer_value_integer(place, key->size)]);
        return;
    case BYPEER_SCHEMA_OVERLAY:
    case BYPEER_SCHEMA_UNDERLAY:
    case BYPEER_SCHEMA_UNDERLAYS:
        bypeer_value_write_address(address, place);
        snprintf(text, BYPEER_VALUE_TEXT, "%s", address);
        return;
    case BYPEER_SCHEMA_INTERFACE:
        bypeer_value_write_address(address, interface->address);
        snprintf(text, BYPEER_VALUE_TEXT, "%s/%d", address,
                 interface->bits - (address_is_ipv4(interface->address) ? 96 : 0));
        return;
    case BYPEER_SCHEMA_PREFIX:
        bypeer_value_write_address(address, place);
        snprintf(text, BYPEER_VALUE_TEXT, "%s/%u", address, bits);
        return;
    case BYPEER_SCHEMA_ADDRESSES:
        bypeer_value_write_address(address, place);
        snprintf(text, BYPEER_VALUE_TEXT, "%s", address);
        return;
    case BYPEER_SCHEMA_ENDPOINT:
        if (endpoint->port == 0) { /* none */
            text[0] = '\0';
            return;
        }
        __attribute__((fallthrough));
    case BYPEER_SCHEMA_ENDPOINTS:
        bypeer_value_write_address(address, endpoint->address);
        snprintf(text, BYPEER_VALUE_TEXT, address_is_ipv4(endpoint->address) ? "%s:%u" : "[%s]:%u", address,
                 endpoint->port);
        return;
    case BYPEER_SCHEMA_KEY:
        bypeer_wireguard_key_write(place, text);
        return;
    }
}
