#include "control/names/addresses.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_BYTES 80
#define LIST_BYTES_MAX (4u << 20) /* 70,000 addresses */
#define DRAIN_MAX      64

/* Scopes of the list: IPV6_ADDR_SCOPE_MASK of the kernel, without its lower half. */
#define SCOPE_GLOBAL 0x00u
#define SCOPE_LINK   0x20u

#define FLAGS_UNUSABLE (IFA_F_TENTATIVE | IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_DADFAILED)

struct line {
    uint8_t address[16];
    unsigned scope, flags;
    char interface[16];
};

/* One line of the list; false: it is none. */
static bool addresses_read(const char *text, struct line *ret_line)
{
    char digits[33];
    unsigned interface, bits;
    if (sscanf(text, "%32[0-9a-f] %x %x %x %x %15s", digits, &interface, &bits, &ret_line->scope, &ret_line->flags,
               ret_line->interface) != 6 ||
        strlen(digits) != 32)
        return false;
    for (unsigned at = 0; at < 16; at++) {
        const char octet[3] = {digits[2 * at], digits[2 * at + 1], '\0'};
        ret_line->address[at] = (uint8_t)strtoul(octet, NULL, 16);
    }
    return true;
}

static bool addresses_is_port(const struct bypeer_config *config, const char *interface)
{
    for (uint32_t at = 0; at < config->port_count; at++)
        if (strcmp(config->ports[at].tap, interface) == 0)
            return true;
    return false;
}

/* The smaller the better; negative: not at all. */
static int addresses_rank(const struct line *line, const struct bypeer_config *config,
                          const struct bypeer_config_cloud *cloud)
{
    if (line->flags & FLAGS_UNUSABLE)
        return -1;
    if (cloud->scope == BYPEER_CLOUD_LINK)
        return line->scope == SCOPE_LINK && strcmp(line->interface, cloud->interface) == 0 ? 0 : -1;
    if (line->scope != SCOPE_GLOBAL || strcmp(line->interface, config->overlay.tap) == 0)
        return -1;
    bool unique_local = (line->address[0] & 0xfe) == 0xfc;
    return (unique_local ? 2 : 0) + (addresses_is_port(config, line->interface) ? 0 : 1);
}

unsigned bypeer_addresses_choose(const char *list, size_t length, const struct bypeer_config *config,
                                 const struct bypeer_config_cloud *cloud,
                                 uint8_t ret_addresses[static BYPEER_CONFIG_CLOUD_ADDRESSES][16])
{
    int ranks[BYPEER_CONFIG_CLOUD_ADDRESSES];
    unsigned count = 0;
    for (const char *end = list + length; list < end;) {
        const char *newline = memchr(list, '\n', (size_t)(end - list));
        const size_t bytes = (size_t)((newline ? newline : end) - list);
        char text[LINE_MAX_BYTES];
        struct line line;
        snprintf(text, sizeof(text), "%.*s", (int)bytes, list);
        list += bytes + 1;
        int rank = addresses_read(text, &line) ? addresses_rank(&line, config, cloud) : -1;
        if (rank < 0)
            continue;
        unsigned at = count < BYPEER_CONFIG_CLOUD_ADDRESSES ? count++ : count;
        for (; at > 0 && ranks[at - 1] > rank; at--)
            if (at < BYPEER_CONFIG_CLOUD_ADDRESSES) {
                ranks[at] = ranks[at - 1];
                memcpy(ret_addresses[at], ret_addresses[at - 1], 16);
            }
        if (at < BYPEER_CONFIG_CLOUD_ADDRESSES) {
            ranks[at] = rank;
            memcpy(ret_addresses[at], line.address, 16);
        }
    }
    while (count > 0 && ranks[0] < 2 && ranks[count - 1] >= 2)
        count--; /* unique local ones beside others */
    return count;
}

unsigned bypeer_addresses_find(const struct bypeer_config *config, const struct bypeer_config_cloud *cloud,
                               uint8_t ret_addresses[static BYPEER_CONFIG_CLOUD_ADDRESSES][16])
{
    FILE *file = fopen("/proc/net/if_inet6", "re");
    char *list = NULL;
    size_t length = 0, got = 1;
    while (file && got > 0 && length < LIST_BYTES_MAX) {
        char *longer = realloc(list, length + 65536);
        if (!longer)
            break;
        list = longer;
        got = fread(list + length, 1, 65536, file);
        length += got;
    }
    if (file)
        fclose(file);
    unsigned count = length > 0 ? bypeer_addresses_choose(list, length, config, cloud, ret_addresses) : 0;
    free(list);
    return count;
}

int bypeer_addresses_watch(void)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV6_IFADDR};
    int watch = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (watch < 0)
        return -errno;
    if (bind(watch, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = -errno;
        close(watch);
        return error;
    }
    return watch;
}

void bypeer_addresses_drain(int watch)
{
    char ignored[4096];
    for (unsigned at = 0; at < DRAIN_MAX; at++)
        if (recv(watch, ignored, sizeof(ignored), MSG_DONTWAIT) < 0 && errno != ENOBUFS)
            return;
}
