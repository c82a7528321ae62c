/* Rules of a group, judged for packets of all kinds. */
#include <criterion/criterion.h>
#include <string.h>

#include "overlay/ip/ipv6.h"
#include "overlay/policy/rules.h"

#define MEMBERS 4u
#define SERVERS 8u

#define SYN 0x02
#define ACK 0x10

static uint8_t packet[1500];

static size_t start(uint8_t next_header, size_t length)
{
    static const uint8_t address[16] = {0xfd, 1};
    bypeer_ipv6_write(packet, &(struct bypeer_ipv6){.source = address,
                                                    .destination = address,
                                                    .payload_bytes = (uint16_t)(length - BYPEER_IPV6_BYTES),
                                                    .next_header = next_header,
                                                    .hop_limit = 64});
    memset(packet + BYPEER_IPV6_BYTES, 0, length - BYPEER_IPV6_BYTES);
    return length;
}

/* Ports and, of TCP, flags at the end of the extension headers. */
static size_t finish(size_t at, uint16_t source, uint16_t destination, uint8_t flags)
{
    bypeer_store16(packet + at, source);
    bypeer_store16(packet + at + 2, destination);
    packet[at + 13] = flags;
    return at + 20;
}

static struct bypeer_policy_packet tcp(uint16_t source, uint16_t destination, uint8_t flags)
{
    struct bypeer_policy_packet facts = {.from_roles = MEMBERS, .to_roles = SERVERS};
    start(BYPEER_NEXT_TCP, 60);
    bypeer_upper_read(&facts.upper, packet, finish(40, source, destination, flags));
    return facts;
}

static struct bypeer_policy_packet udp(uint16_t source, uint16_t destination)
{
    struct bypeer_policy_packet facts = {.from_roles = MEMBERS, .to_roles = SERVERS};
    start(BYPEER_NEXT_UDP, 60);
    bypeer_upper_read(&facts.upper, packet, finish(40, source, destination, 0));
    return facts;
}

static struct bypeer_policy_packet turned(struct bypeer_policy_packet facts)
{
    uint32_t roles = facts.from_roles;
    facts.from_roles = facts.to_roles;
    facts.to_roles = roles;
    return facts;
}

static void expect(const struct bypeer_policy_rule *rule, struct bypeer_policy_packet facts,
                   enum bypeer_policy_step wanted)
{
    cr_assert_eq(bypeer_policy_judge(rule, &facts), wanted);
}

#define PASS   BYPEER_POLICY_STEP_PASS
#define REFUSE BYPEER_POLICY_STEP_REFUSE
#define NEXT   BYPEER_POLICY_STEP_NEXT

static const struct bypeer_policy_rule ssh = {.from_roles = MEMBERS,
                                              .to_roles = SERVERS,
                                              .protocol = BYPEER_NEXT_TCP,
                                              .verdict = BYPEER_POLICY_ALLOW,
                                              .port_low = 20,
                                              .port_high = 22};

Test(policy_rules, a_connection_to_a_port_and_its_answers)
{
    expect(&ssh, tcp(50000, 22, SYN), PASS);
    expect(&ssh, tcp(50000, 20, ACK), PASS);
    expect(&ssh, tcp(50000, 23, SYN), NEXT);
    expect(&ssh, tcp(50000, 19, SYN), NEXT);
    expect(&ssh, udp(50000, 22), NEXT);
    expect(&ssh, turned(tcp(22, 50000, SYN | ACK)), PASS);
    expect(&ssh, turned(tcp(22, 50000, ACK)), PASS);
    expect(&ssh, turned(tcp(22, 50000, SYN)), NEXT);
    expect(&ssh, turned(tcp(443, 50000, ACK)), NEXT);
    /* Nobody else's answers. */
    struct bypeer_policy_packet among_servers = tcp(22, 50000, ACK);
    among_servers.from_roles = among_servers.to_roles = SERVERS;
    expect(&ssh, among_servers, NEXT);
}

Test(policy_rules, roles)
{
    struct bypeer_policy_rule rule = ssh;
    struct bypeer_policy_packet both = tcp(50000, 22, SYN), nobody = both;
    both.from_roles = MEMBERS | SERVERS;
    nobody.from_roles = 0;
    expect(&rule, both, PASS);
    expect(&rule, nobody, NEXT);
    rule.from_roles = 0;
    expect(&rule, nobody, PASS);
}

Test(policy_rules, what_is_refused_is_not_answered_for)
{
    struct bypeer_policy_rule rule = ssh;
    rule.verdict = BYPEER_POLICY_DENY;
    expect(&rule, tcp(50000, 22, SYN), REFUSE);
    expect(&rule, turned(tcp(22, 50000, ACK)), NEXT);
}

Test(policy_rules, multicast_passes_by_a_rule_for_everybody_only)
{
    struct bypeer_policy_rule rule = {
        .protocol = BYPEER_NEXT_UDP, .verdict = BYPEER_POLICY_ALLOW, .port_low = 5353, .port_high = 5353};
    struct bypeer_policy_packet query = udp(5353, 5353);
    query.to_roles = BYPEER_POLICY_ALL_MEMBERS;
    expect(&rule, query, PASS);
    rule.from_roles = MEMBERS;
    expect(&rule, query, PASS);
    rule.to_roles = SERVERS;
    expect(&rule, query, NEXT);
    rule.verdict = BYPEER_POLICY_DENY;
    expect(&rule, query, REFUSE);
}

Test(policy_rules, headers_before_the_upper_layer)
{
    struct bypeer_policy_packet facts = {.from_roles = MEMBERS, .to_roles = SERVERS};
    start(BYPEER_NEXT_HOP_BY_HOP, 140);
    packet[40] = BYPEER_NEXT_DESTINATION;
    packet[48] = BYPEER_NEXT_FRAGMENT;
    packet[49] = 1; /* 16 bytes */
    packet[64] = BYPEER_NEXT_TCP;
    size_t length = finish(72, 50000, 22, SYN);
    bypeer_upper_read(&facts.upper, packet, length);
    expect(&ssh, facts, PASS);
    /* A later fragment: TCP for sure, but to which port? */
    bypeer_store16(packet + 66, 8);
    bypeer_upper_read(&facts.upper, packet, length);
    cr_assert(facts.upper.is_known && !facts.upper.has_ports);
    expect(&ssh, facts, NEXT);
    struct bypeer_policy_rule refusing = ssh, all_tcp = ssh;
    refusing.verdict = BYPEER_POLICY_DENY;
    expect(&refusing, facts, REFUSE);
    all_tcp.port_low = 0;
    all_tcp.port_high = UINT16_MAX;
    expect(&all_tcp, facts, PASS);
}

Test(policy_rules, what_cannot_be_read_passes_by_no_rule_about_it)
{
    struct bypeer_policy_packet facts = {.from_roles = MEMBERS, .to_roles = SERVERS};
    struct bypeer_policy_rule refusing = ssh, all = {.verdict = BYPEER_POLICY_ALLOW, .port_high = UINT16_MAX};
    refusing.verdict = BYPEER_POLICY_DENY;
    /* Too many headers, a header that is cut off, and ports that are. */
    start(BYPEER_NEXT_DESTINATION, 200);
    for (size_t at = 40; at < 200; at += 8)
        packet[at] = BYPEER_NEXT_DESTINATION;
    bypeer_upper_read(&facts.upper, packet, 200);
    cr_assert(!facts.upper.is_known);
    expect(&ssh, facts, NEXT);
    expect(&refusing, facts, REFUSE);
    expect(&all, facts, PASS);
    packet[41] = 255;
    bypeer_upper_read(&facts.upper, packet, 200);
    cr_assert(!facts.upper.is_known);
    start(BYPEER_NEXT_TCP, 43);
    bypeer_upper_read(&facts.upper, packet, 43);
    cr_assert(!facts.upper.has_ports);
    expect(&ssh, facts, NEXT);
    expect(&refusing, facts, REFUSE);
    /* Flags that are cut off may be those of a first segment. */
    start(BYPEER_NEXT_TCP, 50);
    bypeer_store16(packet + 40, 22);
    bypeer_upper_read(&facts.upper, packet, 50);
    expect(&ssh, turned(facts), NEXT);
}

Test(policy_rules, echo_requests_and_their_replies)
{
    struct bypeer_policy_rule ping = {.from_roles = MEMBERS,
                                      .to_roles = SERVERS,
                                      .protocol = BYPEER_NEXT_ICMPV6,
                                      .verdict = 1,
                                      .port_high = UINT16_MAX};
    struct bypeer_policy_packet facts = {.from_roles = MEMBERS, .to_roles = SERVERS};
    start(BYPEER_NEXT_ICMPV6, 60);
    packet[40] = 128;
    bypeer_upper_read(&facts.upper, packet, 60);
    expect(&ping, facts, PASS);
    expect(&ping, turned(facts), NEXT);
    packet[40] = 129;
    bypeer_upper_read(&facts.upper, packet, 60);
    expect(&ping, turned(facts), PASS);
    expect(&ssh, facts, NEXT);
    struct bypeer_policy_rule refuse_port = ssh;
    refuse_port.protocol = 0;
    refuse_port.verdict = BYPEER_POLICY_DENY;
    expect(&refuse_port, facts, NEXT);
}
