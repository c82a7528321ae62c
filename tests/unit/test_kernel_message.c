/* The kernel's messages, put together as rtnetlink(7) draws them, and what damage does to them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "control/kernel/message.h"

/* A message that grows: header, then the header of its family, then attributes. */
struct draft {
    uint8_t bytes[512];
    size_t length;
};

static void draft_put(struct draft *draft, const void *bytes, size_t length)
{
    memcpy(draft->bytes + draft->length, bytes, length);
    draft->length = (draft->length + length + 3) / 4 * 4;
    uint32_t total = (uint32_t)draft->length;
    memcpy(draft->bytes, &total, sizeof(total));
}

static struct draft draft_begin(uint16_t type, const void *family_header, size_t length)
{
    struct draft draft = {.length = 0};
    struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_seq = 7};
    draft_put(&draft, &header, sizeof(header));
    draft_put(&draft, family_header, length);
    return draft;
}

static void draft_attribute(struct draft *draft, uint16_t type, const void *value, size_t length)
{
    struct rtattr header = {.rta_len = (uint16_t)(sizeof(header) + length), .rta_type = type};
    draft_put(draft, &header, sizeof(header));
    draft_put(draft, value, length);
}

static struct bypeer_kernel_message read_good(const struct draft *draft)
{
    struct bypeer_kernel_message message;
    long took = bypeer_kernel_message_read(&message, draft->bytes, draft->length);
    cr_assert_eq(took, (long)draft->length);
    cr_assert_eq(message.sequence, 7);
    return message;
}

static int read_bad(const struct draft *draft)
{
    struct bypeer_kernel_message message = {.kind = BYPEER_KERNEL_DONE, .sequence = 99};
    long took = bypeer_kernel_message_read(&message, draft->bytes, draft->length);
    cr_assert_eq(message.sequence, 99, "a refused message must leave the result alone");
    return (int)took;
}

static const uint8_t peer6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 2};
static const uint8_t gateway6[16] = {0xfe, 0x80, [15] = 1};
static const uint8_t peer4[4] = {192, 0, 2, 2};
static const uint8_t peer4_mapped[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 2};
static const uint8_t mac[6] = {2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};

static struct draft neighbour_draft(void)
{
    struct ndmsg header = {
        .ndm_family = AF_INET6, .ndm_ifindex = 5, .ndm_state = NUD_REACHABLE, .ndm_type = RTN_UNICAST};
    uint32_t managed = NTF_EXT_MANAGED;
    struct draft draft = draft_begin(RTM_NEWNEIGH, &header, sizeof(header));
    draft_attribute(&draft, NDA_DST, peer6, sizeof(peer6));
    draft_attribute(&draft, NDA_LLADDR, mac, sizeof(mac));
    draft_attribute(&draft, NDA_FLAGS_EXT, &managed, sizeof(managed));
    return draft;
}

static struct draft route_draft(uint8_t family, uint8_t bits)
{
    struct rtmsg header = {
        .rtm_family = family, .rtm_dst_len = bits, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};
    return draft_begin(RTM_NEWROUTE, &header, sizeof(header));
}

Test(kernel_message, neighbour_is_read_whole)
{
    struct draft draft = neighbour_draft();
    struct bypeer_kernel_message message = read_good(&draft);
    cr_assert_eq(message.kind, BYPEER_KERNEL_NEIGHBOUR);
    cr_assert_not(message.gone);
    cr_assert_eq(message.neighbour.index, 5);
    cr_assert_eq(message.neighbour.state, NUD_REACHABLE);
    cr_assert(message.neighbour.managed);
    cr_assert_arr_eq(message.neighbour.address, peer6, 16);
    cr_assert(message.neighbour.has_mac);
    cr_assert_arr_eq(message.neighbour.mac, mac, 6);
}

Test(kernel_message, ipv4_neighbour_is_mapped)
{
    struct ndmsg header = {.ndm_family = AF_INET, .ndm_ifindex = 5, .ndm_state = NUD_FAILED};
    struct draft draft = draft_begin(RTM_DELNEIGH, &header, sizeof(header));
    draft_attribute(&draft, NDA_DST, peer4, sizeof(peer4));
    struct bypeer_kernel_message message = read_good(&draft);
    cr_assert(message.gone);
    cr_assert_not(message.neighbour.has_mac);
    cr_assert_arr_eq(message.neighbour.address, peer4_mapped, 16);
}

Test(kernel_message, proxies_and_other_families_are_passed_over)
{
    struct ndmsg proxy = {.ndm_family = AF_INET6, .ndm_ifindex = 5, .ndm_flags = NTF_PROXY};
    struct draft draft = draft_begin(RTM_NEWNEIGH, &proxy, sizeof(proxy));
    draft_attribute(&draft, NDA_DST, peer6, sizeof(peer6));
    cr_assert_eq(read_good(&draft).kind, BYPEER_KERNEL_OTHER);
    struct ndmsg bridge = {.ndm_family = AF_BRIDGE, .ndm_ifindex = 5};
    draft = draft_begin(RTM_NEWNEIGH, &bridge, sizeof(bridge));
    draft_attribute(&draft, NDA_LLADDR, mac, sizeof(mac));
    cr_assert_eq(read_good(&draft).kind, BYPEER_KERNEL_OTHER);
}

Test(kernel_message, route_by_gateway)
{
    uint32_t index = 9;
    struct draft draft = route_draft(AF_INET6, 128);
    draft_attribute(&draft, RTA_DST, peer6, sizeof(peer6));
    draft_attribute(&draft, RTA_OIF, &index, sizeof(index));
    draft_attribute(&draft, RTA_GATEWAY, gateway6, sizeof(gateway6));
    draft_attribute(&draft, RTA_PREFSRC, peer6, sizeof(peer6));
    struct bypeer_kernel_message message = read_good(&draft);
    cr_assert_eq(message.kind, BYPEER_KERNEL_ROUTE);
    cr_assert_eq(message.route.type, RTN_UNICAST);
    cr_assert_eq(message.route.index, 9);
    cr_assert_eq(message.route.bits, 128);
    cr_assert(message.route.has_gateway);
    cr_assert_arr_eq(message.route.gateway, gateway6, 16);
    cr_assert(message.route.has_source);
    cr_assert_eq(message.route.mtu, 0);
}

Test(kernel_message, route_of_ipv4_by_ipv6_gateway_with_path_mtu)
{
    struct {
        uint16_t family;
        uint8_t address[16];
    } via = {.family = AF_INET6};
    memcpy(via.address, gateway6, 16);
    struct {
        struct rtattr header;
        uint32_t value;
    } mtu = {{sizeof(mtu), RTAX_MTU}, 1400};
    struct draft draft = route_draft(AF_INET, 24);
    draft_attribute(&draft, RTA_DST, (const uint8_t[4]){192, 0, 2, 0}, 4);
    draft_attribute(&draft, RTA_VIA, &via, sizeof(via));
    draft_attribute(&draft, RTA_METRICS, &mtu, sizeof(mtu));
    struct bypeer_kernel_message message = read_good(&draft);
    cr_assert_eq(message.route.bits, 96 + 24);
    cr_assert_arr_eq(message.route.gateway, gateway6, 16);
    cr_assert_eq(message.route.mtu, 1400);
}

Test(kernel_message, default_route_of_ipv4_is_not_that_of_ipv6)
{
    struct draft draft = route_draft(AF_INET, 0);
    struct bypeer_kernel_message message = read_good(&draft);
    cr_assert_eq(message.route.bits, 96);
    cr_assert_eq(message.route.prefix[10], 0xff);
}

Test(kernel_message, first_of_several_next_hops_counts)
{
    struct {
        struct rtnexthop hop;
        struct rtattr header;
        uint8_t gateway[16];
    } hops[2] = {{{sizeof(hops[0]), 0, 0, 3}, {20, RTA_GATEWAY}, {0xfe, 0x80, [15] = 3}},
                 {{sizeof(hops[0]), 0, 0, 4}, {20, RTA_GATEWAY}, {0xfe, 0x80, [15] = 4}}};
    struct draft draft = route_draft(AF_INET6, 64);
    draft_attribute(&draft, RTA_MULTIPATH, hops, sizeof(hops));
    struct bypeer_kernel_message message = read_good(&draft);
    cr_assert_eq(message.route.index, 3);
    cr_assert_eq(message.route.gateway[15], 3);
    hops[0].hop.rtnh_len = 200;
    draft = route_draft(AF_INET6, 64);
    draft_attribute(&draft, RTA_MULTIPATH, hops, sizeof(hops));
    cr_assert_eq(read_bad(&draft), -EBADMSG);
}

Test(kernel_message, own_address_is_the_local_one)
{
    struct ifaddrmsg header = {.ifa_family = AF_INET6, .ifa_prefixlen = 64, .ifa_index = 3};
    struct draft draft = draft_begin(RTM_NEWADDR, &header, sizeof(header));
    draft_attribute(&draft, IFA_LOCAL, peer6, sizeof(peer6));
    draft_attribute(&draft, IFA_ADDRESS, gateway6, sizeof(gateway6)); /* the far end of a point-to-point link */
    struct bypeer_kernel_message message = read_good(&draft);
    cr_assert_eq(message.kind, BYPEER_KERNEL_ADDRESS);
    cr_assert_eq(message.address.bits, 64);
    cr_assert_arr_eq(message.address.address, peer6, 16);
}

Test(kernel_message, interface)
{
    struct ifinfomsg header = {.ifi_index = 3, .ifi_flags = IFF_UP | (1 << 16)};
    uint32_t mtu = 1500;
    struct draft draft = draft_begin(RTM_NEWLINK, &header, sizeof(header));
    draft_attribute(&draft, IFLA_IFNAME, "bp-uplink", 10);
    draft_attribute(&draft, IFLA_ADDRESS, mac, sizeof(mac));
    draft_attribute(&draft, IFLA_MTU, &mtu, sizeof(mtu));
    struct bypeer_kernel_message message = read_good(&draft);
    cr_assert_eq(message.kind, BYPEER_KERNEL_LINK);
    cr_assert_str_eq(message.link.name, "bp-uplink");
    cr_assert(message.link.up && message.link.carrier);
    cr_assert_eq(message.link.mtu, 1500);
    cr_assert_arr_eq(message.link.mac, mac, 6);

    draft = draft_begin(RTM_NEWLINK, &header, sizeof(header));
    draft_attribute(&draft, IFLA_IFNAME, "no end in sight!", 16);
    cr_assert_eq(read_bad(&draft), -EBADMSG);
}

Test(kernel_message, answers)
{
    int32_t error = -ENODEV;
    struct draft draft = draft_begin(NLMSG_ERROR, &error, sizeof(error));
    cr_assert_eq(read_good(&draft).error, -ENODEV);
    error = 5; /* no errno */
    draft = draft_begin(NLMSG_ERROR, &error, sizeof(error));
    cr_assert_eq(read_bad(&draft), -EBADMSG);
    draft = draft_begin(NLMSG_DONE, &error, 0);
    cr_assert_eq(read_good(&draft).kind, BYPEER_KERNEL_DONE);
}

Test(kernel_message, lengths_of_another_family_are_refused)
{
    struct ndmsg header = {.ndm_family = AF_INET6, .ndm_ifindex = 5};
    struct draft draft = draft_begin(RTM_NEWNEIGH, &header, sizeof(header));
    draft_attribute(&draft, NDA_DST, peer4, sizeof(peer4));
    cr_assert_eq(read_bad(&draft), -EBADMSG);
    draft = route_draft(AF_INET, 33);
    cr_assert_eq(read_bad(&draft), -EBADMSG);
}

/* In memory of exactly that size, so that a sanitizer or valgrind sees one byte too many. */
static long read_exactly(const uint8_t *bytes, size_t length)
{
    struct bypeer_kernel_message message;
    uint8_t *copy = malloc(length > 0 ? length : 1);
    memcpy(copy, bytes, length);
    long took = bypeer_kernel_message_read(&message, copy, length);
    free(copy);
    return took;
}

Test(kernel_message, every_truncation_is_refused)
{
    struct draft draft = neighbour_draft();
    for (size_t length = 0; length < draft.length; length++)
        cr_assert_eq(read_exactly(draft.bytes, length), -EBADMSG, "cut to %zu bytes", length);
}

Test(kernel_message, damage_never_leaves_the_buffer)
{
    struct draft good = neighbour_draft();
    srand(1);
    for (int i = 0; i < 200000; i++) {
        struct draft draft = good;
        for (int changes = 1 + rand() % 4; changes > 0; changes--)
            draft.bytes[(size_t)rand() % draft.length] = (uint8_t)rand();
        long took = read_exactly(draft.bytes, draft.length);
        cr_assert(took == -EBADMSG || (took >= 16 && took <= (long)draft.length));
    }
}

/* What we send, the kernel's tests judge (tests/e2e); here only that it reads back and that its length is right. */
Test(kernel_message, requests_are_whole_messages)
{
    uint8_t buffer[BYPEER_KERNEL_REQUEST_MAX];
    struct bypeer_kernel_message message;
    size_t bytes = bypeer_kernel_write_neighbour(buffer, 3, true, 5, peer4_mapped);
    cr_assert_eq(bypeer_kernel_message_read(&message, buffer, bytes), (long)bytes);
    cr_assert_eq(message.kind, BYPEER_KERNEL_NEIGHBOUR);
    cr_assert(message.neighbour.managed);
    cr_assert_arr_eq(message.neighbour.address, peer4_mapped, 16);

    struct bypeer_kernel_address address = {.index = 4, .bits = 64};
    memcpy(address.address, peer6, 16);
    bytes = bypeer_kernel_write_address(buffer, 3, false, &address);
    cr_assert_eq(bypeer_kernel_message_read(&message, buffer, bytes), (long)bytes);
    cr_assert_eq(message.kind, BYPEER_KERNEL_ADDRESS);
    cr_assert(message.gone);
    cr_assert_eq(message.address.bits, 64);

    bytes = bypeer_kernel_write_route(buffer, 3, true, 8, peer6, 48, NULL);
    cr_assert_eq(bypeer_kernel_message_read(&message, buffer, bytes), (long)bytes);
    cr_assert_eq(message.route.index, 8);
    cr_assert_eq(message.route.bits, 48);
}
