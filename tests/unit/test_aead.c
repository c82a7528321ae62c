/* Bursts sealed and opened by each engine, beside libcrypto: published vectors, any sizes, bad tags, ends of memory. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "overlay/ip/checksum.h"
#include "overlay/wireguard/aead.h"
#include "overlay/wireguard/crypto.h"
#include "tests/random.h"
#include "tests/unit/pnrp_bytes.h"

#define ENGINES 2
#define MOST    9000
#define PAGES   ((size_t)16384) /* room of one text */
#define OFFSETS 64
#define CANARY  0xa5
#define ROUNDS  300

static const enum bypeer_aead_engine engines[ENGINES] = {BYPEER_AEAD_PORTABLE, BYPEER_AEAD_AVX512};

static struct bypeer_crypto *crypto;
static uint64_t random_state = 8439;

static void setup(void)
{
    cr_assert_eq(bypeer_crypto_new(&crypto), 0);
}

static void teardown(void)
{
    bypeer_crypto_free(crypto);
}

TestSuite(aead, .init = setup, .fini = teardown);

/* NULL: this processor has no such engine. */
static struct bypeer_aead *engine_make(enum bypeer_aead_engine engine)
{
    struct bypeer_aead *aead = NULL;
    int status = bypeer_aead_new(&aead, engine);
    cr_assert(status == 0 || (status == -ENOTSUP && engine != BYPEER_AEAD_PORTABLE));
    return aead;
}

static uint32_t below(uint32_t limit)
{
    return random_next_below(&random_state, limit);
}

static void fill(void *bytes, size_t length)
{
    uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++)
        at[i] = (uint8_t)random_next(&random_state);
}

/* --- one burst and what libcrypto makes of it --- */

struct message {
    uint8_t key[32];
    uint8_t plain[MOST];
    uint8_t sealed[MOST + BYPEER_AEAD_TAG];
    uint8_t room[OFFSETS + MOST + BYPEER_AEAD_TAG + OFFSETS]; /* canaries on both sides */
    uint32_t offset;
    bool is_bad;
};

static struct message messages[BYPEER_AEAD_BURST];
static struct bypeer_aead_job jobs[BYPEER_AEAD_BURST];

static void message_make(unsigned i, uint32_t bytes)
{
    struct message *message = &messages[i];
    fill(message->key, sizeof(message->key));
    fill(message->plain, bytes);
    message->offset = below(OFFSETS);
    message->is_bad = false;
    jobs[i] = (struct bypeer_aead_job){.key = message->key,
                                       .counter = random_next(&random_state),
                                       .text = message->room + message->offset,
                                       .bytes = bytes};
    cr_assert_eq(
        bypeer_crypto_seal(crypto, message->key, jobs[i].counter, NULL, 0, message->plain, bytes, message->sealed), 0);
}

/* Puts text where the job has its own, among canaries. */
static void message_put(unsigned i, const uint8_t *text, size_t bytes)
{
    memset(messages[i].room, CANARY, sizeof(messages[i].room));
    memcpy(jobs[i].text, text, bytes);
    jobs[i].is_good = false;
}

static void expect_canaries(unsigned i)
{
    const uint8_t *room = messages[i].room, *end = jobs[i].text + jobs[i].bytes + BYPEER_AEAD_TAG;
    for (const uint8_t *at = room; at < jobs[i].text; at++)
        cr_assert_eq(*at, CANARY, "message %u: wrote before its text", i);
    for (const uint8_t *at = end; at < room + sizeof(messages[i].room); at++)
        cr_assert_eq(*at, CANARY, "message %u: wrote behind its tag", i);
}

/* Nothing and 0xffff are the same number. */
static void expect_sum(const char *engine, unsigned i)
{
    uint16_t expected = bypeer_checksum_fold(bypeer_checksum_sum(jobs[i].text, jobs[i].bytes + BYPEER_AEAD_TAG));
    cr_assert_eq(bypeer_checksum_fold(jobs[i].sum) % 0xffff, expected % 0xffff, "%s: sum of message %u, %u bytes",
                 engine, i, jobs[i].bytes);
}

static void burst_seal(struct bypeer_aead *aead, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        message_put(i, messages[i].plain, jobs[i].bytes);
    bypeer_aead_seal(aead, jobs, count);
    for (unsigned i = 0; i < count; i++) {
        cr_assert(jobs[i].is_good);
        cr_assert_arr_eq(jobs[i].text, messages[i].sealed, jobs[i].bytes + BYPEER_AEAD_TAG,
                         "%s: message %u of %u, %u bytes, is not what libcrypto seals", bypeer_aead_name(aead), i,
                         count, jobs[i].bytes);
        expect_sum(bypeer_aead_name(aead), i);
        expect_canaries(i);
    }
}

/* Some with a bit wrong, anywhere in text or tag. */
static void burst_open(struct bypeer_aead *aead, unsigned count)
{
    static const uint8_t wiped[MOST];
    for (unsigned i = 0; i < count; i++) {
        message_put(i, messages[i].sealed, jobs[i].bytes + BYPEER_AEAD_TAG);
        messages[i].is_bad = below(4) == 0;
        if (messages[i].is_bad)
            jobs[i].text[below(jobs[i].bytes + BYPEER_AEAD_TAG)] ^= (uint8_t)(1u << below(8));
    }
    bypeer_aead_open(aead, jobs, count);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_neq(jobs[i].is_good, messages[i].is_bad, "%s: message %u of %u, %u bytes, %s", bypeer_aead_name(aead),
                      i, count, jobs[i].bytes, messages[i].is_bad ? "is forged" : "is authentic");
        cr_assert_arr_eq(jobs[i].text, messages[i].is_bad ? wiped : messages[i].plain, jobs[i].bytes);
        expect_canaries(i);
    }
}

static void burst_check(unsigned count)
{
    for (unsigned e = 0; e < ENGINES; e++) {
        struct bypeer_aead *aead = engine_make(engines[e]);
        if (!aead)
            continue;
        burst_seal(aead, count);
        burst_open(aead, count);
        bypeer_aead_free(aead);
    }
}

/* --- */

/* Appendix A.5 has associated data, which reaches only its tag. */
Test(aead, ciphertext_is_that_of_rfc_8439)
{
    static const char text[] = "Internet-Drafts are draft documents valid for a maximum of six months and may be "
                               "updated, replaced, or obsoleted by other documents at any time. It is inappropriate to "
                               "use Internet-Drafts as reference material or to cite them other than as "
                               "/\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
    size_t length;
    uint8_t *key = bytes_of("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", &length);
    for (unsigned e = 0; e < ENGINES; e++) {
        struct bypeer_aead *aead = engine_make(engines[e]);
        if (!aead)
            continue;
        uint8_t room[4][sizeof(text) - 1 + BYPEER_AEAD_TAG];
        struct bypeer_aead_job burst[4];
        for (unsigned i = 0; i < 4; i++) {
            memcpy(room[i], text, sizeof(text) - 1);
            burst[i] = (struct bypeer_aead_job){
                .key = key, .counter = UINT64_C(0x0807060504030201), .text = room[i], .bytes = sizeof(text) - 1};
        }
        bypeer_aead_seal(aead, burst, 4);
        for (unsigned i = 0; i < 4; i++) {
            bytes_expect(room[i], 32, "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2",
                         "appendix A.5, ciphertext");
            bytes_expect(room[i] + sizeof(text) - 1 - 9, 9, "a6ad5cb4022b02709b", "appendix A.5, its end");
        }
        bypeer_aead_free(aead);
    }
    free(key);
}

Test(aead, each_size_as_libcrypto_has_it)
{
    for (uint32_t bytes = 0; bytes <= 700; bytes++) {
        unsigned count = 1 + bytes % 9;
        for (unsigned i = 0; i < count; i++)
            message_make(i, bytes);
        burst_check(count);
    }
}

/* Bursts that are too few for lanes across messages. */
Test(aead, each_size_alone_and_in_small_company, .timeout = 120)
{
    for (uint32_t bytes = 0; bytes <= 2112; bytes++) {
        unsigned count = 1 + bytes % 4;
        for (unsigned i = 0; i < count; i++)
            message_make(i, i == 0 ? bytes : below(bytes + 1));
        burst_check(1);
        burst_check(count);
    }
}

/* Each bit of text and tag counts, and of a text that is refused nothing is left. */
Test(aead, no_bit_of_a_message_alone_may_change, .timeout = 120)
{
    static const uint32_t sizes[] = {0, 1, 96, 112, 113, 448, 449, 960, 961, 1420, 1985};
    static const uint8_t wiped[MOST];
    struct bypeer_aead *aead = engine_make(BYPEER_AEAD_BEST);
    for (unsigned size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++) {
        message_make(0, sizes[size]);
        for (uint32_t at = 0; at < sizes[size] + BYPEER_AEAD_TAG; at++) {
            message_put(0, messages[0].sealed, sizes[size] + BYPEER_AEAD_TAG);
            jobs[0].text[at] ^= (uint8_t)(1u << at % 8);
            bypeer_aead_open(aead, jobs, 1);
            cr_assert_not(jobs[0].is_good, "%u bytes, byte %u", sizes[size], at);
            cr_assert_arr_eq(jobs[0].text, wiped, sizes[size]);
            expect_canaries(0);
        }
    }
    bypeer_aead_free(aead);
}

Test(aead, mixed_sizes_in_bursts_of_any_count, .timeout = 120)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = 1 + below(BYPEER_AEAD_BURST);
        uint32_t limit = (const uint32_t[]){65, 300, 1500, MOST + 1}[below(4)];
        for (unsigned i = 0; i < count; i++)
            message_make(i, below(limit));
        burst_check(count);
    }
}

/* All forged at once, and a burst that differs in one packet only from one that is not. */
Test(aead, only_what_is_forged_is_refused)
{
    for (unsigned e = 0; e < ENGINES; e++) {
        struct bypeer_aead *aead = engine_make(engines[e]);
        if (!aead)
            continue;
        for (unsigned bad = 0; bad <= BYPEER_AEAD_BURST; bad++) {
            for (unsigned i = 0; i < BYPEER_AEAD_BURST; i++) {
                message_make(i, 80);
                message_put(i, messages[i].sealed, 80 + BYPEER_AEAD_TAG);
                if (i == bad || bad == BYPEER_AEAD_BURST)
                    jobs[i].text[80 + BYPEER_AEAD_TAG - 1] ^= 0x80;
            }
            bypeer_aead_open(aead, jobs, BYPEER_AEAD_BURST);
            for (unsigned i = 0; i < BYPEER_AEAD_BURST; i++)
                cr_assert_eq(jobs[i].is_good, i != bad && bad != BYPEER_AEAD_BURST);
        }
        bypeer_aead_free(aead);
    }
}

/* Texts between pages that may not be touched: one byte beyond either end is a SIGSEGV. */
Test(aead, nothing_beyond_a_text_is_touched)
{
    uint8_t *rooms[BYPEER_AEAD_BURST];
    for (unsigned i = 0; i < BYPEER_AEAD_BURST; i++) {
        rooms[i] = mmap(NULL, 3 * PAGES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq(rooms[i], MAP_FAILED);
        cr_assert_eq(mprotect(rooms[i] + PAGES, PAGES, PROT_READ | PROT_WRITE), 0);
    }
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned e = 0; e < ENGINES; e++) {
            struct bypeer_aead *aead = engine_make(engines[e]);
            if (!aead)
                continue;
            for (unsigned i = 0; i < BYPEER_AEAD_BURST; i++) {
                message_make(i, below(round % 2 ? 200 : 1600));
                bool at_the_end = below(2);
                jobs[i].text = rooms[i] + PAGES + (at_the_end ? PAGES - jobs[i].bytes - BYPEER_AEAD_TAG : 0);
                memcpy(jobs[i].text, messages[i].plain, jobs[i].bytes);
            }
            unsigned count = round % 4 < 2 ? 1 : BYPEER_AEAD_BURST;
            for (unsigned i = 0; i < BYPEER_AEAD_BURST; i += count) {
                bypeer_aead_seal(aead, jobs + i, count);
                bypeer_aead_open(aead, jobs + i, count);
            }
            for (unsigned i = 0; i < BYPEER_AEAD_BURST; i++) {
                cr_assert(jobs[i].is_good);
                cr_assert_arr_eq(jobs[i].text, messages[i].plain, jobs[i].bytes);
            }
            bypeer_aead_free(aead);
        }
    }
    for (unsigned i = 0; i < BYPEER_AEAD_BURST; i++)
        munmap(rooms[i], 3 * PAGES);
}

Test(aead, best_is_an_engine_that_is_there)
{
    struct bypeer_aead *best = engine_make(BYPEER_AEAD_BEST), *avx512 = engine_make(BYPEER_AEAD_AVX512);
    cr_assert_str_eq(bypeer_aead_name(best), avx512 ? "avx512" : "portable");
    bypeer_aead_free(best);
    bypeer_aead_free(avx512);
}
