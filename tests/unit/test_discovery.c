/* Which addresses a cloud takes from the kernel's list, and how nodes of one link find each other by SSDP. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "control/names/addresses.h"
#include "control/names/ssdp.h"

static struct bypeer_config_port port = {.name = "uplink", .tap = "bp-uplink"};
static const struct bypeer_config config = {.port_count = 1, .ports = &port, .overlay = {.tap = "bypeer0"}};
static const struct bypeer_config_cloud global = {.scope = BYPEER_CLOUD_GLOBAL};
static const struct bypeer_config_cloud on_eth0 = {.scope = BYPEER_CLOUD_LINK, .interface = "eth0"};

/* The chosen ones, as text with a space after each. */
static const char *choose(const struct bypeer_config_cloud *cloud, const char *list)
{
    static char text[512];
    uint8_t addresses[BYPEER_CONFIG_CLOUD_ADDRESSES][16];
    unsigned count = bypeer_addresses_choose(list, strlen(list), &config, cloud, addresses);
    text[0] = '\0';
    for (unsigned at = 0; at < count; at++) {
        char address[INET6_ADDRSTRLEN];
        inet_ntop(AF_INET6, addresses[at], address, sizeof(address));
        strcat(strcat(text, address), " ");
    }
    return text;
}

#define LOOPBACK   "00000000000000000000000000000001 01 80 10 80       lo\n"
#define GLOBAL     "20010db8000000000000000000000001 02 40 00 80     eth0\n"
#define LINK_LOCAL "fe80000000000000021122fffe334455 02 40 20 80     eth0\n"
#define OTHER_LINK "fe80000000000000021122fffe334466 03 40 20 80     eth1\n"
#define UNIQUE     "fd000000000000000000000000000001 02 40 00 80     eth0\n"
#define OF_PORT    "20010db8000000000000000000000002 03 40 00 80  bp-uplink\n"
#define OVERLAY    "fd123456789a00000000000000000001 04 80 00 80  bypeer0\n"
#define TENTATIVE  "20010db8000000000000000000000003 02 40 00 40     eth0\n"
#define TEMPORARY  "20010db8000000000000000000000004 02 40 00 01     eth0\n"
#define DEPRECATED "20010db8000000000000000000000005 02 40 00 20     eth0\n"
#define ANOTHER(n) "20010db800000000000000000000001" n " 02 40 00 80     eth0\n"

Test(addresses, those_of_ports_come_first)
{
    cr_assert_str_eq(choose(&global, LOOPBACK GLOBAL LINK_LOCAL OF_PORT OVERLAY), "2001:db8::2 2001:db8::1 ");
}

Test(addresses, what_will_not_stay_is_not_taken)
{
    cr_assert_str_eq(choose(&global, TENTATIVE TEMPORARY DEPRECATED), "");
    cr_assert_str_eq(choose(&global, TENTATIVE GLOBAL), "2001:db8::1 ");
}

Test(addresses, unique_local_ones_only_where_there_is_no_other)
{
    cr_assert_str_eq(choose(&global, UNIQUE GLOBAL), "2001:db8::1 ");
    cr_assert_str_eq(choose(&global, UNIQUE OVERLAY LINK_LOCAL), "fd00::1 ");
}

Test(addresses, a_link_has_its_own)
{
    cr_assert_str_eq(choose(&on_eth0, OTHER_LINK GLOBAL LINK_LOCAL), "fe80::211:22ff:fe33:4455 ");
    cr_assert_str_eq(choose(&on_eth0, OTHER_LINK GLOBAL), "");
}

Test(addresses, four_are_enough)
{
    cr_assert_str_eq(choose(&global, ANOTHER("1") ANOTHER("2") ANOTHER("3") ANOTHER("4") ANOTHER("5") OF_PORT),
                     "2001:db8::2 2001:db8::11 2001:db8::12 2001:db8::13 ");
}

Test(addresses, lines_that_are_none_are_left_out)
{
    cr_assert_str_eq(choose(&global, "\nnothing\n2001 02\n" GLOBAL "20010db8"), "2001:db8::1 ");
}

/* --- SSDP --- */

static char target[BYPEER_SSDP_TARGET_MAX];

static void set_up(void)
{
    bypeer_ssdp_target(bypeer_profile(BYPEER_PROFILE_WINDOWS), BYPEER_SCOPE_LINK, target);
}

TestSuite(ssdp, .init = set_up);

Test(ssdp, the_target_is_as_specified)
{
    cr_assert_str_eq(target, "urn:Microsoft Windows Peer Name Resolution Protocol: V4:IPV6:LinkLocal");
    bypeer_ssdp_target(bypeer_profile(BYPEER_PROFILE_MODERN), BYPEER_SCOPE_GLOBAL, target);
    cr_assert_str_eq(target, "urn:Microsoft Windows Peer Name Resolution Protocol: V5:IPV6:Global");
}

Test(ssdp, a_search_is_for_one_cloud)
{
    char text[BYPEER_SSDP_MESSAGE_MAX], other[BYPEER_SSDP_TARGET_MAX];
    size_t length = bypeer_ssdp_write_search(target, BYPEER_SCOPE_LINK, text);
    cr_assert(bypeer_ssdp_is_search(text, length, target));
    bypeer_ssdp_target(bypeer_profile(BYPEER_PROFILE_MODERN), BYPEER_SCOPE_LINK, other);
    cr_assert(!bypeer_ssdp_is_search(text, length, other));
    for (size_t cut = 0; cut < length; cut++)
        cr_assert(!bypeer_ssdp_is_search(text, cut, target), "%zu bytes of it", cut);
    struct bypeer_pnrp_endpoint node;
    cr_assert(!bypeer_ssdp_is_answer(text, length, target, &node));
}

Test(ssdp, an_answer_says_where_its_node_is)
{
    char text[BYPEER_SSDP_MESSAGE_MAX];
    struct bypeer_pnrp_endpoint node = {.address = {0xfe, 0x80, [15] = 7}, .port = 3540}, read = {0};
    size_t length = bypeer_ssdp_write_answer(target, &node, text);
    cr_assert(bypeer_ssdp_is_answer(text, length, target, &read));
    cr_assert_arr_eq(read.address, node.address, 16);
    cr_assert_eq(read.port, node.port);
    cr_assert(!bypeer_ssdp_is_search(text, length, target));
}

/* Whether an answer with these headers is taken. */
static bool is_taken(const char *headers)
{
    char text[BYPEER_SSDP_MESSAGE_MAX + 1];
    struct bypeer_pnrp_endpoint node;
    int length = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nST: %s\r\n%s\r\n", target, headers);
    return bypeer_ssdp_is_answer(text, (size_t)length, target, &node);
}

Test(ssdp, what_is_not_as_specified_is_none)
{
    cr_assert(is_taken("AL: [fe80::1]:3540\r\n"));
    cr_assert(is_taken("al:[fe80::1]:3540  \r\nSERVER: x\r\n"));
    cr_assert(!is_taken(""));
    cr_assert(!is_taken("AL: [fe80::1]:3540\r\nAL: [fe80::2]:3540\r\n"), "two places");
    cr_assert(!is_taken("AL: [fe80::1]:1024\r\n"));
    cr_assert(!is_taken("AL: [fe80::1]:65536\r\n"));
    cr_assert(!is_taken("AL: [fe80::1]:\r\n"));
    cr_assert(!is_taken("AL: [fe80::1]3540\r\n"));
    cr_assert(!is_taken("AL: fe80::1:3540\r\n"));
    cr_assert(!is_taken("AL: [ff02::c]:3540\r\n"));
    cr_assert(!is_taken("AL: [192.0.2.1]:3540\r\n"));
    cr_assert(!is_taken("AL: http://[fe80::1]:3540\r\n"));
    cr_assert(!is_taken("no colon\r\nAL: [fe80::1]:3540\r\n"));
    cr_assert(!is_taken("X: \x01\r\nAL: [fe80::1]:3540\r\n"));
    cr_assert(!is_taken("AL: [fe80::1]:3540\r\n\r\nmore\r\n"));
}
