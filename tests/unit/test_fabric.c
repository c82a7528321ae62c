/* VXLAN-GPE frames: what the Linux kernel sends is taken, what we send is what it would take, the rest is refused. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

#include "overlay/fabric/receive.h"
#include "overlay/fabric/send.h"

#define FRAME_MAX 2048

static const uint8_t peer6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 2};
static const uint8_t local6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1};
static const uint8_t peer4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 2};
static const uint8_t local4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
static const uint8_t member_a[16] = {0xfd, 0x12, [15] = 2}, member_b[16] = {0xfd, 0x12, [15] = 3};

/* RFC 1071 by bytes, for checking ours from outside. */
static uint16_t reference_sum(uint32_t sum, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Whether the UDP checksum of the IP packet at ip is what its receiver expects. */
static bool is_udp_checksum_right(const uint8_t *ip)
{
    bool is_ipv4 = ip[0] >> 4 == 4;
    const uint8_t *udp = ip + (is_ipv4 ? 20 : 40);
    uint16_t length = bypeer_load16(udp + 4);
    uint32_t sum = 17u + length;
    sum += reference_sum(0, ip + (is_ipv4 ? 12 : 8), is_ipv4 ? 8 : 32);
    return reference_sum(sum, udp, length) == 0xffff;
}

static struct bypeer_link make_link(bool is_ipv4)
{
    struct bypeer_link link = {.id = 1, .kind = BYPEER_LINK_FABRIC, .vni = 7, .udp_port = 4790, .mtu = 1430};
    memcpy(link.peer, is_ipv4 ? peer4 : peer6, 16);
    memcpy(link.local, is_ipv4 ? local4 : local6, 16);
    cr_assert_eq(bypeer_fabric_link_prepare(&link), 0);
    return link;
}

/* What the peer of that link sees its own end as. */
static struct bypeer_link turn(struct bypeer_link link)
{
    uint8_t peer[16];
    memcpy(peer, link.peer, 16);
    memcpy(link.peer, link.local, 16);
    memcpy(link.local, peer, 16);
    cr_assert_eq(bypeer_fabric_link_prepare(&link), 0);
    return link;
}

static size_t make_inner(uint8_t *inner, uint16_t payload, uint8_t traffic_class)
{
    bypeer_ipv6_write(inner, &(struct bypeer_ipv6){.source = member_a,
                                                   .destination = member_b,
                                                   .payload_bytes = payload,
                                                   .traffic_class = traffic_class,
                                                   .next_header = BYPEER_NEXT_UDP,
                                                   .hop_limit = 64});
    for (size_t i = 0; i < payload; i++)
        inner[BYPEER_IPV6_BYTES + i] = (uint8_t)(i * 31 + payload);
    return BYPEER_IPV6_BYTES + (size_t)payload;
}

/* The whole frame that carries inner over link, with padding bytes behind it. */
static size_t make_frame(uint8_t *frame, const struct bypeer_link *link, const uint8_t *inner, size_t inner_bytes,
                         uint8_t ecn, size_t padding)
{
    memset(frame, 0x5a, BYPEER_ETHERNET_BYTES - 2);
    bypeer_store16(frame + 12, link->underlay == 4 ? BYPEER_ETHERTYPE_IPV4 : BYPEER_ETHERTYPE_IPV6);
    memcpy(frame + BYPEER_ETHERNET_BYTES + link->template_bytes, inner, inner_bytes);
    struct bypeer_fabric_variable variable = {
        .inner_bytes = (uint16_t)inner_bytes,
        .inner_sum = bypeer_checksum_fold(bypeer_checksum_sum(inner, inner_bytes)),
        .source_port = bypeer_fabric_source_port(inner, inner_bytes),
        .ecn = ecn,
    };
    bypeer_fabric_encapsulate(frame + BYPEER_ETHERNET_BYTES, link, &variable);
    size_t length = BYPEER_ETHERNET_BYTES + (size_t)link->template_bytes + inner_bytes;
    memset(frame + length, 0xee, padding);
    return length + padding;
}

/* What became of a frame on the way through all steps. */
enum step { KERNEL, RUNT, CUT_SHORT, NOT_WHOLE, NOT_GPE, REFUSED, TAKEN };

struct taken {
    enum step step;
    struct bypeer_fabric_outer outer;
    struct bypeer_fabric_inner inner;
    uint32_t vni;
    enum bypeer_fabric_refusal refusal;
};

static struct taken take(uint8_t *frame, size_t length)
{
    struct taken taken = {.step = KERNEL};
    size_t end;
    int status = bypeer_fabric_outer_parse(&taken.outer, &end, frame, length);
    if (status != 0) {
        taken.step = status == -EBADMSG ? RUNT : status == -EMSGSIZE ? CUT_SHORT : KERNEL;
        return taken;
    }
    taken.step = NOT_WHOLE;
    if (!bypeer_fabric_is_whole(&taken.outer, end))
        return taken;
    taken.step = NOT_GPE;
    if (bypeer_gpe_parse(&taken.vni, bypeer_fabric_gpe(frame, &taken.outer)) != 0)
        return taken;
    taken.refusal =
        bypeer_fabric_open(&taken.inner, frame, &taken.outer, bypeer_fabric_constant_sum(frame, &taken.outer));
    taken.step = taken.refusal == BYPEER_FABRIC_TAKEN ? TAKEN : REFUSED;
    return taken;
}

/* --- GPE header --------------------------------------------------------------------------------------------------- */

Test(gpe, as_the_linux_kernel_sends_it)
{
    const uint8_t kernel[8] = {0x0c, 0x00, 0x00, 0x02, 0x00, 0x00, 0x07, 0x00};
    uint8_t ours[8];
    uint32_t vni = 0;
    cr_assert_eq(bypeer_gpe_parse(&vni, kernel), 0);
    cr_assert_eq(vni, 7);
    bypeer_gpe_write(ours, 7);
    cr_assert_arr_eq(ours, kernel, 8);
    bypeer_gpe_write(ours, BYPEER_GPE_VNI_MAX);
    cr_assert_eq(bypeer_gpe_parse(&vni, ours), 0);
    cr_assert_eq(vni, BYPEER_GPE_VNI_MAX);
}

Test(gpe, looks_at_flags_version_and_protocol)
{
    uint32_t vni;
    for (unsigned flags = 0; flags < 256; flags++)
        for (unsigned protocol = 0; protocol < 256; protocol++) {
            const uint8_t header[8] = {(uint8_t)flags, 0xaa, 0xaa, (uint8_t)protocol, 0, 0, 9, 0xaa};
            bool is_ours = (flags & 0x3d) == 0x0c && protocol == 2;
            cr_assert_eq(bypeer_gpe_parse(&vni, header) == 0, is_ours, "flags %02x protocol %u", flags, protocol);
        }
}

/* --- templates ---------------------------------------------------------------------------------------------------- */

Test(link, template_over_ipv6)
{
    struct bypeer_link link = make_link(false);
    const uint8_t fixed[8] = {0x60, 0, 0, 0, 0, 0, 17, 64};
    const uint8_t udp[6] = {0, 0, 0x12, 0xb6, 0, 0};
    const uint8_t gpe[8] = {0x0c, 0, 0, 2, 0, 0, 7, 0};
    cr_assert_eq(link.underlay, 6);
    cr_assert_eq(link.template_bytes, 56);
    cr_assert_arr_eq(link.header, fixed, 8);
    cr_assert_arr_eq(link.header + 8, local6, 16);
    cr_assert_arr_eq(link.header + 24, peer6, 16);
    cr_assert_arr_eq(link.header + 40, udp, 6);
    cr_assert_arr_eq(link.header + 48, gpe, 8);
    uint32_t sum = 17u + 4790u + 0x0c00u + 2u + 0x0700u;
    sum += reference_sum(0, local6, 16);
    sum += reference_sum(0, peer6, 16);
    cr_assert_eq(bypeer_load16(link.header + 46), reference_sum(sum, NULL, 0));
}

Test(link, template_over_ipv4)
{
    struct bypeer_link link = make_link(true);
    const uint8_t fixed[10] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17};
    cr_assert_eq(link.underlay, 4);
    cr_assert_eq(link.template_bytes, 36);
    cr_assert_arr_eq(link.header, fixed, 10);
    cr_assert_arr_eq(link.header + 12, local4 + 12, 4);
    cr_assert_arr_eq(link.header + 16, peer4 + 12, 4);
    uint32_t sum = 0x4500u + 0x4000u + 0x4011u;
    sum += reference_sum(0, local4 + 12, 4);
    sum += reference_sum(0, peer4 + 12, 4);
    cr_assert_eq(bypeer_load16(link.header + 10), reference_sum(sum, NULL, 0));
}

Test(link, refuses_what_cannot_be_an_end)
{
    static const uint8_t multicast6[16] = {0xff, 0x02, [15] = 1}, none[16], multicast4[16] = {[10] = 0xff, 0xff, 224},
                         none4[16] = {[10] = 0xff, 0xff};
    const struct {
        const uint8_t *peer, *local;
        uint32_t vni;
        uint16_t udp_port;
    } cases[] = {
        {peer6, local4, 7, 4790},      {peer4, local6, 7, 4790},      {peer6, local6, 0x1000000, 4790},
        {peer6, local6, 7, 0},         {multicast6, local6, 7, 4790}, {peer6, none, 7, 4790},
        {multicast4, local4, 7, 4790}, {peer4, none4, 7, 4790},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bypeer_link link = {.vni = cases[i].vni, .udp_port = cases[i].udp_port}, before;
        memcpy(link.peer, cases[i].peer, 16);
        memcpy(link.local, cases[i].local, 16);
        before = link;
        cr_assert_eq(bypeer_fabric_link_prepare(&link), -EINVAL, "case %zu", i);
        cr_assert_arr_eq((uint8_t *)&link, (uint8_t *)&before, sizeof(link), "case %zu", i);
    }
}

Test(link, takes_a_link_local_underlay)
{
    struct bypeer_link link = {
        .vni = 7, .udp_port = 4790, .peer = {0xfe, 0x80, [15] = 2}, .local = {0xfe, 0x80, [15] = 1}};
    cr_assert_eq(bypeer_fabric_link_prepare(&link), 0);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

Test(send, every_length_has_right_checksums)
{
    uint8_t inner[FRAME_MAX], frame[FRAME_MAX];
    for (unsigned is_ipv4 = 0; is_ipv4 < 2; is_ipv4++) {
        struct bypeer_link link = make_link(is_ipv4 != 0);
        for (uint16_t payload = 0; payload < 1460; payload++) {
            size_t bytes = make_inner(inner, payload, 0);
            size_t length = make_frame(frame, &link, inner, bytes, payload & 3, 0);
            const uint8_t *ip = frame + 14;
            cr_assert(is_udp_checksum_right(ip), "payload %u", payload);
            if (is_ipv4) {
                cr_assert_eq(reference_sum(0, ip, 20), 0xffff);
                cr_assert_eq(bypeer_load16(ip + 2), length - 14);
                cr_assert_eq(ip[1], payload & 3);
            } else {
                cr_assert_eq(bypeer_load16(ip + 4), length - 14 - 40);
                cr_assert_eq(bypeer_ipv6_traffic_class(ip), payload & 3);
            }
            cr_assert_arr_eq(frame + 14 + link.template_bytes, inner, bytes);
        }
    }
}

Test(send, never_a_zero_checksum)
{
    /* One 16-bit field of the payload goes through all values, so one of them makes the sum come out as zero. */
    uint8_t inner[FRAME_MAX], frame[FRAME_MAX];
    struct bypeer_link link = make_link(false);
    bool came_out_zero = false;
    size_t bytes = make_inner(inner, 2, 0);
    inner[BYPEER_IPV6_NEXT_HEADER] = 59; /* keep the source port out of it */
    for (unsigned value = 0; value < 65536; value++) {
        bypeer_store16(inner + BYPEER_IPV6_BYTES, (uint16_t)value);
        make_frame(frame, &link, inner, bytes, 0, 0);
        uint16_t checksum = bypeer_load16(frame + 14 + 46);
        cr_assert_neq(checksum, 0);
        came_out_zero |= checksum == 0xffff;
        cr_assert(is_udp_checksum_right(frame + 14));
    }
    cr_assert(came_out_zero);
}

Test(send, source_port_is_the_flows)
{
    uint8_t inner[FRAME_MAX];
    size_t bytes = make_inner(inner, 100, 0);
    uint16_t port = bypeer_fabric_source_port(inner, bytes);
    cr_assert_geq(port, 0xc000);
    /* What may change from packet to packet of a flow does not change it. */
    inner[BYPEER_IPV6_HOP_LIMIT] = 3;
    inner[1] |= 0x30;
    inner[60] ^= 0xff;
    bypeer_store16(inner + 4, 90);
    cr_assert_eq(bypeer_fabric_source_port(inner, bytes - 10), port);

    /* What tells flows apart spreads them: 4096 flows by each of five fields take most of 4096 ports. */
    const size_t fields[] = {2, 22, 38, 40, 42}; /* label, source, destination, ports */
    for (size_t field = 0; field < sizeof(fields) / sizeof(fields[0]); field++) {
        static bool seen[65536];
        memset(seen, 0, sizeof(seen));
        unsigned distinct = 0;
        make_inner(inner, 100, 0);
        for (uint16_t flow = 0; flow < 4096; flow++) {
            bypeer_store16(inner + fields[field], flow);
            port = bypeer_fabric_source_port(inner, bytes);
            distinct += !seen[port];
            seen[port] = true;
        }
        /* Thrown at random, 4096 balls hit 3623 of 16384 bins. */
        cr_assert_gt(distinct, 3400, "field at %zu: %u ports", fields[field], distinct);
    }
}

Test(send, fragments_of_a_packet_stay_together)
{
    uint8_t first[FRAME_MAX], later[FRAME_MAX];
    size_t bytes = make_inner(first, 100, 0);
    make_inner(later, 100, 0);
    first[BYPEER_IPV6_NEXT_HEADER] = later[BYPEER_IPV6_NEXT_HEADER] = BYPEER_NEXT_FRAGMENT;
    later[40 + 3] = 0xf8;
    later[50] = 0x11;
    cr_assert_eq(bypeer_fabric_source_port(first, bytes), bypeer_fabric_source_port(later, bytes));
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

/* A ping by the kernel's VXLAN-GPE in external mode over IPv6, 56 bytes inside, no UDP checksum. */
static size_t kernel_frame(uint8_t *frame)
{
    const uint8_t head[] = {0x02, 0,    0,    0,    0, 1, 0x02, 0,    0,    0,    0,
                            2,    0x86, 0xdd, 0x60, 0, 0, 0,    0x00, 0x48, 0x11, 0x40};
    const uint8_t udp_gpe[] = {0xdc, 0xe1, 0x12, 0xb6, 0x00, 0x48, 0x00, 0x00, 0x0c, 0, 0, 2, 0, 0, 7, 0};
    uint8_t inner[64];
    memcpy(frame, head, sizeof(head));
    memcpy(frame + 22, peer6, 16);
    memcpy(frame + 38, local6, 16);
    memcpy(frame + 54, udp_gpe, sizeof(udp_gpe));
    size_t bytes = make_inner(inner, 16, 0);
    memcpy(frame + 70, inner, bytes);
    return 70 + bytes;
}

Test(receive, takes_what_the_kernel_sends)
{
    uint8_t frame[FRAME_MAX], source[16], destination[16];
    size_t length = kernel_frame(frame);
    struct taken taken = take(frame, length);
    cr_assert_eq(taken.step, TAKEN);
    cr_assert_eq(taken.outer.udp_port, 4790);
    cr_assert_eq(taken.vni, 7);
    cr_assert_eq(taken.inner.at, 70);
    cr_assert_eq(taken.inner.bytes, 56);
    cr_assert_not(taken.inner.sum_known);
    bypeer_fabric_addresses(source, destination, frame, &taken.outer);
    cr_assert_arr_eq(source, peer6, 16);
    cr_assert_arr_eq(destination, local6, 16);
}

Test(receive, takes_what_we_send)
{
    uint8_t inner[FRAME_MAX], frame[FRAME_MAX], source[16], destination[16];
    for (unsigned is_ipv4 = 0; is_ipv4 < 2; is_ipv4++) {
        struct bypeer_link link = make_link(is_ipv4 != 0), theirs = turn(link);
        for (uint16_t payload = 0; payload < 1400; payload++) {
            size_t bytes = make_inner(inner, payload, 0);
            size_t length = make_frame(frame, &theirs, inner, bytes, 0, payload % 7);
            struct taken taken = take(frame, length);
            cr_assert_eq(taken.step, TAKEN, "payload %u step %d", payload, (int)taken.step);
            cr_assert_eq(taken.vni, 7);
            cr_assert_eq(taken.inner.bytes, bytes);
            cr_assert_arr_eq(frame + taken.inner.at, inner, bytes);
            cr_assert(taken.inner.sum_known);
            cr_assert_eq(be16toh(taken.inner.sum) % 0xffff, reference_sum(0, inner, bytes) % 0xffff);
            bypeer_fabric_addresses(source, destination, frame, &taken.outer);
            cr_assert_arr_eq(source, link.peer, 16);
            cr_assert_arr_eq(destination, link.local, 16);
        }
    }
}

Test(receive, leaves_to_the_kernel_what_is_not_udp)
{
    uint8_t frame[FRAME_MAX];
    struct taken taken;
    const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } ipv6[] = {{12, 0x08, "ARP"},     {12, 0x81, "VLAN"},   {20, 6, "TCP"},         {20, 58, "ICMPv6"},
                {20, 0, "hop-by-hop"}, {20, 44, "fragment"}, {14, 0x50, "version 5"}};
    for (size_t i = 0; i < sizeof(ipv6) / sizeof(ipv6[0]); i++) {
        size_t length = kernel_frame(frame);
        frame[ipv6[i].at] = ipv6[i].value;
        frame[13] = ipv6[i].at == 12 ? (ipv6[i].value == 8 ? 6 : 0) : 0xdd;
        taken = take(frame, length);
        cr_assert_eq(taken.step, KERNEL, "%s", ipv6[i].what);
    }
    struct bypeer_link theirs = turn(make_link(true));
    const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } ipv4[] = {{14, 0x46, "options"}, {20, 0x20, "first fragment"}, {21, 1, "later fragment"},
                {23, 6, "TCP"},        {14, 0x55, "version 5"},      {14, 0x44, "short header"}};
    for (size_t i = 0; i < sizeof(ipv4) / sizeof(ipv4[0]); i++) {
        uint8_t inner[64];
        size_t length = make_frame(frame, &theirs, inner, make_inner(inner, 20, 0), 0, 0);
        frame[ipv4[i].at] = ipv4[i].value;
        taken = take(frame, length);
        cr_assert_eq(taken.step, KERNEL, "%s", ipv4[i].what);
    }
}

Test(receive, refuses_every_truncation)
{
    uint8_t inner[64], frame[FRAME_MAX];
    for (unsigned is_ipv4 = 0; is_ipv4 < 2; is_ipv4++) {
        struct bypeer_link theirs = turn(make_link(is_ipv4 != 0));
        size_t length = make_frame(frame, &theirs, inner, make_inner(inner, 20, 0), 0, 0);
        size_t headers = is_ipv4 ? 14 + 20 : 14 + 40;
        for (size_t cut = 0; cut < length; cut++) {
            /* Exactly as large as the data, for the sanitizer. */
            uint8_t *exact = malloc(cut == 0 ? 1 : cut);
            memcpy(exact, frame, cut);
            cr_assert_eq(take(exact, cut).step, cut < headers ? RUNT : CUT_SHORT, "cut at %zu", cut);
            free(exact);
        }
    }
}

Test(receive, refuses_wrong_lengths)
{
    uint8_t frame[FRAME_MAX];
    for (uint16_t udp_length = 0; udp_length < 80; udp_length++) {
        size_t length = kernel_frame(frame);
        bypeer_store16(frame + 58, udp_length);
        struct taken taken = take(frame, length);
        enum step expected = udp_length < 16 || udp_length > 72 ? NOT_WHOLE : udp_length < 72 ? REFUSED : TAKEN;
        cr_assert_eq(taken.step, expected, "UDP length %u", udp_length);
        if (expected == REFUSED)
            cr_assert_eq(taken.refusal, BYPEER_FABRIC_INNER_HEADER);
    }
    /* An inner packet shorter than its datagram is cut to its length, and a longer one refused. */
    for (uint16_t payload = 0; payload < 20; payload++) {
        size_t length = kernel_frame(frame);
        bypeer_store16(frame + 74, payload);
        struct taken taken = take(frame, length);
        cr_assert_eq(taken.refusal, payload <= 16 ? BYPEER_FABRIC_TAKEN : BYPEER_FABRIC_INNER_HEADER);
        if (payload <= 16)
            cr_assert_eq(taken.inner.bytes, 40 + payload);
    }
    size_t length = kernel_frame(frame);
    frame[70] = 0x45;
    cr_assert_eq(take(frame, length).refusal, BYPEER_FABRIC_INNER_HEADER, "IPv4 inside");
}

Test(receive, surplus_behind_the_inner_packet_is_no_part_of_its_sum)
{
    /* The datagram is longer than the inner packet; its checksum covers all of it. */
    uint8_t inner[64], frame[FRAME_MAX];
    struct bypeer_link theirs = turn(make_link(false));
    size_t bytes = make_inner(inner, 16, 0);
    bypeer_store16(inner + 4, 9);
    size_t length = make_frame(frame, &theirs, inner, bytes, 0, 0);
    struct taken taken = take(frame, length);
    cr_assert_eq(taken.step, TAKEN);
    cr_assert_eq(taken.inner.bytes, 49);
    cr_assert_not(taken.inner.sum_known);
}

Test(receive, every_flipped_bit_is_seen)
{
    uint8_t inner[64], frame[FRAME_MAX], wrong[FRAME_MAX];
    for (unsigned is_ipv4 = 0; is_ipv4 < 2; is_ipv4++) {
        struct bypeer_link theirs = turn(make_link(is_ipv4 != 0));
        size_t length = make_frame(frame, &theirs, inner, make_inner(inner, 20, 0), 0, 0);
        size_t udp = is_ipv4 ? 34 : 54;
        for (size_t bit = udp * 8; bit < length * 8; bit++) {
            memcpy(wrong, frame, length);
            wrong[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct taken taken = take(wrong, length);
            cr_assert_neq(taken.step, TAKEN, "bit %zu", bit);
        }
        if (!is_ipv4)
            continue;
        for (size_t bit = 14 * 8; bit < 34 * 8; bit++) {
            memcpy(wrong, frame, length);
            wrong[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct taken taken = take(wrong, length);
            cr_assert_neq(taken.step, TAKEN, "bit %zu of the IPv4 header", bit);
        }
    }
}

Test(receive, tells_a_links_datagrams_by_its_template)
{
    uint8_t inner[64], frame[FRAME_MAX];
    for (unsigned is_ipv4 = 0; is_ipv4 < 2; is_ipv4++) {
        struct bypeer_link link = make_link(is_ipv4 != 0), theirs = turn(link), other = make_link(is_ipv4 == 0);
        size_t length = make_frame(frame, &theirs, inner, make_inner(inner, 20, 0), 0, 0);
        struct taken taken = take(frame, length);
        cr_assert_eq(taken.step, TAKEN);
        cr_assert(bypeer_fabric_is_from(&link, frame, &taken.outer));
        uint64_t own_sum = bypeer_fabric_constant_sum(frame, &taken.outer);
        cr_assert_eq(bypeer_checksum_fold(own_sum), bypeer_checksum_fold(bypeer_fabric_template_sum(&link)));

        cr_assert_not(bypeer_fabric_is_from(&other, frame, &taken.outer));
        cr_assert_not(bypeer_fabric_is_from(&(struct bypeer_link){.id = 0}, frame, &taken.outer));
        struct bypeer_fabric_outer outer = taken.outer;
        outer.udp_port++;
        cr_assert_not(bypeer_fabric_is_from(&link, frame, &outer));
        /* Each bit of both addresses and of the GPE header. */
        size_t gpe = taken.outer.udp_at + 8u, addresses = is_ipv4 ? 26 : 22;
        for (size_t bit = addresses * 8; bit < (gpe + 8) * 8; bit++) {
            if (bit / 8 >= taken.outer.udp_at && bit / 8 < gpe)
                continue;
            frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_assert_not(bypeer_fabric_is_from(&link, frame, &taken.outer), "bit %zu", bit);
            frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

Test(receive, carries_congestion_inwards)
{
    uint8_t inner[64], frame[FRAME_MAX];
    struct bypeer_link theirs = turn(make_link(false));
    for (uint8_t in = 0; in < 4; in++)
        for (uint8_t out = 0; out < 4; out++) {
            size_t bytes = make_inner(inner, 20, (uint8_t)(0xb8 | in));
            size_t length = make_frame(frame, &theirs, inner, bytes, out, 0);
            struct taken taken = take(frame, length);
            int expected = bypeer_ecn_decapsulate(out, in);
            if (expected < 0) {
                cr_assert_eq(taken.refusal, BYPEER_FABRIC_ECN);
                continue;
            }
            const uint8_t *packet = frame + taken.inner.at;
            cr_assert_eq(taken.refusal, BYPEER_FABRIC_TAKEN);
            cr_assert_eq(bypeer_ipv6_traffic_class(packet), 0xb8 | expected, "%u in %u", in, out);
            cr_assert_eq(be16toh(taken.inner.sum) % 0xffff, reference_sum(0, packet, bytes) % 0xffff);
            inner[0] = packet[0];
            inner[1] = packet[1];
            cr_assert_arr_eq(packet, inner, bytes, "nothing else changed");
        }
}
