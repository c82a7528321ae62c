/* DNS messages, against bytes that scapy's own DNS layer made. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "overlay/dns/message.h"

#define ID       "\x12\x34"
#define QUESTION "\7Printer\4pnrp\3net\0\0\x1c\0\1"
#define OPT_4096 "\0\0\x29\x10\0\0\0\x80\0\0\0"
#define OPT_OURS "\0\0\x29\x04\xd0\0\0\0\0\0\0"
#define PLAIN    ID "\1\0\0\1\0\0\0\0\0\0" QUESTION
#define WITH_OPT ID "\1\0\0\1\0\0\0\0\0\1" QUESTION OPT_4096

static const uint8_t addresses[10][16] = {{0x20, 1, 0xd, 0xb8, [15] = 1}, {0x20, 1, 0xd, 0xb8, [15] = 2}};

/* A literal's bytes, in memory that ends where they end. */
#define READ(query, literal) read_bytes(query, literal, sizeof(literal) - 1)

static uint8_t *message;

static int read_bytes(struct bypeer_dns_query *query, const char *bytes, size_t length)
{
    free(message);
    message = malloc(length ? length : 1);
    memcpy(message, bytes, length);
    return bypeer_dns_read(query, message, length);
}

#define EXPECT_WRITTEN(query, answer, literal) \
    expect_written(query, answer, BYPEER_DNS_UDP_LEAST, literal, sizeof(literal) - 1)

static void expect_written(const struct bypeer_dns_query *query, struct bypeer_dns_answer answer, size_t room,
                           const char *bytes, size_t length)
{
    uint8_t written[BYPEER_DNS_UDP_BYTES];
    cr_assert_eq(bypeer_dns_write(written, room, query, &answer), length);
    cr_expect_arr_eq(written, bytes, length);
}

Test(dns_message, a_query_is_read)
{
    struct bypeer_dns_query query;
    cr_assert_eq(READ(&query, PLAIN), 0);
    cr_expect_eq(query.rcode, BYPEER_DNS_NOERROR);
    cr_expect_str_eq(query.name, "printer.pnrp.net");
    cr_expect_eq(query.type, BYPEER_DNS_AAAA);
    cr_expect_eq(query.class, BYPEER_DNS_CLASS_IN);
    cr_expect_eq(query.answer_bytes, 512);
    cr_expect_not(query.edns);
    cr_assert_eq(READ(&query, WITH_OPT), 0);
    cr_expect_eq(query.rcode, BYPEER_DNS_NOERROR);
    cr_expect(query.edns);
    cr_expect_eq(query.answer_bytes, BYPEER_DNS_UDP_BYTES);
}

Test(dns_message, addresses_are_answered_with_the_question_as_it_came)
{
    struct bypeer_dns_query query;
    struct bypeer_dns_answer answer = {.addresses = addresses, .address_count = 2, .ttl_s = 30};
    cr_assert_eq(READ(&query, WITH_OPT), 0);
    EXPECT_WRITTEN(&query, answer,
                   ID "\x85\0\0\1\0\2\0\0\0\1" QUESTION
                      "\xc0\x0c\0\x1c\0\1\0\0\0\x1e\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                      "\xc0\x0c\0\x1c\0\1\0\0\0\x1e\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2" OPT_OURS);
}

#define SOA "\xc0\x14\0\6\0\1\0\0\0\5\0\x17\xc0\x14\0\0\0\0\1\0\0\x1c\x20\0\0\x0e\x10\0\x12\x75\0\0\0\0\5"

Test(dns_message, a_no_carries_the_zones_soa)
{
    struct bypeer_dns_query query;
    struct bypeer_dns_answer answer = {.rcode = BYPEER_DNS_NXDOMAIN, .zone_bytes = 10, .negative_s = 5};
    cr_assert_eq(READ(&query, PLAIN), 0);
    EXPECT_WRITTEN(&query, answer, ID "\x85\3\0\1\0\0\0\1\0\0" QUESTION SOA);
    answer.rcode = BYPEER_DNS_NOERROR;
    EXPECT_WRITTEN(&query, answer, ID "\x85\0\0\1\0\0\0\1\0\0" QUESTION SOA);
    answer.soa_asked = true;
    EXPECT_WRITTEN(&query, answer, ID "\x85\0\0\1\0\1\0\0\0\0" QUESTION SOA);
}

Test(dns_message, what_does_not_fit_is_truncated)
{
    struct bypeer_dns_query query;
    struct bypeer_dns_answer answer = {.addresses = addresses, .address_count = 10, .ttl_s = 30};
    const size_t all = sizeof(PLAIN) - 1 + 10 * 28;
    uint8_t written[BYPEER_DNS_UDP_BYTES];
    cr_assert_eq(READ(&query, PLAIN), 0);
    cr_expect_eq(bypeer_dns_write(written, all, &query, &answer), all);
    expect_written(&query, answer, all - 1, ID "\x83\0\0\1\0\0\0\0\0\0" QUESTION, sizeof(PLAIN) - 1);
    cr_expect_eq(bypeer_dns_write(written, sizeof(PLAIN) - 2, &query, &answer), 0);
    answer.truncated = true;
    EXPECT_WRITTEN(&query, answer, ID "\x83\0\0\1\0\0\0\0\0\0" QUESTION);
}

Test(dns_message, a_later_edns_is_told_our_version)
{
    struct bypeer_dns_query query;
    cr_assert_eq(READ(&query, ID "\1\0\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x10\0\0\1\0\0\0\0"), 0);
    cr_expect_eq(query.rcode, BYPEER_DNS_BADVERS);
    EXPECT_WRITTEN(&query, (struct bypeer_dns_answer){.rcode = query.rcode},
                   ID "\x81\0\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x04\xd0\1\0\0\0\0\0");
}

Test(dns_message, what_is_no_query_gets_no_answer)
{
    struct bypeer_dns_query query;
    cr_expect_eq(READ(&query, ""), -EBADMSG);
    cr_expect_eq(read_bytes(&query, PLAIN, 11), -EBADMSG);
    cr_expect_eq(READ(&query, ID "\x81\0\0\1\0\0\0\0\0\0" QUESTION), -EBADMSG, "an answer: or two would talk for ever");
}

Test(dns_message, a_malformed_query_is_told_so)
{
    struct bypeer_dns_query query;
    for (size_t length = 12; length < sizeof(WITH_OPT) - 1; length++) {
        cr_assert_eq(read_bytes(&query, WITH_OPT, length), 0);
        cr_expect_eq(query.rcode, BYPEER_DNS_FORMERR, "%zu bytes", length);
    }
#define EXPECT_FORMERR(literal)                        \
    do {                                               \
        cr_assert_eq(READ(&query, literal), 0);        \
        cr_expect_eq(query.rcode, BYPEER_DNS_FORMERR); \
    } while (0)
    EXPECT_FORMERR(PLAIN "x");
    EXPECT_FORMERR(ID "\1\0\0\0\0\0\0\0\0\0");
    EXPECT_FORMERR(ID "\1\0\0\2\0\0\0\0\0\0" QUESTION QUESTION);
    EXPECT_FORMERR(ID "\1\0\0\1\0\1\0\0\0\0" QUESTION);
    EXPECT_FORMERR(ID "\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\x1c\0\1");
    EXPECT_FORMERR(ID "\1\0\0\1\0\0\0\0\0\0\x40xxxx\0\0\x1c\0\1");
    EXPECT_FORMERR(ID "\1\0\0\1\0\0\0\0\0\2" QUESTION OPT_4096 OPT_4096);
    EXPECT_FORMERR(ID "\1\0\0\1\0\0\0\0\0\1" QUESTION "\1x\0\0\x29\x10\0\0\0\0\0\0\0");
    EXPECT_WRITTEN(&query, (struct bypeer_dns_answer){.rcode = query.rcode}, ID "\x81\1\0\1\0\0\0\0\0\0" QUESTION);
    cr_assert_eq(READ(&query, ID "\1\0\0\1\0\0\0\0\0\0\xc0\x0c"), 0);
    EXPECT_WRITTEN(&query, (struct bypeer_dns_answer){.rcode = query.rcode}, ID "\x81\1\0\0\0\0\0\0\0\0");
}

Test(dns_message, other_operations_are_not_implemented)
{
    struct bypeer_dns_query query;
    cr_assert_eq(READ(&query, ID "\x28\0\0\1\0\0\0\0\0\0" QUESTION), 0);
    cr_expect_eq(query.rcode, BYPEER_DNS_NOTIMP);
    EXPECT_WRITTEN(&query, (struct bypeer_dns_answer){.rcode = query.rcode}, ID "\xa8\4\0\0\0\0\0\0\0\0");
}

Test(dns_message, the_longest_name_is_255_bytes)
{
#define LABEL_63 \
    "\x3f"       \
    "123456789012345678901234567890123456789012345678901234567890123"
#define HEADER ID "\1\0\0\1\0\0\0\0\0\0"
    struct bypeer_dns_query query;
    cr_assert_eq(READ(&query,
                      HEADER LABEL_63 LABEL_63 LABEL_63 "\x3d"
                                                        "1234567890123456789012345678901234567890123456789012345678901"
                                                        "\0\0\x1c\0\1"),
                 0);
    cr_expect_eq(query.rcode, BYPEER_DNS_NOERROR);
    cr_expect_eq(strlen(query.name), 253);
    cr_assert_eq(READ(&query,
                      HEADER LABEL_63 LABEL_63 LABEL_63 "\x3e"
                                                        "12345678901234567890123456789012345678901234567890123456789012"
                                                        "\0\0\x1c\0\1"),
                 0);
    cr_expect_eq(query.rcode, BYPEER_DNS_FORMERR);
    cr_assert_eq(READ(&query, HEADER "\0\0\6\0\1"), 0);
    cr_expect_str_empty(query.name);
}

Test(dns_message, no_byte_of_a_label_is_taken_for_a_dot)
{
    struct bypeer_dns_query query;
    cr_assert_eq(READ(&query, HEADER "\6x.pnrp\3net\0\0\x1c\0\1"), 0);
    cr_expect_str_eq(query.name, "x?pnrp.net");
    cr_assert_eq(READ(&query, HEADER "\3a\0b\4pnrp\3net\0\0\x1c\0\1"), 0);
    cr_expect_str_eq(query.name, "a?b.pnrp.net");
}

Test(dns_message, records_beside_the_opt_do_not_matter)
{
    struct bypeer_dns_query query;
    cr_assert_eq(READ(&query, ID "\1\0\0\1\0\0\0\0\0\2" QUESTION "\xc0\x0c\0\xfa\0\xff\0\0\0\0\0\3abc" OPT_4096), 0);
    cr_expect_eq(query.rcode, BYPEER_DNS_NOERROR);
    cr_expect(query.edns);
}
