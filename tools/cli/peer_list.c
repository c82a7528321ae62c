/*
 * bypeer peer list and show: who is there, how well, and how fast. Rates are the difference of two looks at the counts,
 * --interval apart; what was dropped is counted by the node as a whole.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cli/table.h"

#define INTERVAL_S 1 /* between the two looks */
#define COLUMNS    11

/* All peers, page by page; *ret_peers is an array. */
static int fetch_peers(struct cli *cli, json_t **ret_peers)
{
    json_t *peers = json_array();
    json_int_t after = 0;
    do {
        json_t *page = NULL;
        int status = cli_call(cli, "peers.list",
                              json_pack("{s:I, s:s*}", "after", after, "group", cli->options[CLI_OPTION_GROUP]), &page);
        if (status != CLI_OK) {
            json_decref(peers);
            return status;
        }
        json_array_extend(peers, json_object_get(page, "peers"));
        after = cli_integer(page, "next");
        json_decref(page);
    } while (after != 0);
    *ret_peers = peers;
    return CLI_OK;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Bits a second by which a count of bytes grew; what began anew meanwhile has grown from zero. */
static json_int_t rate(const json_t *before, const json_t *after, const char *key, double seconds)
{
    json_int_t from = cli_integer(before, key), to = cli_integer(after, key);
    return (json_int_t)((double)(to >= from ? to - from : to) * 8 / seconds);
}

/* Adds rates to the later look's peers; both are in order of id. */
static void add_rates(const json_t *before, json_t *after, double seconds)
{
    size_t at = 0, i;
    json_t *peer;
    json_array_foreach (after, i, peer) {
        while (at < json_array_size(before) && cli_integer(json_array_get(before, at), "id") < cli_integer(peer, "id"))
            at++;
        const json_t *earlier = json_array_get(before, at);
        if (!earlier || cli_integer(earlier, "id") != cli_integer(peer, "id"))
            continue;
        json_object_set_new(peer, "received_bps", json_integer(rate(earlier, peer, "received_bytes", seconds)));
        json_object_set_new(peer, "sent_bps", json_integer(rate(earlier, peer, "sent_bytes", seconds)));
    }
}

static int fetch_with_rates(struct cli *cli, json_t **ret_peers)
{
    json_t *before = NULL, *after = NULL;
    long interval;
    int status = cli_number(cli, CLI_OPTION_INTERVAL, 0, 3600, INTERVAL_S, &interval);
    if (status == CLI_OK)
        status = fetch_peers(cli, &before);
    if (status != CLI_OK || interval == 0) {
        *ret_peers = before;
        return status;
    }
    double began = seconds_now();
    nanosleep(&(struct timespec){.tv_sec = interval}, NULL);
    status = fetch_peers(cli, &after);
    if (status == CLI_OK)
        add_rates(before, after, seconds_now() - began);
    json_decref(before);
    *ret_peers = after;
    return status;
}

static bool concerns_peers(const char *name)
{
    return strncmp(name, "drop.wireguard_", 15) == 0 || strcmp(name, "drop.no_session") == 0 ||
           strcmp(name, "drop.no_endpoint") == 0;
}

/* Reasons for which packets of peers were dropped, with how many. */
static int fetch_drops(struct cli *cli, json_t **ret_drops)
{
    json_t *counters = NULL, *drops = json_array(), *counter;
    size_t i;
    int status = cli_call(cli, "counters", NULL, &counters);
    json_array_foreach (json_object_get(counters, "counters"), i, counter) {
        if (concerns_peers(cli_text(counter, "name")) && cli_integer(counter, "value") > 0)
            json_array_append_new(drops, json_pack("{s:s, s:s, s:I}", "name", cli_text(counter, "name"), "text",
                                                   cli_text(counter, "text"), "value", cli_integer(counter, "value")));
    }
    json_decref(counters);
    *ret_drops = drops;
    return status;
}

static void cell_ago(struct cli_table *table, json_int_t when, time_t now)
{
    char duration[CLI_WORDS];
    if (when)
        cli_table_format(table, "%s ago", cli_duration((double)(now - when), duration));
    else
        cli_table_cell(table, "never");
}

static void cell_rate(struct cli_table *table, const json_t *peer, const char *key)
{
    double bits = (double)cli_integer(peer, key);
    if (!json_object_get(peer, key))
        cli_table_cell(table, NULL);
    else if (bits >= 1e6)
        cli_table_format(table, "%.1f Mb/s", bits / 1e6);
    else
        cli_table_format(table, "%.1f kb/s", bits / 1e3);
}

static void peer_row(struct cli_table *table, const json_t *peer, time_t now)
{
    bool up = json_is_true(json_object_get(peer, "up"));
    char text[CLI_WORDS];
    cli_table_row(table);
    cli_table_cell(table, cli_text(peer, "name"));
    cli_table_cell(table, cli_text(peer, "group"));
    cli_table_cell(table, cli_text(peer, "address"));
    cli_table_cell(table, cli_text(peer, "endpoint"));
    cli_table_colour(table, up ? cli_text(peer, "path") : "down", up ? CLI_GOOD : CLI_BAD);
    cell_ago(table, cli_integer(peer, "last_handshake"), now);
    cli_table_cell(table, cli_bytes((double)cli_integer(peer, "received_bytes"), text));
    cell_rate(table, peer, "received_bps");
    cli_table_cell(table, cli_bytes((double)cli_integer(peer, "sent_bytes"), text));
    cell_rate(table, peer, "sent_bps");
    cli_table_colour(table, cli_text(peer, "origin"), CLI_FAINT);
}

static int print_peers(struct cli *cli, const json_t *peers, const json_t *drops)
{
    static const struct cli_column columns[COLUMNS] = {{"PEER", false},     {"GROUP", false}, {"ADDRESS", false},
                                                       {"ENDPOINT", false}, {"PATH", false},  {"HANDSHAKE", true},
                                                       {"RECEIVED", true},  {"RATE", true},   {"SENT", true},
                                                       {"RATE", true},      {"ORIGIN", false}};
    struct cli_table *table = cli_table_begin(cli, columns, COLUMNS);
    size_t i;
    json_t *entry;
    json_array_foreach (peers, i, entry) {
        peer_row(table, entry, time(NULL));
    }
    int status = cli_table_end(table);
    json_array_foreach (drops, i, entry) {
        printf("dropped %lld: %s\n", (long long)cli_integer(entry, "value"), cli_text(entry, "text"));
    }
    return status;
}

int cli_run_peer_list(struct cli *cli)
{
    json_t *peers = NULL, *drops = NULL;
    int status = fetch_with_rates(cli, &peers);
    if (status == CLI_OK)
        status = fetch_drops(cli, &drops);
    if (status == CLI_OK && !cli->json)
        status = print_peers(cli, peers, drops);
    if (status == CLI_OK && cli->json) {
        json_t *result = json_pack("{s:O, s:O}", "peers", peers, "drops", drops);
        cli_print_json(result);
        json_decref(result);
    }
    json_decref(peers);
    json_decref(drops);
    return status;
}

static void print_line(const char *what, const char *text)
{
    if (text[0])
        printf("  %-18s %s\n", what, text);
}

static void print_traffic(const json_t *peer, const char *what, const char *bytes, const char *packets)
{
    char text[CLI_WORDS];
    printf("  %-18s %s in %lld packets\n", what, cli_bytes((double)cli_integer(peer, bytes), text),
           (long long)cli_integer(peer, packets));
}

int cli_run_peer_show(struct cli *cli)
{
    json_t *peer = NULL;
    char text[CLI_WORDS] = "";
    int status = cli_list(cli, "peers.show", json_pack("{s:s}", "name", cli->arguments[0]), &peer);
    if (!peer)
        return status;
    json_int_t handshake = cli_integer(peer, "last_handshake");
    printf("%s: %s\n", cli_text(peer, "name"), json_is_true(json_object_get(peer, "up")) ? "up" : "down");
    print_line("why", cli_text(peer, "why_down"));
    print_line("group", cli_text(peer, "group"));
    print_line("address", cli_text(peer, "address"));
    print_line("public key", cli_text(peer, "public_key"));
    print_line("preshared key", json_is_true(json_object_get(peer, "has_preshared_key")) ? "yes" : "no");
    print_line("endpoint", cli_text(peer, "endpoint"));
    print_line("path", cli_text(peer, "path"));
    if (handshake)
        printf("  %-18s %s ago\n", "last handshake", cli_duration((double)(time(NULL) - handshake), text));
    else
        print_line("last handshake", "never");
    print_traffic(peer, "received", "received_bytes", "received_packets");
    print_traffic(peer, "sent", "sent_bytes", "sent_packets");
    printf("  %-18s %lld s\n  %-18s %lld\n", "keepalive", (long long)cli_integer(peer, "keepalive"), "mtu",
           (long long)cli_integer(peer, "mtu"));
    print_line("origin", cli_text(peer, "origin"));
    json_decref(peer);
    return CLI_OK;
}
