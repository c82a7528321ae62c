/*
 * What a handshake with a wrong MAC1 costs, which anybody can send: 116 of an initiation's bytes hashed by keyed
 * BLAKE2s.
 *
 *   burst       bypeer_cookie_check_burst(), as the workers do
 *   one by one  bypeer_cookie_check(), as control does
 *   libcrypto   its BLAKE2SMAC and a comparison, one by one, with contexts that are kept
 */
#include <getopt.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "overlay/wireguard/cookie.h"
#include "perf/bench.h"
#include "perf/bench_turns.h"
#include "tests/random.h"

#define MESSAGES 4096
#define BYTES    BYPEER_WIREGUARD_INITIATION_BYTES
#define COVERED  (BYTES - BYPEER_WIREGUARD_MACS)
#define ROUNDS   31
#define WAYS     3

struct bench {
    struct bypeer_cookie_checker checker;
    EVP_MAC_CTX *mac;
    uint64_t random;
    unsigned right; /* of all turns: none should be */
    const uint8_t *datagrams[MESSAGES];
    size_t lengths[MESSAGES];
    uint8_t rooms[MESSAGES][BYTES];
};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void draw(void *context)
{
    struct bench *bench = context;
    for (unsigned i = 0; i < MESSAGES; i++)
        for (unsigned at = 0; at < BYTES; at++)
            bench->rooms[i][at] = (uint8_t)random_next(&bench->random);
}

static double turn_burst(void *context)
{
    struct bench *bench = context;
    bool is_right[BYPEER_COOKIE_BURST];
    double start = now_ns();
    for (unsigned i = 0; i < MESSAGES; i += BYPEER_COOKIE_BURST) {
        bypeer_cookie_check_burst(&bench->checker, bench->datagrams + i, bench->lengths, BYPEER_COOKIE_BURST, is_right);
        for (unsigned k = 0; k < BYPEER_COOKIE_BURST; k++)
            bench->right += is_right[k];
    }
    return (now_ns() - start) / MESSAGES;
}

static double turn_single(void *context)
{
    static const uint8_t source[18];
    struct bench *bench = context;
    double start = now_ns();
    for (unsigned i = 0; i < MESSAGES; i++)
        bench->right += bypeer_cookie_check(&bench->checker, bench->datagrams[i], BYTES, source, sizeof(source), false,
                                            1) != BYPEER_COOKIE_BAD;
    return (now_ns() - start) / MESSAGES;
}

static double turn_libcrypto(void *context)
{
    static const uint8_t key[32] = {1};
    struct bench *bench = context;
    double start = now_ns();
    for (unsigned i = 0; i < MESSAGES; i++) {
        uint8_t mac[BYPEER_WIREGUARD_MAC];
        size_t bytes;
        EVP_MAC_init(bench->mac, key, sizeof(key), NULL);
        EVP_MAC_update(bench->mac, bench->rooms[i], COVERED);
        EVP_MAC_final(bench->mac, mac, &bytes, sizeof(mac));
        bench->right += CRYPTO_memcmp(mac, bench->rooms[i] + COVERED, sizeof(mac)) == 0;
    }
    return (now_ns() - start) / MESSAGES;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    static const uint8_t public_key[32] = {1}, secret[32] = {2};
    static struct bench bench;
    bench_turn *const ways[WAYS] = {turn_burst, turn_single, turn_libcrypto};
    size_t mac_bytes = BYPEER_WIREGUARD_MAC;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &mac_bytes), OSSL_PARAM_END};
    double ns[WAYS];
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 'j')
            return 2;
        json = true;
    }
    EVP_MAC *method = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
    bench.mac = method ? EVP_MAC_CTX_new(method) : NULL;
    if (!bench.mac || !EVP_MAC_CTX_set_params(bench.mac, parameters))
        return bench_fail("this libcrypto has no BLAKE2s");
    bypeer_cookie_checker_init(&bench.checker, public_key, secret);
    for (unsigned i = 0; i < MESSAGES; i++) {
        bench.datagrams[i] = bench.rooms[i];
        bench.lengths[i] = BYTES;
    }
    bench_turns_take(ROUNDS, draw, ways, WAYS, &bench, ns);
    EVP_MAC_CTX_free(bench.mac);
    EVP_MAC_free(method);
    if (bench.right != 0)
        return bench_fail("%u random MACs were right", bench.right);
    if (json)
        printf("{\"burst_ns\": %.1f, \"single_ns\": %.1f, \"libcrypto_ns\": %.1f}\n", ns[0], ns[1], ns[2]);
    else
        printf("ns a handshake with a wrong MAC1 (median of %d turns of %d)\n"
               "  in bursts of %d %7.1f\n"
               "  one by one     %7.1f\n"
               "  libcrypto      %7.1f\n",
               ROUNDS, MESSAGES, BYPEER_COOKIE_BURST, ns[0], ns[1], ns[2]);
    return 0;
}

const struct bench_command bench_mac1 = {
    .name = "mac1",
    .options = "[--json]",
    .summary = "what a handshake from a stranger costs",
    .run = run,
};
