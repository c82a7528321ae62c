/* Relay links: who gets addresses, what workers find under them, and how they are gone at once and stay gone. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/unit/relays_fixture.h"

TestSuite(relays, .init = relays_set_up, .fini = relays_tear_down);

Test(relays, two_members_reach_each_other_by_addresses_that_each_is_told)
{
    cr_assert_eq(relays_mesh("ab", 0), 0, "%s", relays_problem.value);
    cr_assert_eq(relays_joined.members, 2);
    cr_assert_eq(relays_joined.pairs, 1);
    unsigned side;
    const struct bypeer_relay_pair *found = relays_pair('a', 'b', &side);
    cr_assert_not_null(found);
    const struct bypeer_relay_record *way = relays_look_up(found->addresses[side]);
    cr_assert_not_null(way);
    cr_assert_eq(way->serial, found->serial);
    cr_assert_arr_eq(way->keys, found->addresses, sizeof(way->keys));
    cr_assert_eq(relays_look_up(found->addresses[1 - side]), way, "both lead to the pair");
    cr_assert_arr_eq(found->addresses[0], ((uint8_t[]){0x20, 1, 0xd, 0xb8, 0, 5, 0, 0}), 8, "of the prefix");
}

Test(relays, addresses_cannot_be_told_from_each_other)
{
    enum { MEMBERS = 60 };
    char names[MEMBERS][8];
    struct bypeer_relay_entry entries[MEMBERS];
    for (unsigned at = 0; at < MEMBERS; at++) {
        snprintf(names[at], sizeof(names[at]), "m%u", at);
        entries[at] = (struct bypeer_relay_entry){.name = names[at], .public_key = relays_key(at + 1)};
    }
    struct bypeer_relay_joining joining = {.group = "lab", .entries = entries, .entry_count = MEMBERS};
    cr_assert_eq(bypeer_relays_join(relays(), &joining, &relays_joined, &relays_problem), 0, "%s",
                 relays_problem.value);
    cr_assert_eq(relays_joined.pairs, MEMBERS * (MEMBERS - 1) / 2);
    /* Each of the 64 bits is set in about half of them: within ten standard deviations. */
    unsigned set[64] = {0}, count = 0;
    for (const struct bypeer_relay_pair *at = bypeer_relays_next_pair(relays(), 0); at;
         at = bypeer_relays_next_pair(relays(), at->number))
        for (unsigned side = 0; side < 2; side++, count++)
            for (unsigned bit = 0; bit < 64; bit++)
                set[bit] += at->addresses[side][8 + bit / 8] >> (bit % 8) & 1;
    cr_assert_eq(count, MEMBERS * (MEMBERS - 1));
    for (unsigned bit = 0; bit < 64; bit++)
        cr_expect(set[bit] > count / 2 - 300 && set[bit] < count / 2 + 300, "bit %u: %u of %u", bit, set[bit], count);
    cr_expect_geq(relays_fixture.node.generation->size.relays, count / 2, "the tables have grown");
}

Test(relays, a_later_member_leaves_what_is_there_as_it_is)
{
    cr_assert_eq(relays_mesh("abc", 0), 0);
    unsigned side;
    struct bypeer_relay_pair before = *relays_pair('a', 'b', &side);
    cr_assert_eq(relays_mesh("abcd", 0), 0);
    cr_assert_eq(relays_joined.members, 1);
    cr_assert_eq(relays_joined.pairs, 3);
    const struct bypeer_relay_pair *after = relays_pair('a', 'b', &side);
    cr_assert_arr_eq(after->addresses, before.addresses, sizeof(before.addresses));
    cr_assert_lt(before.serial, relays_joined.serial);
    cr_assert_geq(relays_pair('d', 'b', &side)->serial, relays_joined.serial);
}

Test(relays, removal_takes_every_way_to_a_member_away)
{
    cr_assert_eq(relays_mesh("abc", 0), 0);
    unsigned side;
    const struct bypeer_relay_pair *found = relays_pair('a', 'b', &side);
    uint8_t addresses[2][16];
    memcpy(addresses, found->addresses, sizeof(addresses));
    size_t removed;
    cr_assert_eq(bypeer_relays_remove(relays(), "a", RELAYS_ANYONE, &removed, &relays_problem), 0);
    cr_assert_eq(removed, 2);
    cr_assert_null(relays_look_up(addresses[0]));
    cr_assert_null(relays_look_up(addresses[1]), "nor does anybody reach him");
    cr_assert_null(relays_member('a'));
    cr_assert(relays_reaches('b', 'c') && relays_reaches('c', 'b'));
    cr_assert_eq(bypeer_relays_remove(relays(), "a", RELAYS_ANYONE, &removed, &relays_problem), -ENOENT);
    cr_assert_str_eq(relays_problem.key, "no_such_member");
}

Test(relays, one_pair_can_be_removed)
{
    cr_assert_eq(relays_mesh("abc", 0), 0);
    size_t removed;
    cr_assert_eq(bypeer_relays_remove(relays(), "a", "c", &removed, &relays_problem), 0);
    cr_assert_eq(removed, 1);
    cr_assert(!relays_reaches('a', 'c') && !relays_reaches('c', 'a'));
    cr_assert(relays_reaches('a', 'b') && relays_reaches('b', 'c'));
    cr_assert_eq(bypeer_relays_remove(relays(), "c", "a", &removed, &relays_problem), -ENOENT);
    cr_assert_str_eq(relays_problem.key, "no_such_pair");
}

Test(relays, a_restart_changes_nothing_that_members_know)
{
    cr_assert_eq(relays_mesh("abcd", 0), 0);
    unsigned side;
    struct bypeer_relay_pair before = *relays_pair('b', 'd', &side);
    struct bypeer_relay_member b = *relays_member('b');
    size_t removed;
    cr_assert_eq(bypeer_relays_remove(relays(), "c", RELAYS_ANYONE, &removed, &relays_problem), 0);
    node_fixture_close(&relays_fixture);
    node_fixture_open(&relays_fixture, NULL);
    cr_assert_null(relays_member('c'));
    const struct bypeer_relay_pair *after = relays_pair('b', 'd', &side);
    cr_assert_arr_eq(after->addresses, before.addresses, sizeof(before.addresses));
    cr_assert_eq(after->number, before.number, "its states go on");
    cr_assert_eq(after->serial, before.serial);
    cr_assert_arr_eq(relays_member('b')->public_key, b.public_key, 32);
    cr_assert_arr_eq(relays_member('b')->address, b.address, 16);
    cr_assert(relays_reaches('b', 'd') && relays_reaches('a', 'b'));
    cr_assert_eq(relays_mesh("ac", 0), 0);
    cr_assert_gt(relays_pair('a', 'c', &side)->serial, before.serial, "no serial comes twice");
}

Test(relays, another_prefix_leaves_the_rest_of_addresses)
{
    cr_assert_eq(relays_mesh("ab", 0), 0);
    unsigned side;
    struct bypeer_relay_pair before = *relays_pair('a', 'b', &side);
    node_fixture_close(&relays_fixture);
    node_fixture_write(&relays_fixture, RELAYS_HEAD "relay: { prefix: \"2001:db8:6:7::/64\" }\n");
    node_fixture_open(&relays_fixture, NULL);
    const struct bypeer_relay_pair *after = relays_pair('a', 'b', &side);
    cr_assert_eq(after->addresses[0][5], 6);
    cr_assert_eq(after->addresses[0][7], 7);
    cr_assert_arr_eq(after->addresses[0] + 8, before.addresses[0] + 8, 8);
    cr_assert(relays_reaches('a', 'b') && relays_reaches('b', 'a'));
    cr_assert_null(relays_look_up(before.addresses[0]));
}

Test(relays, without_a_prefix_nothing_is_forwarded_and_nothing_lost)
{
    cr_assert_eq(relays_mesh("ab", 0), 0);
    node_fixture_close(&relays_fixture);
    node_fixture_write(&relays_fixture, RELAYS_HEAD);
    node_fixture_open(&relays_fixture, NULL);
    cr_assert(!relays_reaches('a', 'b'));
    cr_assert_eq(relays_mesh("ac", 0), -ENOTSUP);
    cr_assert_str_eq(relays_problem.key, "no_relay");
    node_fixture_close(&relays_fixture);
    node_fixture_write(&relays_fixture, RELAYS_HEAD RELAYS_RELAY);
    node_fixture_open(&relays_fixture, NULL);
    cr_assert(relays_reaches('a', 'b'));
}

Test(relays, a_group_that_is_gone_takes_its_pairs_along_until_it_is_back)
{
    cr_assert_eq(relays_mesh("ab", 0), 0);
    node_fixture_must_reload(&relays_fixture, "node: { name: alpha }\ntables: { members: 1000 }\n" RELAYS_RELAY);
    cr_assert(!relays_reaches('a', 'b') && !relays_reaches('b', 'a'));
    bypeer_relays_turn(relays());
    cr_assert(!relays_reaches('a', 'b'));
    node_fixture_must_reload(&relays_fixture, RELAYS_HEAD RELAYS_RELAY);
    bypeer_relays_turn(relays());
    cr_assert(relays_reaches('a', 'b') && relays_reaches('b', 'a'));
}

Test(relays, a_pair_ends_when_it_expires)
{
    uint64_t now_s = (uint64_t)time(NULL);
    cr_assert_eq(relays_mesh("ab", now_s + 1000), 0);
    cr_assert_eq(relays_mesh("cd", now_s + 2000), 0);
    cr_assert_eq(bypeer_relays_expire(relays(), now_s + 999), now_s + 1000);
    cr_assert(relays_reaches('a', 'b'));
    cr_assert_eq(bypeer_relays_expire(relays(), now_s + 1000), now_s + 2000);
    unsigned side;
    cr_assert_null(relays_pair('a', 'b', &side));
    cr_assert(relays_reaches('c', 'd'));
    cr_assert_eq(relays_mesh("cd", 0), 0, "it may be made to stay");
    cr_assert_eq(bypeer_relays_expire(relays(), now_s + 3000), UINT64_MAX);
    cr_assert(relays_reaches('c', 'd'));
    node_fixture_close(&relays_fixture);
    node_fixture_open(&relays_fixture, NULL);
    cr_assert(relays_reaches('c', 'd'));
    cr_assert_null(relays_pair('a', 'b', &side), "nor does it come back");
}

Test(relays, what_expired_while_the_daemon_was_away_is_never_forwarded)
{
    cr_assert_eq(relays_mesh("ab", (uint64_t)time(NULL) - 1), 0);
    node_fixture_close(&relays_fixture);
    node_fixture_open(&relays_fixture, NULL);
    cr_assert(!relays_reaches('a', 'b'));
    bypeer_relays_expire(relays(), (uint64_t)time(NULL));
    cr_assert_eq(bypeer_relays_count_pairs(relays()), 0);
}

Test(relays, a_new_generation_of_tables_has_all_of_them)
{
    cr_assert_eq(relays_mesh("abc", 0), 0);
    cr_assert_eq(bypeer_node_renew(&relays_fixture.node, &relays_fixture.node.generation->size,
                                   relays_fixture.node.generation->layout, &relays_problem),
                 0);
    cr_assert(relays_reaches('a', 'b') && relays_reaches('c', 'b'));
    size_t removed;
    cr_assert_eq(bypeer_relays_remove(relays(), "b", RELAYS_ANYONE, &removed, &relays_problem), 0);
    cr_assert(!relays_reaches('a', 'b') && relays_reaches('a', 'c'));
}

Test(relays, a_state_is_nobody_elses_before_a_grace_period)
{
    cr_assert_eq(relays_mesh("abc", 0), 0);
    unsigned side;
    uint32_t number = relays_pair('a', 'b', &side)->number;
    size_t removed;
    cr_assert_eq(bypeer_relays_remove(relays(), "a", "b", &removed, &relays_problem), 0);
    bypeer_relays_turn(relays());
    cr_assert_eq(relays_mesh("ad", 0), 0);
    cr_assert_neq(relays_pair('a', 'd', &side)->number, number, "workers may still write to it");
    bypeer_node_reclaim(&relays_fixture.node);
    bypeer_relays_turn(relays());
    cr_assert_eq(relays_mesh("ae", 0), 0);
    cr_assert_eq(relays_pair('a', 'e', &side)->number, number, "then it is used again");
}

Test(relays, nor_after_a_restart)
{
    cr_assert_eq(relays_mesh("abc", 0), 0);
    unsigned side;
    const char *const ends[] = {"a", "a", "b"}, *const others[] = {"b", "c", "c"};
    uint32_t numbers[3];
    size_t removed;
    for (unsigned i = 0; i < 3; i++) {
        numbers[i] = relays_pair(*ends[i], *others[i], &side)->number;
        cr_assert_eq(bypeer_relays_remove(relays(), ends[i], others[i], &removed, &relays_problem), 0);
    }
    node_fixture_close(&relays_fixture);
    node_fixture_open(&relays_fixture, NULL);
    cr_assert_eq(relays_mesh("abcd", 0), 0);
    for (const struct bypeer_relay_pair *at = bypeer_relays_next_pair(relays(), 0); at;
         at = bypeer_relays_next_pair(relays(), at->number))
        for (unsigned i = 0; i < 3; i++)
            cr_assert_neq(at->number, numbers[i], "workers that lived on may still write to it");
}

Test(relays, nor_is_that_of_a_pair_that_was_withdrawn_before_it_was_removed)
{
    cr_assert_eq(relays_mesh("abc", 0), 0);
    unsigned side;
    uint32_t number = relays_pair('a', 'b', &side)->number;
    node_fixture_must_reload(&relays_fixture, "node: { name: alpha }\ntables: { members: 1000 }\n" RELAYS_RELAY);
    size_t removed;
    cr_assert_eq(bypeer_relays_remove(relays(), "a", "b", &removed, &relays_problem), 0);
    node_fixture_must_reload(&relays_fixture, RELAYS_HEAD RELAYS_RELAY);
    cr_assert_eq(relays_mesh("ad", 0), 0);
    cr_assert_neq(relays_pair('a', 'd', &side)->number, number);
}

/* --- refusals --- */

static int join_one(struct bypeer_relay_entry one, const char *group)
{
    struct bypeer_relay_entry entries[] = {one, relays_entry('z')};
    struct bypeer_relay_joining joining = {.group = group, .entries = entries, .entry_count = 2};
    return bypeer_relays_join(relays(), &joining, &relays_joined, &relays_problem);
}

Test(relays, what_cannot_be_is_refused_whole)
{
    cr_assert_eq(relays_mesh("az", 0), 0);
    struct bypeer_relay_entry wrong = relays_entry('b');
    uint8_t address[16];

    wrong.name = "a";
    cr_expect_eq(join_one(wrong, "lab"), -EEXIST);
    cr_expect_str_eq(relays_problem.key, "member_exists");
    wrong.name = "no name";
    cr_expect_eq(join_one(wrong, "lab"), -EINVAL);
    cr_expect_str_eq(relays_problem.key, "bad_name");
    wrong.name = "z";
    wrong.public_key = NULL;
    cr_expect_eq(join_one(wrong, "lab"), -EINVAL);
    cr_expect_str_eq(relays_problem.key, "same_member");
    wrong.name = "b";
    cr_expect_eq(join_one(wrong, "lab"), -ENOENT);
    cr_expect_str_eq(relays_problem.key, "no_such_member");
    wrong.public_key = relays_key('a');
    cr_expect_eq(join_one(wrong, "lab"), -EEXIST);
    cr_expect_str_eq(relays_problem.key, "key_exists");
    wrong.public_key = (const uint8_t[32]){0};
    cr_expect_eq(join_one(wrong, "lab"), -EINVAL);
    cr_expect_str_eq(relays_problem.key, "bad_key");
    wrong.public_key = relays_key('b');
    cr_expect_eq(join_one(wrong, "nowhere"), -ENOENT);
    cr_expect_str_eq(relays_problem.key, "no_such_group");
    wrong.address = address;
    inet_pton(AF_INET6, "fdaa::7", address);
    cr_expect_eq(join_one(wrong, "lab"), -EINVAL);
    cr_expect_str_eq(relays_problem.key, "bad_address");
    inet_pton(AF_INET6, "fd12:3456:789a::1", address);
    cr_expect_eq(join_one(wrong, "lab"), -EINVAL, "this node's own");
    memcpy(address, relays_member('a')->address, 16);
    cr_expect_eq(join_one(wrong, "lab"), -EEXIST);
    cr_expect_str_eq(relays_problem.key, "address_exists");
    cr_expect_eq(bypeer_relays_count_members(relays()), 2);
    cr_expect_eq(bypeer_relays_count_pairs(relays()), 1);
}

Test(relays, members_of_two_groups_do_not_reach_each_other)
{
    cr_assert_eq(relays_mesh("az", 0), 0);
    struct bypeer_relay_entry other = relays_entry('g');
    struct bypeer_relay_joining joining = {.group = "games", .entries = &other, .entry_count = 1};
    cr_assert_eq(bypeer_relays_join(relays(), &joining, &relays_joined, &relays_problem), 0);
    struct bypeer_relay_entry both[] = {{.name = "a"}, {.name = "g"}};
    joining = (struct bypeer_relay_joining){.entries = both, .entry_count = 2};
    cr_assert_eq(bypeer_relays_join(relays(), &joining, &relays_joined, &relays_problem), -EINVAL);
    cr_assert_str_eq(relays_problem.key, "other_group");
    unsigned side;
    cr_assert_null(relays_pair('a', 'g', &side));
}

Test(relays, a_refusal_at_the_end_takes_back_what_was_made)
{
    struct bypeer_relay_entry entries[] = {relays_entry('a'), relays_entry('b'), relays_entry('c'), {.name = "nobody"}};
    struct bypeer_relay_joining joining = {.group = "lab", .entries = entries, .entry_count = 4};
    cr_assert_eq(bypeer_relays_join(relays(), &joining, &relays_joined, &relays_problem), -ENOENT);
    cr_assert_eq(bypeer_relays_count_members(relays()), 0);
    cr_assert_null(relays_member('a'));
    cr_assert_eq(relays_mesh("abc", 0), 0, "and all of it may be made again");
    cr_assert_eq(relays_joined.pairs, 3);
}

/* SQL: secret(end, the database's) is what an address of that end is made of. */
static void make_secret(sqlite3_context *context, int count, sqlite3_value **values)
{
    const uint32_t end = (uint32_t)sqlite3_value_int(values[0]);
    uint8_t secret[16] = {0};
    (void)count;
    bypeer_store32(secret + 8, end * UINT32_C(0x9e3779b9));
    bypeer_relay_address_set_end((uint64_t)sqlite3_value_int64(values[1]), end, secret);
    sqlite3_result_blob(context, secret, sizeof(secret), SQLITE_TRANSIENT);
}

Test(relays, as_many_as_there_may_be_come_back_after_a_restart)
{
    sqlite3 *database;
    node_fixture_close(&relays_fixture);
    cr_assert_eq(sqlite3_open(relays_fixture.database, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_create_function(database, "secret", 2, SQLITE_UTF8, NULL, make_secret, NULL, NULL), SQLITE_OK);
    cr_assert_eq(
        sqlite3_exec(database,
                     "BEGIN;"
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1449)"
                     " INSERT INTO relay_members SELECT i, 'm' || i, 'lab', randomblob(32), randomblob(16), 0 FROM n;"
                     "INSERT INTO relay_pairs SELECT number, number, one, other, secret(2 * number, value),"
                     " secret(2 * number + 1, value), 0, 0, 0 FROM (SELECT row_number() OVER () AS number,"
                     " one.id AS one, other.id AS other FROM relay_members one JOIN relay_members other"
                     " ON one.id < other.id LIMIT 1048575), counters WHERE name = 'relay_secret';"
                     "COMMIT",
                     NULL, NULL, NULL),
        SQLITE_OK, "%s", sqlite3_errmsg(database));
    sqlite3_close(database);
    node_fixture_open(&relays_fixture, NULL);
    cr_assert_eq(bypeer_relays_count_pairs(relays()), BYPEER_RELAY_PAIRS_MAX);
    const struct bypeer_relay_pair *last = bypeer_relays_next_pair(relays(), BYPEER_RELAY_PAIRS_MAX - 1);
    cr_assert(relays_look_up(last->addresses[0]) && relays_look_up(last->addresses[1]));
    cr_assert_eq(relays_mesh("ab", 0), -ENOSPC);
    cr_assert_str_eq(relays_problem.key, "capacity");
}

Test(relays, an_address_that_tells_another_number_is_left_out)
{
    cr_assert_eq(relays_mesh("abc", 0), 0, "%s", relays_problem.value);
    sqlite3 *database;
    unsigned side;
    char text[128];
    uint32_t number = relays_pair('a', 'b', &side)->number;
    node_fixture_close(&relays_fixture);
    cr_assert_eq(sqlite3_open(relays_fixture.database, &database), SQLITE_OK);
    snprintf(text, sizeof(text), "UPDATE relay_pairs SET secret_one = secret_other WHERE number = %u", number);
    cr_assert_eq(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
    node_fixture_open(&relays_fixture, NULL);
    cr_assert_null(relays_pair('a', 'b', &side));
    cr_assert(relays_reaches('a', 'c') && relays_reaches('b', 'c'));
}

/* Against what was asked for, over many random changes and restarts. */
Test(relays, what_is_there_is_what_was_asked_for)
{
    bool wanted[26][26] = {{false}}, there[26] = {false};
    uint64_t state = 88172645463325252u;
    for (unsigned turn = 0; turn < 3000; turn++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        unsigned one = (unsigned)(state >> 20) % 26, other = (unsigned)(state >> 40) % 26, act = (unsigned)(state % 16);
        char letters[] = {(char)('a' + one), (char)('a' + other), '\0'};
        size_t removed;
        if (act < 8 && one != other) {
            cr_assert_eq(relays_mesh(letters, 0), 0, "%s", relays_problem.value);
            cr_assert_eq(relays_joined.pairs, !wanted[one][other]);
            wanted[one][other] = wanted[other][one] = there[one] = there[other] = true;
        } else if (act < 12 && one != other) {
            int result = bypeer_relays_remove(relays(), (char[]){letters[0], 0}, (char[]){letters[1], 0}, &removed,
                                              &relays_problem);
            cr_assert_eq(result, wanted[one][other] ? 0 : -ENOENT);
            wanted[one][other] = wanted[other][one] = false;
        } else if (act < 14) {
            cr_assert_eq(
                bypeer_relays_remove(relays(), (char[]){letters[0], 0}, RELAYS_ANYONE, &removed, &relays_problem),
                there[one] ? 0 : -ENOENT);
            there[one] = false;
            for (unsigned at = 0; at < 26; at++)
                wanted[one][at] = wanted[at][one] = false;
        } else if (act == 14) {
            bypeer_node_reclaim(&relays_fixture.node);
            bypeer_relays_turn(relays());
        } else if (turn % 8 == 0) {
            node_fixture_close(&relays_fixture);
            node_fixture_open(&relays_fixture, NULL);
        }
        unsigned numbers[512] = {0};
        for (unsigned a = 0; a < 26; a++) {
            cr_assert_eq(relays_member((char)('a' + a)) != NULL, there[a]);
            for (unsigned b = 0; b < a; b++)
                cr_assert_eq(relays_reaches((char)('a' + a), (char)('a' + b)), wanted[a][b]);
        }
        for (const struct bypeer_relay_pair *at = bypeer_relays_next_pair(relays(), 0); at;
             at = bypeer_relays_next_pair(relays(), at->number))
            cr_assert_eq(at->number < 512 && numbers[at->number]++, 0);
    }
}
