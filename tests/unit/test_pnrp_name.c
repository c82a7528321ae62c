/* Peer names, their hashes and host names, and the ring of IDs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/pnrp/id.h"
#include "overlay/pnrp/name.h"
#include "tests/random.h"
#include "tests/unit/fixtures/pnrp_vectors.h"
#include "tests/unit/pnrp_bytes.h"

#define AUTHORITY "4562b4628ac54782dda52789038476237e7c7263"

static char why[160];

static struct bypeer_peer_name name_of(const char *text)
{
    struct bypeer_peer_name name;
    cr_assert_eq(bypeer_name_read(&name, text, why), 0, "%s: %s", text, why);
    return name;
}

static void expect_text(const char *text, const char *written)
{
    struct bypeer_peer_name name = name_of(text);
    char again[BYPEER_NAME_TEXT_MAX];
    size_t length = bypeer_name_write(&name, again);
    cr_assert_str_eq(again, written);
    cr_assert_eq(length, strlen(written));
}

static void expect_refused(const char *text)
{
    struct bypeer_peer_name name, before;
    memset(&before, 0x5a, sizeof(before));
    name = before;
    why[0] = '\0';
    cr_assert_eq(bypeer_name_read(&name, text, why), -EINVAL, "%s", text);
    cr_assert_neq(why[0], '\0', "%s", text);
    cr_assert_arr_eq(&name, &before, sizeof(name), "%s", text);
}

Test(pnrp_name, is_written_as_it_was_read)
{
    expect_text("0.printer", "0.printer");
    expect_text("0.JohnDoe.Games", "0.JohnDoe.Games");
    expect_text("0..", "0..");
    expect_text("0.grün \xf0\x9d\x84\x9e", "0.grün \xf0\x9d\x84\x9e");
    expect_text(AUTHORITY ".printer", AUTHORITY ".printer");
    expect_text(AUTHORITY ".", AUTHORITY ".");
    expect_text(AUTHORITY, AUTHORITY ".");
    expect_text("4562B4628AC54782DDA52789038476237E7C7263.Printer", AUTHORITY ".Printer");
}

Test(pnrp_name, refuses_what_is_none)
{
    expect_refused("");
    expect_refused("0");
    expect_refused("0.");
    expect_refused(".printer");
    expect_refused("1.printer");
    expect_refused("printer");
    expect_refused("00.printer");
    expect_refused("4562b4628ac54782dda52789038476237e7c726.printer");
    expect_refused("4562b4628ac54782dda52789038476237e7c72633.printer");
    expect_refused("4562b4628ac54782dda52789038476237e7c726g.printer");
}

Test(pnrp_name, refuses_what_is_no_utf8)
{
    expect_refused("0.\xff");
    expect_refused("0.\x80");
    expect_refused("0.\xc0\xaf");         /* longer than need be */
    expect_refused("0.\xe0\x80\xaf");     /* likewise */
    expect_refused("0.\xed\xa0\x80");     /* half a surrogate pair */
    expect_refused("0.\xf4\x90\x80\x80"); /* above U+10FFFF */
    expect_refused("0.\xe2\x82");         /* ends early */
    expect_refused("0.\xf0\x9d\x84");
}

/* A name whose classifier is this part so many times, and one more letter if so said. */
static const char *repeated(const char *start, const char *part, unsigned times, bool has_letter)
{
    static char text[4 * BYPEER_NAME_TEXT_MAX];
    size_t length = (size_t)snprintf(text, sizeof(text), "%s", start);
    for (unsigned time = 0; time < times; time++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s", part);
    snprintf(text + length, sizeof(text) - length, "%s", has_letter ? "x" : "");
    return text;
}

Test(pnrp_name, classifier_ends_at_149_units)
{
    cr_assert_eq(name_of(repeated("0.", "x", 149, false)).classifier_length, 149);
    expect_refused(repeated("0.", "x", 149, true));
    /* A character beyond U+FFFF is two units. */
    cr_assert_eq(name_of(repeated("0.", "\xf0\x9d\x84\x9e", 74, false)).classifier_length, 148);
    cr_assert_eq(name_of(repeated("0.", "\xf0\x9d\x84\x9e", 74, true)).classifier_length, 149);
    expect_refused(repeated("0.", "\xf0\x9d\x84\x9e", 75, false));
}

Test(pnrp_name, longest_text_fits)
{
    const char *text = repeated(AUTHORITY ".", "\xe2\x82\xac", 149, false);
    cr_assert_eq(strlen(text) + 1, BYPEER_NAME_TEXT_MAX);
    expect_text(text, text);
}

Test(pnrp_name, equal_is_equal_in_all_parts)
{
    struct bypeer_peer_name name = name_of("0.printer"), other = name_of("0.printer");
    cr_assert(bypeer_name_is_equal(&name, &other));
    other = name_of("0.Printer");
    cr_assert_not(bypeer_name_is_equal(&name, &other), "case matters");
    other = name_of("0.printers");
    cr_assert_not(bypeer_name_is_equal(&name, &other));
    other = name_of(AUTHORITY ".printer");
    cr_assert_not(bypeer_name_is_equal(&name, &other));
    name = name_of("0000000000000000000000000000000000000000.printer");
    other = name_of("0.printer");
    cr_assert_not(bypeer_name_is_equal(&name, &other), "an authority of zeros is one, too");
}

Test(pnrp_name, classifier_on_the_wire)
{
    struct bypeer_peer_name name = name_of("0.grün \xf0\x9d\x84\x9e");
    uint8_t wire[2 * BYPEER_CLASSIFIER_MAX];
    bypeer_classifier_put(&name, wire);
    bytes_expect(wire, 2u * name.classifier_length, "0067007200fc006e0020d834dd1e", "UTF-16BE");
}

Test(pnrp_name, lone_surrogates_are_shown_as_replacement)
{
    const struct bypeer_peer_name name = {.classifier = {0xdd1e, 'x', 0xd834}, .classifier_length = 3};
    char text[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(&name, text);
    cr_assert_str_eq(text, "0.\xef\xbf\xbdx\xef\xbf\xbd");
}

Test(pnrp_name, hashes_are_those_of_the_vectors)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)at);
        unsigned names = 0;
        for (const struct pnrp_name_vector *vector = pnrp_vectors[at].names; vector->text; vector++, names++) {
            struct bypeer_peer_name name = name_of(vector->text);
            uint8_t hash[20], p2p_id[16];
            bypeer_name_classifier_hash(profile, &name, hash);
            bytes_expect(hash, sizeof(hash), vector->classifier_hash, vector->text);
            bypeer_name_p2p_id(profile, &name, p2p_id);
            bytes_expect(p2p_id, sizeof(p2p_id), vector->p2p_id, vector->text);
        }
        cr_assert_gt(names, 4);
    }
}

static void expect_host(const char *text, const char *host)
{
    struct bypeer_peer_name name = name_of(text), again;
    char written[BYPEER_HOST_NAME_MAX];
    cr_assert_eq(bypeer_host_name_write(&name, written, why), 0, "%s: %s", text, why);
    cr_assert_str_eq(written, host);
    cr_assert_eq(bypeer_host_name_read(&again, host, why), 0, "%s: %s", host, why);
    cr_assert(bypeer_name_is_equal(&name, &again), "%s", host);
}

Test(pnrp_host_name, stands_for_one_name)
{
    expect_host("0.johndoe", "johndoe.pnrp.net");
    expect_host("0.web-1", "web-1.pnrp.net");
    expect_host("0.p", "ppp.pnrp.net");
    expect_host("0.printer", "pprinter.pnrp.net");
    expect_host("0.shop", "shopp.pnrp.net");
    expect_host("0.-", "p-p.pnrp.net");
    expect_host("0.-a", "p-a.pnrp.net");
    expect_host(AUTHORITY ".", "p.p" AUTHORITY ".pnrp.net");
    expect_host(AUTHORITY ".web", "web.p" AUTHORITY ".pnrp.net");
    expect_host("ab62b4628ac54782dda52789038476237e7c7263.web",
                "web.ab62b4628ac54782dda52789038476237e7c7263.pnrp.net");
    expect_host("0.ab62b4628ac54782dda52789038476237e7c7263", "ab62b4628ac54782dda52789038476237e7c7263.pnrp.net");
    expect_host("0.123456789012345678901234567890123456789012345678901234567890123",
                "123456789012345678901234567890123456789012345678901234567890123.pnrp.net");
}

Test(pnrp_host_name, ignores_case_and_a_final_dot)
{
    struct bypeer_peer_name name, expected = name_of(AUTHORITY ".web");
    cr_assert_eq(bypeer_host_name_read(&name, "Web.P4562B4628AC54782DDA52789038476237E7C7263.PNRP.Net.", why), 0);
    cr_assert(bypeer_name_is_equal(&name, &expected));
}

Test(pnrp_host_name, other_domains_are_not_ours)
{
    static const char *const hosts[] = {"",          ".",         "pnrp.net",     ".pnrp.net",    "pnrp.net.",
                                        "a.example", "apnrp.net", "a.pnrp.net.x", "a.pnrp.net..", "net"};
    struct bypeer_peer_name name;
    for (size_t at = 0; at < sizeof(hosts) / sizeof(hosts[0]); at++)
        cr_assert_eq(bypeer_host_name_read(&name, hosts[at], why), -ENOENT, "%s", hosts[at]);
    char *longest = malloc(100000);
    memset(longest, 'a', 99999);
    memcpy(longest + 99999 - 9, ".pnrp.net", sizeof(".pnrp.net"));
    cr_assert_eq(bypeer_host_name_read(&name, longest, why), -ENOENT, "longer than any host name");
    free(longest);
}

Test(pnrp_host_name, refuses_what_stands_for_no_name)
{
    static const char *const hosts[] = {
        "p.pnrp.net",                                           /* an unsecured name without classifier */
        "pp.pnrp.net",                                          /* guards of nothing */
        "paper.pnrp.net",                                       /* 0.aper is aper.pnrp.net, 0.paper ppaper.pnrp.net */
        "stop.pnrp.net",                                        /* likewise at the end */
        "a_b.pnrp.net",                                         /* no letter of a label */
        "-a.pnrp.net",                                          /* no guard */
        "gr\xc3\xbcn.pnrp.net",                                 /* not ASCII */
        "a.b.pnrp.net",                                         /* b is no authority */
        "a." AUTHORITY ".pnrp.net",                             /* begins with a digit: no guard */
        "a.b.p" AUTHORITY ".pnrp.net",                          /* two labels before it */
        "a..p" AUTHORITY ".pnrp.net",                           /* an empty label */
        ".p" AUTHORITY ".pnrp.net",                             /* likewise */
        "a.pab62b4628ac54782dda52789038476237e7c7263.pnrp.net", /* a guard before a letter */
        "1234567890123456789012345678901234567890123456789012345678901234.pnrp.net",
    };
    for (size_t at = 0; at < sizeof(hosts) / sizeof(hosts[0]); at++) {
        struct bypeer_peer_name name;
        why[0] = '\0';
        cr_assert_eq(bypeer_host_name_read(&name, hosts[at], why), -EINVAL, "%s", hosts[at]);
        cr_assert_neq(why[0], '\0', "%s", hosts[at]);
    }
}

Test(pnrp_host_name, names_without_one_are_refused)
{
    static const char *const names[] = {"0.JohnDoe",
                                        "0.a.b",
                                        "0.a b",
                                        "0.grün",
                                        "0.p23456789012345678901234567890123456789012345678901234567890123",
                                        "0.1234567890123456789012345678901234567890123456789012345678901234"};
    char host[BYPEER_HOST_NAME_MAX];
    for (size_t at = 0; at < sizeof(names) / sizeof(names[0]); at++) {
        struct bypeer_peer_name name = name_of(names[at]);
        cr_assert_eq(bypeer_host_name_write(&name, host, why), -EINVAL, "%s", names[at]);
    }
}

static struct bypeer_id_number id_at(uint64_t top, uint64_t bottom)
{
    return (struct bypeer_id_number){{top, 0, 0, bottom}};
}

Test(pnrp_id, is_most_significant_byte_first)
{
    uint8_t id[BYPEER_ID_BYTES] = {0x80, [7] = 1, [8] = 2, [31] = 3}, again[BYPEER_ID_BYTES];
    struct bypeer_id_number number = bypeer_id_load(id);
    cr_assert_eq(number.words[0], 0x8000000000000001);
    cr_assert_eq(number.words[1], 0x0200000000000000);
    cr_assert_eq(number.words[3], 3);
    bypeer_id_store(again, number);
    cr_assert_arr_eq(again, id, sizeof(id));
}

Test(pnrp_id, ring_closes_at_zero)
{
    struct bypeer_id_number last = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, zero = id_at(0, 0);
    cr_assert_eq(bypeer_id_compare(bypeer_id_distance(zero, last), id_at(0, 1)), 0);
    cr_assert_eq(bypeer_id_compare(bypeer_id_above(zero, last), id_at(0, 1)), 0);
    cr_assert_eq(bypeer_id_compare(bypeer_id_add(last, id_at(0, 1)), zero), 0);
    cr_assert(bypeer_id_is_nearer(id_at(0, 1), last, id_at(0, 4)), "two below is nearer than three above");
    cr_assert_not(bypeer_id_is_nearer(id_at(0, 1), id_at(0, 3), last), "as near is not nearer");
}

Test(pnrp_id, carry_goes_through_all_words)
{
    struct bypeer_id_number low = {{0, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    cr_assert_eq(bypeer_id_compare(bypeer_id_add(low, id_at(0, 1)), id_at(1, 0)), 0);
    cr_assert_eq(bypeer_id_compare(bypeer_id_above(id_at(1, 0), id_at(0, 1)), low), 0);
}

Test(pnrp_id, sums_and_distances_agree)
{
    uint64_t state = 1;
    for (unsigned round = 0; round < 10000; round++) {
        struct bypeer_id_number a, b;
        for (unsigned word = 0; word < 4; word++) {
            a.words[word] = random_next(&state) % 3 ? random_next(&state) : UINT64_MAX;
            b.words[word] = random_next(&state) % 3 ? random_next(&state) : 0;
        }
        struct bypeer_id_number up = bypeer_id_above(a, b), distance = bypeer_id_distance(a, b);
        cr_assert_eq(bypeer_id_compare(bypeer_id_add(b, up), a), 0);
        cr_assert_eq(bypeer_id_compare(distance, bypeer_id_distance(b, a)), 0);
        cr_assert_leq(bypeer_id_compare(distance, up), 0);
        cr_assert_lt(distance.words[0], (uint64_t)1 << 63, "nothing is farther than half the ring");
    }
}

Test(pnrp_id, common_bits_are_counted_from_the_top)
{
    cr_assert_eq(bypeer_id_common_bits(id_at(1, 2), id_at(1, 2)), 256);
    cr_assert_eq(bypeer_id_common_bits(id_at(1, 2), id_at(1, 3)), 255);
    cr_assert_eq(bypeer_id_common_bits(id_at(1, 2), id_at(0, 2)), 63);
    cr_assert_eq(bypeer_id_common_bits(id_at((uint64_t)1 << 63, 2), id_at(0, 2)), 0);
}
