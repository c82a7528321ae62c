#include "control/policy/rule_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/certificate.h"
#include "overlay/ip/ipv6.h"

#define RULE_WORDS 5

static const struct {
    const char *name;
    uint32_t bit;
} rule_roles[] = {{"administrator", BYPEER_ROLE_ADMINISTRATOR},
                  {"inviting", BYPEER_ROLE_INVITING},
                  {"member", BYPEER_ROLE_MEMBER},
                  {"supernode", BYPEER_ROLE_SUPERNODE}};
#define RULE_ROLES (sizeof(rule_roles) / sizeof(rule_roles[0]))

static const struct {
    const char *name;
    uint8_t number;
} rule_protocols[] = {{"any", 0}, {"tcp", BYPEER_NEXT_TCP}, {"udp", BYPEER_NEXT_UDP}, {"icmp", BYPEER_NEXT_ICMPV6}};
#define RULE_PROTOCOLS (sizeof(rule_protocols) / sizeof(rule_protocols[0]))

static bool rule_read_roles(char *word, uint32_t *ret_roles)
{
    uint32_t roles = 0;
    char *rest;
    *ret_roles = 0;
    if (strcmp(word, "any") == 0)
        return true;
    for (char *name = strtok_r(word, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        size_t at = 0;
        while (at < RULE_ROLES && strcmp(rule_roles[at].name, name) != 0)
            at++;
        if (at == RULE_ROLES)
            return false;
        roles |= rule_roles[at].bit;
    }
    *ret_roles = roles;
    return roles != 0;
}

/* A decimal number up to most, and nothing behind it but end. */
static bool rule_read_number(const char *text, unsigned long most, char end, const char **ret_end,
                             unsigned long *ret_number)
{
    char *after;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret_number = strtoul(text, &after, 10);
    *ret_end = after;
    return errno == 0 && *ret_number <= most && (*after == '\0' || *after == end);
}

static bool rule_read_protocol(const char *word, uint8_t *ret_protocol)
{
    const char *end;
    unsigned long number;
    for (size_t at = 0; at < RULE_PROTOCOLS; at++) {
        if (strcmp(rule_protocols[at].name, word) == 0) {
            *ret_protocol = rule_protocols[at].number;
            return true;
        }
    }
    if (!rule_read_number(word, UINT8_MAX, '\0', &end, &number))
        return false;
    *ret_protocol = (uint8_t)number;
    return true;
}

static bool rule_read_ports(const char *word, uint16_t *ret_low, uint16_t *ret_high)
{
    const char *end;
    unsigned long low, high;
    if (!rule_read_number(word, UINT16_MAX, '-', &end, &low))
        return false;
    high = low;
    if (*end == '-' && !rule_read_number(end + 1, UINT16_MAX, '\0', &end, &high))
        return false;
    *ret_low = (uint16_t)low;
    *ret_high = (uint16_t)high;
    return low <= high;
}

static bool rule_has_ports(uint8_t protocol)
{
    return protocol == BYPEER_NEXT_TCP || protocol == BYPEER_NEXT_UDP;
}

static int rule_read_words(char *const words[], unsigned count, struct bypeer_policy_rule *ret_rule,
                           const char **ret_why)
{
    struct bypeer_policy_rule rule = {.port_low = 0, .port_high = UINT16_MAX};
    if (count < 3 || (strcmp(words[0], "allow") != 0 && strcmp(words[0], "deny") != 0))
        *ret_why = "a rule is: allow or deny, from whom, to whom";
    else if (!rule_read_roles(words[1], &rule.from_roles) || !rule_read_roles(words[2], &rule.to_roles))
        *ret_why = "roles are any, or administrator, inviting, member, supernode with commas between them";
    else if (count > 3 && !rule_read_protocol(words[3], &rule.protocol))
        *ret_why = "the protocol is any, tcp, udp, icmp or a number up to 255";
    else if (count > 4 && !rule_has_ports(rule.protocol))
        *ret_why = "only tcp and udp have ports";
    else if (count > 4 && !rule_read_ports(words[4], &rule.port_low, &rule.port_high))
        *ret_why = "ports are like 22 or 6000-6010";
    else {
        rule.verdict = words[0][0] == 'a' ? BYPEER_POLICY_ALLOW : BYPEER_POLICY_DENY;
        *ret_rule = rule;
        return 0;
    }
    return -EINVAL;
}

int bypeer_rule_read(const char *text, struct bypeer_policy_rule *ret_rule, const char **ret_why)
{
    char copy[BYPEER_RULE_TEXT], *words[RULE_WORDS], *rest;
    unsigned count = 0;
    *ret_why = "a rule is at most: allow or deny, from whom, to whom, protocol, ports";
    if (strlen(text) >= sizeof(copy))
        return -EINVAL;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (count == RULE_WORDS)
            return -EINVAL;
        words[count++] = word;
    }
    return rule_read_words(words, count, ret_rule, ret_why);
}

static size_t rule_write_roles(uint32_t roles, char *text, size_t room)
{
    size_t length = 0;
    for (size_t at = 0; at < RULE_ROLES; at++)
        if (roles & rule_roles[at].bit)
            length += (size_t)snprintf(text + length, room - length, "%s%s", length ? "," : "", rule_roles[at].name);
    return length ? length : (size_t)snprintf(text, room, "any");
}

static size_t rule_write_protocol(uint8_t protocol, char *text, size_t room)
{
    for (size_t at = 0; at < RULE_PROTOCOLS; at++)
        if (rule_protocols[at].number == protocol)
            return (size_t)snprintf(text, room, " %s", rule_protocols[at].name);
    return (size_t)snprintf(text, room, " %u", protocol);
}

void bypeer_rule_write(const struct bypeer_policy_rule *rule, char ret_text[static BYPEER_RULE_TEXT])
{
    const size_t room = BYPEER_RULE_TEXT;
    size_t length = (size_t)snprintf(ret_text, room, "%s ", rule->verdict == BYPEER_POLICY_ALLOW ? "allow" : "deny");
    length += rule_write_roles(rule->from_roles, ret_text + length, room - length);
    length += (size_t)snprintf(ret_text + length, room - length, " ");
    length += rule_write_roles(rule->to_roles, ret_text + length, room - length);
    if (rule->protocol == 0)
        return;
    length += rule_write_protocol(rule->protocol, ret_text + length, room - length);
    if (!rule_has_ports(rule->protocol) || (rule->port_low == 0 && rule->port_high == UINT16_MAX))
        return;
    length += (size_t)snprintf(ret_text + length, room - length, " %u", rule->port_low);
    if (rule->port_high != rule->port_low)
        snprintf(ret_text + length, room - length, "-%u", rule->port_high);
}
