/* The database: what was committed is there after any end, what was not never was, and foreign files are refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/store/relays.h"
#include "control/store/store.h"

static char directory[] = "/tmp/bypeer-store-XXXXXX";
static char file[64];
static struct bypeer_problem problem;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(file, sizeof(file), "%s/bypeer.db", directory);
}

static void tear_down(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t at = 0; at < 3; at++) {
        char path[80];
        snprintf(path, sizeof(path), "%s%s", file, suffixes[at]);
        unlink(path);
    }
    rmdir(directory);
}

TestSuite(store, .init = set_up, .fini = tear_down);

static struct bypeer_store *open_store(void)
{
    struct bypeer_store *store;
    char text[BYPEER_PROBLEM_TEXT];
    int result = bypeer_store_open(&store, file, &problem);
    cr_assert_eq(result, 0, "%s", bypeer_problem_text(&problem, text));
    return store;
}

/* Whatever is to be committed is rolled back instead. */
static int refuse_commit(void *context)
{
    (void)context;
    return 1;
}

static int refuse_commits(sqlite3 *database, const char **ret_why, const struct sqlite3_api_routines *routines)
{
    (void)ret_why;
    (void)routines;
    sqlite3_commit_hook(database, refuse_commit, NULL);
    return SQLITE_OK;
}

Test(store, a_constant_that_is_not_durable_is_none)
{
    uint64_t value;
    bypeer_store_close(open_store());
    cr_assert_eq(sqlite3_auto_extension((void (*)(void))refuse_commits), SQLITE_OK);
    struct bypeer_store *store = open_store();
    cr_assert_lt(bypeer_store_constant(store, "relay_secret", 4711, &value, &problem), 0);
    bypeer_store_close(store);
    sqlite3_reset_auto_extension();
    store = open_store();
    cr_assert_eq(bypeer_store_constant(store, "relay_secret", 4712, &value, &problem), 0);
    cr_assert_eq(value, 4712);
    cr_assert_eq(bypeer_store_constant(store, "relay_secret", 4713, &value, &problem), 0);
    cr_assert_eq(value, 4712);
    bypeer_store_close(store);
}

static void put_members(struct bypeer_store *store, uint32_t first, uint32_t count)
{
    for (uint32_t at = first; at < first + count; at++) {
        uint8_t address[16] = {0xfd, 0x12};
        memcpy(address + 12, &at, 4);
        cr_assert_eq(bypeer_store_put_member(store, address, 1 + at % 3, &problem), 0);
    }
}

static uint64_t count_members(struct bypeer_store *store)
{
    uint64_t count = 0;
    cr_assert_eq(bypeer_store_count_members(store, &count, &problem), 0);
    return count;
}

Test(store, a_commit_survives_kill)
{
    pid_t child = fork();
    if (child == 0) {
        struct bypeer_store *store = open_store();
        bypeer_store_begin(store, &problem);
        put_members(store, 0, 1000);
        bypeer_store_end(store, 0, &problem);
        bypeer_store_begin(store, &problem);
        put_members(store, 1000, 1000);
        kill(getpid(), SIGKILL); /* in the middle of the second transaction */
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(WIFSIGNALED(status));
    struct bypeer_store *store = open_store();
    cr_assert_eq(count_members(store), 1000);
    bypeer_store_close(store);
}

Test(store, an_end_keeps_all_or_nothing)
{
    struct bypeer_store *store = open_store();
    cr_assert_eq(bypeer_store_begin(store, &problem), 0);
    put_members(store, 0, 10);
    cr_assert(bypeer_store_in_transaction(store));
    cr_assert_eq(bypeer_store_end(store, -EIO, &problem), -EIO);
    cr_assert_not(bypeer_store_in_transaction(store));
    cr_assert_eq(count_members(store), 0);
    cr_assert_eq(bypeer_store_begin(store, &problem), 0);
    put_members(store, 0, 10);
    cr_assert_eq(bypeer_store_end(store, 0, &problem), 0);
    cr_assert_not(bypeer_store_in_transaction(store));
    cr_assert_eq(count_members(store), 10);
    bypeer_store_close(store);
}

static int keep_link(void *context, const struct bypeer_store_link *link)
{
    *(struct bypeer_store_link *)context = *link;
    return 0;
}

Test(store, a_link_comes_back_as_it_was)
{
    struct bypeer_store_link link = {
        .id = 7,
        .name = "beta",
        .serial = 4000000000u,
        .defined = true,
        .has_local = true,
        .group = 3,
        .peer = {0x20, 1, [15] = 2},
        .local = {0x20, 1, [15] = 1},
        .vni = 0xffffff,
        .udp_port = 65535,
        .mtu = 9000,
    };
    struct bypeer_store *store = open_store();
    bypeer_store_begin(store, &problem);
    cr_assert_eq(bypeer_store_put_link(store, &link, &problem), 0);
    cr_assert_eq(bypeer_store_end(store, 0, &problem), 0);
    bypeer_store_close(store);
    store = open_store();
    struct bypeer_store_link read = {0};
    cr_assert_eq(bypeer_store_each_link(store, keep_link, &read, &problem), 0);
    cr_assert_eq(read.id, link.id);
    cr_assert_str_eq(read.name, link.name);
    cr_assert_eq(read.serial, link.serial);
    cr_assert(read.defined && read.has_local);
    cr_assert_eq(read.group, link.group);
    cr_assert_eq(memcmp(read.peer, link.peer, 16), 0);
    cr_assert_eq(memcmp(read.local, link.local, 16), 0);
    cr_assert_eq(read.vni, link.vni);
    cr_assert_eq(read.udp_port, link.udp_port);
    cr_assert_eq(read.mtu, link.mtu);
    bypeer_store_close(store);
}

static int collect(void *context, const uint8_t address[static 16], uint32_t link)
{
    uint8_t *previous = context;
    cr_assert_lt(memcmp(previous, address, 16), 0, "ascending");
    cr_assert_geq(link, 1);
    memcpy(previous, address, 16);
    previous[16]++;
    return previous[16] == 5 ? 42 : 0;
}

Test(store, members_come_by_ascending_address_until_told_to_stop)
{
    struct bypeer_store *store = open_store();
    bypeer_store_begin(store, &problem);
    put_members(store, 1, 100);
    bypeer_store_end(store, 0, &problem);
    uint8_t context[17] = {0};
    cr_assert_eq(bypeer_store_each_member(store, NULL, collect, context, &problem), 42);
    cr_assert_eq(context[16], 5);
    uint8_t first[16] = {0xfd, 0x13};
    context[16] = 0;
    cr_assert_eq(bypeer_store_each_member(store, first, collect, context, &problem), 0);
    cr_assert_eq(context[16], 0, "none lies beyond");
    bypeer_store_close(store);
}

Test(store, counters_never_give_a_number_twice)
{
    uint64_t value;
    for (uint64_t expected = 1; expected <= 3; expected++) {
        struct bypeer_store *store = open_store();
        bypeer_store_begin(store, &problem);
        cr_assert_eq(bypeer_store_count_up(store, "start", &value, &problem), 0);
        cr_assert_eq(value, expected);
        bypeer_store_end(store, 0, &problem);
        bypeer_store_close(store);
    }
}

static void execute(const char *text)
{
    sqlite3 *database;
    cr_assert_eq(sqlite3_open(file, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

Test(store, a_newer_schema_is_refused_and_left_alone)
{
    bypeer_store_close(open_store());
    execute("UPDATE schema SET version = 1000");
    struct bypeer_store *store;
    cr_assert_eq(bypeer_store_open(&store, file, &problem), -ENOTSUP);
    cr_assert_str_eq(problem.key, "newer_schema");
    cr_assert(strstr(problem.value, "schema 1000"), "%s", problem.value);
    char back[64];
    snprintf(back, sizeof(back), "UPDATE schema SET version = %d", BYPEER_STORE_SCHEMA);
    execute(back);
    bypeer_store_close(open_store());
}

Test(store, a_peer_comes_back_as_it_was)
{
    struct bypeer_store_link peer = {.id = 3, .serial = 9, .defined = true, .group = 2, .wireguard = true};
    struct bypeer_store_link kept = {0};
    strcpy(peer.name, "alice");
    memset(peer.public_key, 0xa5, 32);
    memset(peer.preshared_key, 0x5a, 32);
    peer.has_preshared = true;
    peer.persistent_s = 25;
    peer.endpoint_port = 51820;
    peer.endpoint[0] = 0x20;
    peer.has_address = true;
    peer.address[0] = 0xfd;
    struct bypeer_store *store = open_store();
    bypeer_store_begin(store, &problem);
    cr_assert_eq(bypeer_store_put_link(store, &peer, &problem), 0);
    bypeer_store_end(store, 0, &problem);
    bypeer_store_close(store);

    store = open_store();
    cr_assert_eq(bypeer_store_each_link(store, keep_link, &kept, &problem), 0);
    cr_assert_arr_eq((uint8_t *)&kept, (uint8_t *)&peer, sizeof(peer));
    /* Without a secret, an endpoint and an address none of them comes back. */
    peer.has_preshared = peer.has_address = false;
    peer.endpoint_port = 0;
    bypeer_store_begin(store, &problem);
    cr_assert_eq(bypeer_store_put_link(store, &peer, &problem), 0);
    bypeer_store_end(store, 0, &problem);
    cr_assert_eq(bypeer_store_each_link(store, keep_link, &kept, &problem), 0);
    cr_assert(kept.wireguard && !kept.has_preshared && !kept.has_address);
    cr_assert_eq(kept.endpoint_port, 0);
    bypeer_store_close(store);
}

Test(store, an_older_schema_is_brought_to_ours_with_what_it_holds)
{
    struct bypeer_store *store = open_store();
    bypeer_store_begin(store, &problem);
    put_members(store, 0, 5);
    bypeer_store_end(store, 0, &problem);
    bypeer_store_close(store);
    execute(
        "DROP TABLE publications; DROP TABLE locations; DROP TABLE nodes; DROP TABLE links; DROP TABLE relay_members;"
        "DROP TABLE relay_pairs; DROP TABLE limits; DROP TABLE accounts; DROP TABLE groups_joined;"
        "DROP TABLE group_records; DROP TABLE audit; DROP TABLE policies; DROP TABLE group_issued;"
        "CREATE TABLE links (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, serial INTEGER NOT NULL,"
        "  group_id INTEGER, peer BLOB, local BLOB, vni INTEGER, udp_port INTEGER, mtu INTEGER);"
        "INSERT INTO links VALUES (1, 'beta', 5, 1, zeroblob(16), NULL, 0, 4790, 0);"
        "UPDATE schema SET version = 1");
    store = open_store();
    struct bypeer_store_link kept = {0};
    cr_assert_eq(bypeer_store_each_link(store, keep_link, &kept, &problem), 0);
    cr_assert_str_eq(kept.name, "beta");
    cr_assert(kept.defined);
    cr_assert_not(kept.wireguard);
    cr_assert_eq(count_members(store), 5);
    struct bypeer_pnrp_endpoint nodes[1];
    cr_assert_eq(bypeer_store_nodes(store, "global", nodes, 1, &problem), 0);
    bypeer_store_close(store);
    bypeer_store_close(open_store());
}

static struct bypeer_store_publication publications[4];
static unsigned publication_count;

static int keep_publication(void *context, const struct bypeer_store_publication *publication)
{
    (void)context;
    cr_assert_lt(publication_count, 4);
    publications[publication_count++] = *publication;
    return 0;
}

Test(store, a_publication_comes_back_as_it_was)
{
    struct bypeer_store_publication first = {.name = "0.printer",
                                             .clouds = "global\nhome\n",
                                             .has_prefix = true,
                                             .prefix = {0x20, 1},
                                             .comment = "by the door"};
    first.application_count = 2;
    first.applications[1] = (struct bypeer_application){.address = {0xfe, 0x80}, .port = 9100, .protocol = 6};
    struct bypeer_store_publication second = {.name = "0.own", .follow = true, .port = 8080, .protocol = 6};
    second.payload_type = BYPEER_PAYLOAD_BINARY;
    second.payload_bytes = BYPEER_PAYLOAD_MAX;
    memset(second.payload, 0xa5, sizeof(second.payload));
    const uint8_t location[16] = {1, 2, 3};

    struct bypeer_store *store = open_store();
    bypeer_store_begin(store, &problem);
    cr_assert_eq(bypeer_store_put_publication(store, &second, &problem), 0);
    cr_assert_eq(bypeer_store_put_publication(store, &first, &problem), 0);
    cr_assert_eq(bypeer_store_put_location(store, "0.own", "global", location, &problem), 0);
    second.port = 80;
    cr_assert_eq(bypeer_store_put_publication(store, &second, &problem), 0);
    bypeer_store_end(store, 0, &problem);
    bypeer_store_close(store);

    store = open_store();
    uint8_t found[16];
    cr_assert_eq(bypeer_store_each_publication(store, keep_publication, NULL, &problem), 0);
    cr_assert_eq(publication_count, 2);
    cr_assert_arr_eq(&publications[0], &second, sizeof(second), "the order is that of publishing");
    cr_assert_arr_eq(&publications[1], &first, sizeof(first));
    cr_assert_eq(bypeer_store_find_location(store, "0.own", "global", found, &problem), 1);
    cr_assert_arr_eq(found, location, 16);
    cr_assert_eq(bypeer_store_find_location(store, "0.own", "home", found, &problem), 0);

    bypeer_store_begin(store, &problem);
    cr_assert_eq(bypeer_store_remove_publication(store, "0.own", &problem), 0);
    bypeer_store_end(store, 0, &problem);
    cr_assert_eq(bypeer_store_find_location(store, "0.own", "global", found, &problem), 0);
    publication_count = 0;
    cr_assert_eq(bypeer_store_each_publication(store, keep_publication, NULL, &problem), 0);
    cr_assert_eq(publication_count, 1);
    bypeer_store_close(store);
}

Test(store, nodes_are_those_of_the_last_time)
{
    struct bypeer_pnrp_endpoint nodes[3] = {{{0x20, 1}, 3541}, {{0x20, 2}, 3542}, {{0x20, 3}, 3543}}, found[10];
    struct bypeer_store *store = open_store();
    bypeer_store_begin(store, &problem);
    cr_assert_eq(bypeer_store_put_nodes(store, "global", nodes, 3, &problem), 0);
    cr_assert_eq(bypeer_store_put_nodes(store, "home", nodes, 1, &problem), 0);
    cr_assert_eq(bypeer_store_put_nodes(store, "global", nodes + 1, 2, &problem), 0);
    bypeer_store_end(store, 0, &problem);
    cr_assert_eq(bypeer_store_nodes(store, "global", found, 10, &problem), 2);
    cr_assert_arr_eq(found, nodes + 1, 2 * sizeof(nodes[0]));
    cr_assert_eq(bypeer_store_nodes(store, "global", found, 1, &problem), 1);
    cr_assert_eq(bypeer_store_nodes(store, "nowhere", found, 10, &problem), 0);
    bypeer_store_close(store);
}

Test(store, the_database_of_another_program_is_refused)
{
    execute("CREATE TABLE members (name TEXT)");
    struct bypeer_store *store;
    cr_assert_eq(bypeer_store_open(&store, file, &problem), -EBADMSG);
    cr_assert_str_eq(problem.key, "foreign_database");
}

Test(store, what_is_no_database_is_refused)
{
    FILE *garbage = fopen(file, "w");
    for (int at = 0; at < 1000; at++)
        fputs("not a database ", garbage);
    fclose(garbage);
    struct bypeer_store *store;
    cr_assert_eq(bypeer_store_open(&store, file, &problem), -EBADMSG);
    cr_assert_str_eq(problem.key, "store");
}

static int count_rows(void *context, const uint8_t address[static 16], uint32_t link)
{
    (void)address;
    (void)link;
    ++*(int *)context;
    return 0;
}

Test(store, damaged_rows_are_left_out)
{
    bypeer_store_close(open_store());
    execute("INSERT INTO publications (name, endpoints) VALUES ('0.short', x'00'), (zeroblob(1000), NULL), ('0.good', "
            "x'')");
    execute("INSERT INTO nodes VALUES ('global', 0, x'00', 3541), ('global', 1, zeroblob(16), 80)");
    execute("INSERT INTO members VALUES (x'00', 1), (x'fd000000000000000000000000000001', 'seven'), ('text', 5);"
            "INSERT INTO members VALUES (x'fd000000000000000000000000000002', -3)");
    struct bypeer_store *store = open_store();
    int rows = 0;
    cr_assert_eq(bypeer_store_each_member(store, NULL, count_rows, &rows, &problem), 0);
    cr_assert_eq(rows, 2, "those with an address of 16 bytes");
    cr_assert_eq(bypeer_store_each_publication(store, keep_publication, NULL, &problem), 0);
    cr_assert_eq(publication_count, 1);
    struct bypeer_pnrp_endpoint nodes[4];
    cr_assert_eq(bypeer_store_nodes(store, "global", nodes, 4, &problem), 0);
    bypeer_store_close(store);
}

static struct bypeer_store_relay_member relay_members[4];
static struct bypeer_store_relay_pair relay_pairs[4];
static unsigned relay_member_count, relay_pair_count;

static int keep_relay_member(void *context, const struct bypeer_store_relay_member *member)
{
    (void)context;
    cr_assert_lt(relay_member_count, 4);
    relay_members[relay_member_count++] = *member;
    return 0;
}

static int keep_relay_pair(void *context, const struct bypeer_store_relay_pair *pair)
{
    (void)context;
    cr_assert_lt(relay_pair_count, 4);
    relay_pairs[relay_pair_count++] = *pair;
    return 0;
}

static void read_relays(struct bypeer_store *store)
{
    relay_member_count = relay_pair_count = 0;
    cr_assert_eq(bypeer_store_each_relay_member(store, keep_relay_member, NULL, &problem), 0);
    cr_assert_eq(bypeer_store_each_relay_pair(store, keep_relay_pair, NULL, &problem), 0);
}

Test(store, relay_links_come_back_as_they_were)
{
    struct bypeer_store_relay_member member = {
        .id = 7, .name = "alice", .group = "lab", .public_key = {1, 2, 3}, .address = {0xfd, 4}};
    struct bypeer_store_relay_pair pair = {.number = 3,
                                           .serial = UINT64_C(1) << 40,
                                           .members = {7, 9},
                                           .secrets = {{5}, {6}},
                                           .expires_s = UINT64_C(5000000000),
                                           .ports = {52001, 52002}};
    struct bypeer_store *store = open_store();
    cr_assert_eq(bypeer_store_begin(store, &problem), 0);
    cr_assert_eq(bypeer_store_put_relay_member(store, &member, &problem), 0);
    cr_assert_eq(bypeer_store_put_relay_pair(store, &pair, &problem), 0);
    cr_assert_eq(bypeer_store_end(store, 0, &problem), 0);
    bypeer_store_close(store);

    store = open_store();
    read_relays(store);
    cr_assert_eq(relay_member_count, 1);
    cr_assert_eq(relay_pair_count, 1);
    cr_assert_arr_eq(&relay_members[0], &member, sizeof(member));
    cr_assert_eq(relay_pairs[0].serial, pair.serial);
    cr_assert_eq(relay_pairs[0].expires_s, pair.expires_s);
    cr_assert_arr_eq(relay_pairs[0].members, pair.members, sizeof(pair.members));
    cr_assert_arr_eq(relay_pairs[0].ports, pair.ports, sizeof(pair.ports));
    cr_assert_arr_eq(relay_pairs[0].secrets, pair.secrets, sizeof(pair.secrets));

    cr_assert_eq(bypeer_store_begin(store, &problem), 0);
    cr_assert_eq(bypeer_store_expire_relay_pair(store, 3, 0, &problem), 0);
    cr_assert_eq(bypeer_store_remove_relay_member(store, 7, &problem), 0);
    cr_assert_eq(bypeer_store_end(store, 0, &problem), 0);
    read_relays(store);
    cr_assert_eq(relay_member_count, 0);
    cr_assert_eq(relay_pairs[0].expires_s, 0);
    bypeer_store_close(store);
}

Test(store, relay_links_that_cannot_be_right_are_left_out)
{
    bypeer_store_close(open_store());
    execute("INSERT INTO relay_members VALUES (1, 'short', 'lab', x'00', zeroblob(16), 0),"
            " (2, '', 'lab', zeroblob(32), zeroblob(16), 0), (3, 'good', 'lab', zeroblob(32), zeroblob(16), 1);"
            "INSERT INTO relay_pairs VALUES (1, 1, 1, 2, zeroblob(16), zeroblob(15), 0, 0, 0),"
            " (2, 1, 1, 2, zeroblob(16), zeroblob(16), -1, 0, 0),"
            " (3, 1, 1, 2, zeroblob(16), zeroblob(16), 0, 5, 6), (4, 1, 1, 2, zeroblob(16), zeroblob(16), 0, 5, 0)");
    struct bypeer_store *store = open_store();
    read_relays(store);
    cr_assert_eq(relay_member_count, 1);
    cr_assert_str_eq(relay_members[0].name, "good");
    cr_assert(relay_members[0].of_peer);
    cr_assert_eq(relay_pair_count, 1, "one that would never expire by mistake is none");
    cr_assert_eq(relay_pairs[0].number, 3);
    bypeer_store_close(store);
}
