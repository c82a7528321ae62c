/*
 * Searches against scripted nodes: who is asked, with which path, and what comes of it. Nodes are named by a letter;
 * node X has the address 2001:db8::X, and its ID lies as far above the target as the script says.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "overlay/pnrp/search.h"

#define SELF '@'

static const struct bypeer_id_number target = {{0x1111, 0x2222, 0x3333, UINT64_C(0x8000000000000000)}};

static struct {
    struct bypeer_cache *cache;
    struct bypeer_search *search;
    struct bypeer_search_action action;
    uint8_t ids[128][32];
    uint8_t addresses[128][16];
} t;

/* A node whose ID differs from the target first in the given word: 0 and 1 are another name, 2 another /64. */
static struct bypeer_pnrp_entry node(char letter, unsigned word, uint64_t distance)
{
    struct bypeer_id_number far = {{0}};
    far.words[word] = distance;
    unsigned at = (unsigned char)letter;
    bypeer_id_store(t.ids[at], bypeer_id_add(target, far));
    memcpy(t.addresses[at], (uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [7] = (uint8_t)letter, [15] = (uint8_t)letter}, 16);
    return (struct bypeer_pnrp_entry){.id = t.ids[at], .addresses = t.addresses[at], .address_count = 1, .port = 4000};
}

static void know(char letter, unsigned word, uint64_t distance)
{
    struct bypeer_pnrp_entry entry = node(letter, word, distance);
    cr_assert_eq(bypeer_cache_put(t.cache, &entry, 1), 1);
}

static struct bypeer_pnrp_endpoint endpoint_of(char letter)
{
    struct bypeer_pnrp_endpoint endpoint = {.address = {0x20, 0x01, 0x0d, 0xb8, [7] = (uint8_t)letter}, .port = 4000};
    endpoint.address[15] = (uint8_t)letter;
    return endpoint;
}

static void set_up(void)
{
    cr_assert_eq(bypeer_cache_create(&t.cache, 0, 1, NULL, NULL), 0);
}

static void tear_down(void)
{
    bypeer_search_free(t.search);
    bypeer_cache_free(t.cache);
}

TestSuite(pnrp_search, .init = set_up, .fini = tear_down);

/* So many entries far away that the cache is not small. */
static void fill_cache(void)
{
    for (int letter = 'p'; letter < 'p' + BYPEER_SMALL_CACHE; letter++)
        know((char)letter, 0, UINT64_C(0x4000000000000000) + ((uint64_t)letter << 40));
}

static int begin(struct bypeer_search_settings settings)
{
    settings.target = target;
    settings.self = endpoint_of(SELF);
    return bypeer_search_begin(&t.search, &settings, t.cache);
}

static int begin_with(enum bypeer_pnrp_criterion criterion)
{
    return begin((struct bypeer_search_settings){.criterion = criterion});
}

static char letter_of(const struct bypeer_pnrp_entry *entry)
{
    return (char)entry->addresses[15];
}

static enum bypeer_search_step next(void)
{
    bypeer_search_next(t.search, t.cache, &t.action);
    return t.action.step;
}

static void expect(enum bypeer_search_step step, char letter)
{
    cr_assert_eq(next(), step, "step %d instead of %d at %c", (int)t.action.step, (int)step, letter);
    cr_assert_eq(letter_of(&t.action.hop), letter, "%c instead of %c", letter_of(&t.action.hop), letter);
}

static void expect_lookup(char letter, const char *path)
{
    expect(BYPEER_SEARCH_LOOKUP, letter);
    char actual[BYPEER_PNRP_PATH_MAX + 1] = {0};
    for (unsigned at = 0; at < t.action.path.count; at++) {
        struct bypeer_pnrp_endpoint endpoint;
        bypeer_pnrp_endpoint_at(&t.action.path, at, &endpoint);
        cr_assert_eq(endpoint.port, 4000);
        actual[at] = (char)endpoint.address[15];
    }
    cr_assert_str_eq(actual, path);
}

static void answer_with(uint16_t flags, struct bypeer_pnrp_entry entry)
{
    struct bypeer_pnrp_answer answer = {.flags = flags, .entry = entry};
    struct bypeer_pnrp_endpoint asked = endpoint_of(letter_of(&t.action.hop));
    bypeer_search_answered(t.search, &asked, &answer, t.cache);
}

static void answer(char letter, unsigned word, uint64_t distance)
{
    answer_with(0, node(letter, word, distance));
}

static void answer_nothing(uint16_t flags)
{
    answer_with(flags, (struct bypeer_pnrp_entry){0});
}

static void no_answer(bool busy)
{
    struct bypeer_pnrp_endpoint asked = endpoint_of(letter_of(&t.action.hop));
    bypeer_search_unanswered(t.search, &asked, busy);
}

Test(pnrp_search, a_dead_end_leads_back_to_who_named_it)
{
    fill_cache();
    know('1', 0, 1000);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    cr_assert_not(t.action.any_distance);
    cr_assert_null(t.action.match);
    answer('2', 0, 500);
    expect_lookup('2', "@1");
    cr_assert_eq(letter_of(t.action.match), '1');
    answer_nothing(0);
    expect_lookup('1', "@12");
    cr_assert_eq(letter_of(t.action.match), '2');
    answer('a', 0, 400);
    expect_lookup('a', "@12");
    answer('3', 2, 7);
    expect(BYPEER_SEARCH_INQUIRE, '3');
    bypeer_search_validated(t.search, true);
    expect(BYPEER_SEARCH_FOUND, '3');
    expect(BYPEER_SEARCH_FOUND, '3');
    cr_assert_eq(bypeer_search_hops(t.search), 4);
}

Test(pnrp_search, what_the_cache_knows_is_validated_at_once)
{
    fill_cache();
    know('1', 2, 99);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect(BYPEER_SEARCH_INQUIRE, '1');
}

Test(pnrp_search, nobody_known_is_nobody_to_ask)
{
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), -ENOENT);
    struct bypeer_pnrp_entry own = node(SELF, 0, 5);
    cr_assert_eq(bypeer_cache_add_own(t.cache, &own), 0);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), -ENOENT);
}

Test(pnrp_search, answers_no_nearer_are_followed_only_while_little_is_known)
{
    know('1', 0, 1000);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    cr_assert(t.action.any_distance);
    answer('2', 0, 2000);
    expect_lookup('2', "@1");
    fill_cache();
    answer('3', 0, 3000);
    expect_lookup('1', "@12");
    cr_assert_not(t.action.any_distance);
}

Test(pnrp_search, exactly_eight_entries_are_not_few)
{
    for (int letter = 'p'; letter < 'p' + BYPEER_SMALL_CACHE - 1; letter++)
        know((char)letter, 0, UINT64_C(0x4000000000000000) + ((uint64_t)letter << 40));
    know('1', 0, 1000);
    cr_assert_eq(bypeer_cache_count(t.cache), BYPEER_SMALL_CACHE);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    cr_assert_not(t.action.any_distance);
    answer('2', 0, 2000);
    /* 1 is not asked again, nor 2: the search begins anew elsewhere. */
    cr_assert_eq(next(), BYPEER_SEARCH_LOOKUP);
    cr_assert_geq(letter_of(&t.action.hop), 'p');
}

Test(pnrp_search, a_hop_is_asked_three_times)
{
    fill_cache();
    know('1', 0, 1000);
    struct bypeer_pnrp_entry first = node('1', 0, 1000);
    cr_assert_eq(begin((struct bypeer_search_settings){.criterion = BYPEER_PNRP_ANY, .first_hop = &first}), 0);
    for (unsigned i = 0; i < 3; i++) {
        expect(BYPEER_SEARCH_LOOKUP, '1');
        answer("abc"[i], 0, 500);
        expect(BYPEER_SEARCH_LOOKUP, "abc"[i]);
        answer_nothing(0);
    }
    cr_assert_eq(next(), BYPEER_SEARCH_FAILED);
    cr_assert_eq(bypeer_search_hops(t.search), 6);
}

Test(pnrp_search, nobody_is_referred_to_twice)
{
    fill_cache();
    know('1', 0, 1000);
    struct bypeer_pnrp_entry first = node('1', 0, 1000);
    cr_assert_eq(begin((struct bypeer_search_settings){.criterion = BYPEER_PNRP_ANY, .first_hop = &first}), 0);
    expect_lookup('1', "@");
    answer('2', 0, 500);
    expect_lookup('2', "@1");
    answer('1', 0, 400); /* another ID of a node that was asked already */
    expect_lookup('1', "@12");
    answer(SELF, 0, 300);
    cr_assert_eq(next(), BYPEER_SEARCH_FAILED);
}

Test(pnrp_search, a_node_may_name_another_id_of_its_own)
{
    fill_cache();
    know('1', 0, 1000);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    answer('1', 0, 10);
    expect_lookup('1', "@1");
    cr_assert_eq(memcmp(t.action.hop.id, t.ids['1'], 32), 0);
}

Test(pnrp_search, more_than_six_suspicious_answers_end_it)
{
    fill_cache();
    know('A', 0, 1000);
    struct bypeer_pnrp_entry first = node('A', 0, 1000);
    cr_assert_eq(begin((struct bypeer_search_settings){.criterion = BYPEER_PNRP_ANY, .first_hop = &first}), 0);
    for (unsigned i = 0; i < 7; i++) {
        expect(BYPEER_SEARCH_LOOKUP, (char)('A' + i));
        answer_with(BYPEER_AUTHORITY_LEAF_SET, node((char)('B' + i), 0, 900 - i));
    }
    cr_assert_eq(next(), BYPEER_SEARCH_FAILED);
}

Test(pnrp_search, more_than_22_answers_end_it_and_the_path_keeps_its_limit)
{
    fill_cache();
    know('A', 0, 1000);
    struct bypeer_pnrp_entry first = node('A', 0, 1000);
    cr_assert_eq(begin((struct bypeer_search_settings){.criterion = BYPEER_PNRP_ANY, .first_hop = &first}), 0);
    for (unsigned i = 0; i < 23; i++) {
        expect(BYPEER_SEARCH_LOOKUP, (char)('A' + i));
        cr_assert_eq(t.action.path.count, i < 21 ? i + 1 : 22);
        cr_assert_eq(t.action.path.bytes[17], SELF);
        if (i > 0)
            cr_assert_eq(t.action.path.bytes[18u * (t.action.path.count - 1u) + 17u], 'A' + i - 1);
        answer((char)('B' + i), 0, 900 - i);
    }
    cr_assert_eq(next(), BYPEER_SEARCH_FAILED);
    cr_assert_eq(bypeer_search_hops(t.search), 23);
}

Test(pnrp_search, who_says_it_is_not_there_is_no_match_and_names_none)
{
    fill_cache();
    know('1', 0, 1000);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    answer_with(BYPEER_AUTHORITY_NOT_LOCAL, node('2', 0, 500));
    /* Neither 2 is asked nor 1 again. */
    cr_assert_eq(next(), BYPEER_SEARCH_LOOKUP);
    cr_assert_null(t.action.match);
    cr_assert_geq(letter_of(&t.action.hop), 'p');
}

Test(pnrp_search, a_hop_that_never_answers_is_passed_over)
{
    fill_cache();
    know('1', 0, 1000);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    answer('2', 0, 500);
    expect_lookup('2', "@1");
    no_answer(false);
    expect_lookup('1', "@12");
    cr_assert_eq(letter_of(t.action.match), '1');
    answer('3', 0, 450);
    expect_lookup('3', "@12");
    no_answer(true);
    expect_lookup('1', "@123");
    cr_assert_eq(letter_of(t.action.match), '3', "a busy node is there");
    cr_assert_eq(bypeer_search_hops(t.search), 2);
}

Test(pnrp_search, with_all_hops_dead_it_begins_anew_from_the_cache)
{
    fill_cache();
    know('1', 0, 1000);
    know('2', 0, 2000);
    know('3', 0, 3000);
    know('4', 0, 4000);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    no_answer(false);
    expect_lookup('2', "@1");
    no_answer(false);
    expect_lookup('3', "@12");
    no_answer(false);
    cr_assert_eq(next(), BYPEER_SEARCH_FAILED);
}

Test(pnrp_search, an_exhausted_search_takes_the_minimal_match)
{
    static const struct {
        enum bypeer_pnrp_criterion criterion;
        unsigned precision;
        unsigned word; /* where the node's ID begins to differ */
        enum bypeer_search_step at_once, in_the_end;
    } cases[] = {
        {BYPEER_PNRP_NONE, 0, 3, BYPEER_SEARCH_LOOKUP, BYPEER_SEARCH_FAILED},
        {BYPEER_PNRP_ANY, 0, 2, BYPEER_SEARCH_INQUIRE, BYPEER_SEARCH_INQUIRE},
        {BYPEER_PNRP_ANY, 0, 1, BYPEER_SEARCH_LOOKUP, BYPEER_SEARCH_FAILED},
        {BYPEER_PNRP_NEAREST, 0, 3, BYPEER_SEARCH_LOOKUP, BYPEER_SEARCH_INQUIRE},
        {BYPEER_PNRP_NEAREST, 0, 2, BYPEER_SEARCH_LOOKUP, BYPEER_SEARCH_INQUIRE},
        {BYPEER_PNRP_NEAREST, 0, 1, BYPEER_SEARCH_LOOKUP, BYPEER_SEARCH_FAILED},
        {BYPEER_PNRP_NEAREST_64, 0, 3, BYPEER_SEARCH_INQUIRE, BYPEER_SEARCH_INQUIRE},
        {BYPEER_PNRP_NEAREST_64, 0, 2, BYPEER_SEARCH_LOOKUP, BYPEER_SEARCH_INQUIRE},
        {BYPEER_PNRP_NEAREST_64, 0, 1, BYPEER_SEARCH_LOOKUP, BYPEER_SEARCH_FAILED},
        {BYPEER_PNRP_UPPER_BITS, 64, 1, BYPEER_SEARCH_INQUIRE, BYPEER_SEARCH_INQUIRE},
        {BYPEER_PNRP_UPPER_BITS, 129, 1, BYPEER_SEARCH_LOOKUP, BYPEER_SEARCH_FAILED},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bypeer_pnrp_entry first = node('1', cases[i].word, 1);
        cr_assert_eq(begin((struct bypeer_search_settings){.criterion = cases[i].criterion,
                                                           .precision = (uint16_t)cases[i].precision,
                                                           .first_hop = &first}),
                     0);
        cr_assert_eq(next(), cases[i].at_once, "case %u", i);
        if (t.action.step == BYPEER_SEARCH_LOOKUP)
            answer_nothing(0);
        cr_assert_eq(next(), cases[i].in_the_end, "case %u", i);
        bypeer_search_free(t.search);
        t.search = NULL;
    }
}

Test(pnrp_search, a_split_test_takes_whatever_it_ends_at)
{
    fill_cache();
    struct bypeer_pnrp_entry seed = node('s', 0, 1);
    static const uint8_t zero[32];
    seed.id = zero;
    cr_assert_eq(begin((struct bypeer_search_settings){
                     .criterion = BYPEER_PNRP_NONE, .reason = BYPEER_PNRP_SPLIT_DETECTION, .first_hop = &seed}),
                 0);
    expect_lookup('s', "@");
    cr_assert_eq(memcmp(t.action.hop.id, zero, 32), 0);
    answer('1', 0, UINT64_C(0x7000000000000000)); /* anything is nearer than a seed, whose ID is not known */
    expect_lookup('1', "@s");
    cr_assert_null(t.action.match);
    answer('2', 0, 30);
    expect_lookup('2', "@s1");
    answer_nothing(0);
    expect_lookup('1', "@s12");
    answer_nothing(0);
    expect_lookup('s', "@s12");
    answer_nothing(0);
    expect(BYPEER_SEARCH_INQUIRE, '2');
    bypeer_search_validated(t.search, true);
    expect(BYPEER_SEARCH_FOUND, '2');
}

Test(pnrp_search, a_registration_shows_the_new_entry_to_everybody)
{
    fill_cache();
    know('1', 0, 1000);
    struct bypeer_pnrp_entry own = node(SELF, 3, 1);
    cr_assert_eq(begin((struct bypeer_search_settings){
                     .criterion = BYPEER_PNRP_NONE, .reason = BYPEER_PNRP_REGISTRATION, .initial_match = &own}),
                 0);
    memset(t.ids[SELF], 0, 32); /* the search has its own copy */
    expect_lookup('1', "@");
    cr_assert_eq(letter_of(t.action.match), SELF);
    answer('2', 0, 500);
    expect_lookup('2', "@1");
    cr_assert_eq(letter_of(t.action.match), SELF);
    uint8_t expected[32];
    bypeer_id_store(expected, bypeer_id_add(target, (struct bypeer_id_number){{0, 0, 0, 1}}));
    cr_assert_eq(memcmp(t.action.match->id, expected, 32), 0);
    answer_nothing(0);
    expect_lookup('1', "@12");
    answer_nothing(0);
    cr_assert_eq(next(), BYPEER_SEARCH_FAILED);
}

Test(pnrp_search, own_ids_count_only_when_wanted)
{
    fill_cache();
    struct bypeer_pnrp_entry own = node(SELF, 2, 1);
    cr_assert_eq(bypeer_cache_add_own(t.cache, &own), 0);
    cr_assert_eq(begin((struct bypeer_search_settings){.criterion = BYPEER_PNRP_ANY, .consider_own = true}), 0);
    expect(BYPEER_SEARCH_INQUIRE, SELF);
    bypeer_search_free(t.search);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    cr_assert_eq(next(), BYPEER_SEARCH_LOOKUP);
    cr_assert_neq(letter_of(&t.action.hop), SELF);
}

Test(pnrp_search, an_invalid_match_never_counts_again)
{
    fill_cache();
    know('1', 0, 1000);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    answer('2', 2, 50);
    expect(BYPEER_SEARCH_INQUIRE, '2');
    bypeer_search_validated(t.search, false);
    expect_lookup('1', "@12");
    answer('2', 2, 50);
    cr_assert_eq(next(), BYPEER_SEARCH_LOOKUP);
    cr_assert_geq(letter_of(&t.action.hop), 'p');
    answer('3', 2, 60);
    expect(BYPEER_SEARCH_INQUIRE, '3');
    bypeer_search_validated(t.search, true);
    expect(BYPEER_SEARCH_FOUND, '3');
}

Test(pnrp_search, an_invalid_match_gives_way_to_the_one_before)
{
    struct bypeer_pnrp_entry first = node('1', 2, 1000);
    cr_assert_eq(begin((struct bypeer_search_settings){.criterion = BYPEER_PNRP_NEAREST, .first_hop = &first}), 0);
    expect_lookup('1', "@");
    answer('2', 2, 500);
    expect_lookup('2', "@1");
    answer_nothing(0);
    expect_lookup('1', "@12");
    answer_nothing(0);
    expect(BYPEER_SEARCH_INQUIRE, '2');
    bypeer_search_validated(t.search, false);
    expect(BYPEER_SEARCH_INQUIRE, '1');
    bypeer_search_validated(t.search, false);
    cr_assert_eq(next(), BYPEER_SEARCH_FAILED);
}

Test(pnrp_search, after_a_rejected_match_other_registrations_are_found)
{
    fill_cache();
    know('1', 0, 1000);
    cr_assert_eq(begin_with(BYPEER_PNRP_ANY), 0);
    expect_lookup('1', "@");
    answer('2', 2, 50);
    expect(BYPEER_SEARCH_INQUIRE, '2');
    bypeer_search_validated(t.search, true);
    expect(BYPEER_SEARCH_FOUND, '2');
    bypeer_search_reject(t.search);
    expect_lookup('2', "@1"); /* who registered the name is near others that did */
    answer('3', 2, 40);
    expect(BYPEER_SEARCH_INQUIRE, '3');
    bypeer_search_validated(t.search, true);
    expect(BYPEER_SEARCH_FOUND, '3');
    bypeer_search_reject(t.search);
    expect_lookup('3', "@12");
}

Test(pnrp_search, an_entry_with_many_addresses_is_asked_by_its_first_ones)
{
    struct bypeer_pnrp_entry first = node('1', 0, 1000);
    uint8_t addresses[20 * 16];
    for (unsigned at = 0; at < 20; at++) {
        memcpy(&addresses[16 * at], first.addresses, 16);
        addresses[16 * at + 14] = (uint8_t)at;
    }
    first.addresses = addresses;
    first.address_count = 20;
    cr_assert_eq(begin((struct bypeer_search_settings){.criterion = BYPEER_PNRP_ANY, .first_hop = &first}), 0);
    expect(BYPEER_SEARCH_LOOKUP, '1');
    cr_assert_eq(t.action.hop.address_count, 4);
    cr_assert_eq(memcmp(t.action.hop.addresses, addresses, 64), 0);
}
