/* `bypeer peer` as a person or a script sees it: files, codes, lists; and that no private key ever leaves the program.
 */
#include <criterion/criterion.h>
#include <qrencode.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "cli_fixture.h"

/* RFC 7748, 6.1: Alice's keys. */
#define PRIVATE "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
#define PUBLIC  "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define OTHER   "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define HUB     "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="

static char key_added[64]; /* public key of the last peers.add or peers.set_key */
static unsigned looks;     /* at the list */

static json_t *play_config(const char *name)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:[s], s:s, s:s, s:[s, s], s:i, s:i, s:s}", "name", name, "group", "lab",
                     "public_key", key_added[0] ? key_added : PUBLIC, "address", "fd12:3456:789a::20", "dns",
                     "fd12:3456:789a::1", "hub_public_key", HUB, "endpoint", "[2001:db8:1::1]:51820", "allowed_ips",
                     "fd12:3456:789a::/48", "fd77::/48", "keepalive", 25, "mtu", 1420, "preshared_key", OTHER);
}

static json_t *play_list(void)
{
    looks++;
    return json_pack("{s:[{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:I, s:I, s:s}]}", "peers", "id", 4, "name", "alice",
                     "group", "lab", "address", "fd12:3456:789a::20", "endpoint", "[2001:db8::9]:4242", "path", "hub",
                     "up", 1, "last_handshake", 0, "received_bytes", (json_int_t)looks * 1000000, "sent_bytes",
                     (json_int_t)5, "origin", "api");
}

static json_t *play(const char *method, const json_t *params)
{
    char *text = json_dumps(params, JSON_COMPACT);
    cr_expect_null(text ? strstr(text, PRIVATE) : NULL, "%s was sent the private key", method);
    free(text);
    if (strcmp(method, "peers.add") == 0 || strcmp(method, "peers.set_key") == 0)
        snprintf(key_added, sizeof(key_added), "%s", json_string_value(json_object_get(params, "public_key")));
    if (strcmp(method, "peers.config") == 0)
        return play_config(json_string_value(json_object_get(params, "name")));
    return strcmp(method, "peers.list") == 0 ? play_list() : NULL;
}

static const struct cli_fixture_answer answers[] = {
    {"peers.add", "{\"added\":1,\"address\":\"fd12:3456:789a::20\"}"},
    {"peers.set_key", "{\"replaced\":1}"},
    {"peers.remove", "{\"removed\":1}"},
    {"peers.load", "{\"added\":2}"},
    {"peers.show",
     "{\"name\":\"alice\",\"up\":false,\"why_down\":\"there has been no handshake\",\"group\":\"lab\",\"public_key\":"
     "\"" PUBLIC "\",\"last_handshake\":0,\"received_packets\":7,\"received_bytes\":2048}"},
    {"counters",
     "{\"counters\":[{\"name\":\"drop.wireguard_replay\",\"text\":\"counter was received before\",\"value\":3},"
     "{\"name\":\"drop.wireguard_tag\",\"text\":\"not authentic\",\"value\":0},"
     "{\"name\":\"drop.hop_limit\",\"text\":\"hop limit\",\"value\":9}]}"},
};

static void start(void)
{
    key_added[0] = '\0';
    looks = 0;
    cli_fixture_start(answers, sizeof(answers) / sizeof(answers[0]), play);
}

TestSuite(cli_peers, .init = start, .fini = cli_fixture_stop, .timeout = 60);

/* The value of "KEY = value" in a file; NULL: there is no such line. */
static const char *value_of(const char *key)
{
    static char value[128];
    const char *at = cli_played.out;
    size_t length = strlen(key);
    for (; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, key, length) == 0 && strncmp(at + length, " = ", 3) == 0) {
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(at + length + 3, "\n"), at + length + 3);
            return value;
        }
    }
    return NULL;
}

static void expect_public(const char *private_text, const char *public_text)
{
    uint8_t private_key[32], public_key[32];
    char text[45];
    size_t bytes;
    cr_assert_eq(sodium_base642bin(private_key, 32, private_text, strlen(private_text), NULL, &bytes, NULL,
                                   sodium_base64_VARIANT_ORIGINAL),
                 0);
    crypto_scalarmult_base(public_key, private_key);
    sodium_bin2base64(text, sizeof(text), public_key, 32, sodium_base64_VARIANT_ORIGINAL);
    cr_expect_str_eq(text, public_text);
}

Test(cli_peers, a_client_with_its_own_key)
{
    cr_expect_eq(cli_fixture_run("peer add alice --group lab --public-key " PUBLIC " --keepalive 9"), 0);
    cr_expect_str_eq(cli_played.requests[0],
                     "peers.add {\"name\":\"alice\",\"group\":\"lab\",\"public_key\":\"" PUBLIC "\",\"keepalive\":9}");
    cr_expect_str_eq(cli_played.out, "alice is added as fd12:3456:789a::20; its file: bypeer peer config alice\n");
    cr_expect_eq(cli_fixture_run("peer config alice"), 0);
    cr_expect_null(value_of("PrivateKey"), "the peer has it");
    cr_expect_str_eq(value_of("Address"), "fd12:3456:789a::20/128");
    cr_expect_str_eq(value_of("DNS"), "fd12:3456:789a::1");
    cr_expect_str_eq(value_of("MTU"), "1420");
    cr_expect_str_eq(value_of("PublicKey"), HUB);
    cr_expect_str_eq(value_of("PresharedKey"), OTHER);
    cr_expect_str_eq(value_of("AllowedIPs"), "fd12:3456:789a::/48, fd77::/48");
    cr_expect_str_eq(value_of("Endpoint"), "[2001:db8:1::1]:51820");
    cr_expect_str_eq(value_of("PersistentKeepalive"), "25");
}

Test(cli_peers, a_new_key_is_shown_once_and_its_public_half_is_sent)
{
    cr_expect_eq(cli_fixture_run("peer add alice --group lab --new-key"), 0);
    cr_assert_not_null(value_of("PrivateKey"));
    expect_public(value_of("PrivateKey"), key_added);
    char first[64];
    snprintf(first, sizeof(first), "%s", value_of("PrivateKey"));
    for (unsigned at = 0; at < cli_played.request_count; at++)
        cr_expect_null(strstr(cli_played.requests[at], first));
    cr_expect_eq(cli_fixture_run("peer config alice --new-key"), 0);
    cr_expect_str_neq(value_of("PrivateKey"), first);
    expect_public(value_of("PrivateKey"), key_added);
}

Test(cli_peers, a_private_key_that_the_peer_keeps_in_a_file)
{
    char arguments[256];
    const char *file = cli_fixture_file(PRIVATE "\n");
    snprintf(arguments, sizeof(arguments), "peer config alice --private-key-file %s", file);
    cr_expect_eq(cli_fixture_run(arguments), 0);
    cr_expect_str_eq(value_of("PrivateKey"), PRIVATE);
    cli_fixture_file(OTHER "\n");
    cr_expect_eq(cli_fixture_run(arguments), 1);
    cli_fixture_expect_in(cli_played.err, "another public key");
    cr_expect_str_empty(cli_played.out);
    cli_fixture_file("short\n");
    cr_expect_eq(cli_fixture_run(arguments), 1);
    cli_fixture_expect_in(cli_played.err, "holds no key");
}

/* Module (row, column) of the code as printed: light ones are drawn. */
static bool is_light(const char *out, int row, int column)
{
    for (int line = 0; line < row / 2; line++)
        out = strchr(out, '\n') + 1;
    for (int at = 0; at < column; at++)
        out += *out == ' ' ? 1 : 3;
    bool upper = strncmp(out, "\u2580", 3) == 0, lower = strncmp(out, "\u2584", 3) == 0;
    return strncmp(out, "\u2588", 3) == 0 || (row % 2 == 0 ? upper : lower);
}

Test(cli_peers, a_code_says_the_same_as_the_file)
{
    char arguments[256];
    const char *key = cli_fixture_file(PRIVATE "\n");
    snprintf(arguments, sizeof(arguments), "peer config alice --private-key-file %s", key);
    cr_assert_eq(cli_fixture_run(arguments), 0);
    char *file = strdup(cli_played.out);
    strcat(arguments, " --qr");
    cr_assert_eq(cli_fixture_run(arguments), 0);
    QRcode *code = QRcode_encodeString8bit(file, 0, QR_ECLEVEL_L);
    cr_assert_not_null(code);
    for (int row = -4; row < code->width + 4; row++)
        for (int column = -4; column < code->width + 4; column++) {
            bool inside = row >= 0 && column >= 0 && row < code->width && column < code->width;
            bool light = !inside || !(code->data[row * code->width + column] & 1);
            cr_assert_eq(is_light(cli_played.out, row + 4, column + 4), light, "%d, %d", row, column);
        }
    QRcode_free(code);
    free(file);
}

Test(cli_peers, the_list_shows_rates_and_what_was_dropped)
{
    cr_expect_eq(cli_fixture_run("peer"), 0);
    cr_expect_eq(looks, 2);
    cli_fixture_expect_in(cli_played.out, "PEER");
    cli_fixture_expect_in(cli_played.out, "[2001:db8::9]:4242");
    /* One rate of the two is none; the other depends on how long the second look took. */
    const char *none = strstr(cli_played.out, " 0.0 kb/s");
    cr_assert_not_null(none);
    cr_expect_null(strstr(none + 1, " 0.0 kb/s"));
    cli_fixture_expect_in(cli_played.out, "b/s ");
    cli_fixture_expect_in(cli_played.out, "never");
    cli_fixture_expect_in(cli_played.out, "dropped 3: counter was received before\n");
    cr_expect_null(strstr(cli_played.out, "hop limit"));
    cr_expect_eq(cli_fixture_run("peer list --interval 0 -o json"), 0);
    cr_expect_eq(looks, 3);
    json_t *result = json_loads(cli_played.out, 0, NULL);
    cr_assert_not_null(result);
    cr_expect_eq(json_array_size(json_object_get(result, "peers")), 1);
    cr_expect_eq(json_array_size(json_object_get(result, "drops")), 1);
    json_decref(result);
    cr_expect_eq(cli_fixture_run("peer show alice"), 0);
    cli_fixture_expect_in(cli_played.out, "there has been no handshake");
    cli_fixture_expect_in(cli_played.out, "2.0 KiB in 7 packets");
}

Test(cli_peers, many_from_a_file)
{
    char arguments[256];
    const char *file = cli_fixture_file("# two\nalice " PUBLIC "\nbob " OTHER " fd12:3456:789a::30 # his own\n\n");
    snprintf(arguments, sizeof(arguments), "peer load %s --group lab", file);
    cr_expect_eq(cli_fixture_run(arguments), 0);
    cr_expect_str_eq(cli_played.requests[0],
                     "peers.load {\"peers\":[{\"name\":\"alice\",\"group\":\"lab\",\"public_key\":\"" PUBLIC "\"},"
                     "{\"name\":\"bob\",\"group\":\"lab\",\"public_key\":\"" OTHER
                     "\",\"address\":\"fd12:3456:789a::30\"}]}");
    cr_expect_str_eq(cli_played.out, "2 peers are added\n");
    cli_fixture_file("alice " PUBLIC "\nbob\ncarol key\ndave " OTHER " none more\n");
    cr_expect_eq(cli_fixture_run(arguments), 1);
    cli_fixture_expect_in(cli_played.err, ":2: is no peer");
    cli_fixture_expect_in(cli_played.err, "3 wrong lines; nothing was loaded");
    cr_expect_eq(cli_played.request_count, 1);
}

Test(cli_peers, a_wrong_command_line_is_2_and_sends_nothing)
{
    static const struct {
        const char *arguments, *message;
    } wrong[] = {
        {"peer add a --group lab", "peer add: give --public-key KEY"},
        {"peer add a --group lab --new-key --public-key " PUBLIC, "peer add: give --public-key KEY"},
        {"peer add a --group lab --qr --public-key " PUBLIC, "--qr: a code needs the private key"},
        {"peer add a --public-key " PUBLIC, "peer add needs --group GROUP"},
        {"peer add a --group lab --new-key --keepalive 70000", "--keepalive: 70000 is out of range"},
        {"peer add a --group lab --new-key --new-preshared-key --preshared-key-file x", "give one of them"},
        {"peer config a --qr", "--qr: a code needs the private key"},
        {"peer config a --new-key --private-key-file x", "give one of them"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect_eq(cli_fixture_run(wrong[i].arguments), 2, "%s", wrong[i].arguments);
        cli_fixture_expect_in(cli_played.err, wrong[i].message);
    }
    cr_expect_eq(cli_played.request_count, 0);
}
