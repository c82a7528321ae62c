/*
 * What a worker does with each datagram of a flood, with each packet and with new keys of control's allocates nothing
 * once the contexts are made.
 *
 * A plain program, since libcrypto tells of its allocations only to who asks before its first, and Criterion uses it.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/wireguard/cookie.h"
#include "overlay/wireguard/transport.h"

#define S BYPEER_WIREGUARD_S

static const uint8_t public_key[32] = {1}, secret[32] = {3};

static unsigned allocations;

static void *count_malloc(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return malloc(bytes);
}

static void *count_realloc(void *memory, size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return realloc(memory, bytes);
}

static void count_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

static void work(struct bypeer_crypto *crypto, struct bypeer_cookie_checker *checker, struct bypeer_cookie_jar *jar,
                 uint64_t now_ns)
{
    static const struct bypeer_wireguard_session session = {.local_index = 1, .send_key = {1}, .receive_key = {1}};
    const uint8_t source[18] = {1}, nonce[24] = {2};
    uint8_t flood[148] = {1}, reply[64], datagram[160] = {0};
    require(bypeer_cookie_check(checker, flood, 148, source, 18, true, now_ns) == BYPEER_COOKIE_BAD, "MAC1");
    bypeer_cookie_stamp(jar, flood, 148, now_ns);
    flood[147] = 1; /* a MAC2, and a wrong one */
    require(bypeer_cookie_check(checker, flood, 148, source, 18, true, now_ns) == BYPEER_COOKIE_UNPROVEN, "MAC2");
    require(bypeer_cookie_reply(checker, flood, 148, source, 18, nonce, now_ns, reply) == 0, "reply");
    require(bypeer_transport_seal(crypto, &session, now_ns, datagram, 100, 112) == 0, "seal");
    require(bypeer_transport_open(crypto, &session, datagram, 144) == 112, "open");
    require(bypeer_transport_open(crypto, &session, datagram, 144) == -EBADMSG, "open what is no packet any more");
}

int main(void)
{
    struct bypeer_crypto *crypto;
    struct bypeer_cookie_checker checker;
    struct bypeer_cookie_jar jar;
    require(CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free), "libcrypto was used before");
    require(bypeer_crypto_new(&crypto) == 0, "no contexts");
    bypeer_cookie_jar_init(&jar, public_key);
    bypeer_cookie_checker_init(&checker, public_key, secret);
    require(allocations > 0, "allocations are not counted");
    work(crypto, &checker, &jar, S);
    allocations = 0;
    for (unsigned round = 0; round < 5; round++) {
        const uint8_t other[32] = {(uint8_t)round}; /* control has another secret */
        bypeer_cookie_checker_init(&checker, public_key, other);
        work(crypto, &checker, &jar, (100 + 100 * round) * S);
    }
    printf("%u allocations\n", allocations);
    require(allocations == 0, "a worker would have allocated");
    bypeer_crypto_free(crypto);
    return 0;
}
