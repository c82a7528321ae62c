/*
 * Relay states between workers: run it under ThreadSanitizer as well (b_sanitize=thread).
 *
 * Some threads speak as the user of one state, each from places of its own, some as his partner; two of them replay,
 * and one reuses the state for another pair. Whatever they do at once, nothing is sent to where nobody ever was, and no
 * place gets more than three bytes a byte unless an index came back from it, which here none does. Nor is a state left
 * that does not recover.
 *
 * A plain program, since Criterion does not start under ThreadSanitizer.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/relay/rules.h"
#include "tests/random.h"

#define SPEAKERS 2
#define SENDERS  2
#define PLACES   8 /* of each speaker */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define MESSAGES 200000u
#else
#define MESSAGES 2000000u
#endif

#define SENT 20000u /* and so many go out, at least */

static struct bypeer_relay_state state;
static struct bypeer_relay_claims claims;
static const struct bypeer_relay_end end = {&state, &claims};
static unsigned speaking = SPEAKERS;
static uint64_t sent;                                          /* messages */
static uint64_t in[SPEAKERS * PLACES], out[SPEAKERS * PLACES]; /* bytes, by place */

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

/* Every word is another one at each place. */
static struct bypeer_relay_place place_of(uint64_t number)
{
    return (struct bypeer_relay_place){
        .address = {random_mix(number), random_mix(~number)},
        .port_and_mac = (number + 1) << 48 | (random_mix(number + 99) >> 16),
        .device = (uint8_t)number,
    };
}

static void *speak(void *context)
{
    const uint64_t number = *(const uint64_t *)context;
    uint64_t random = number + 1;
    for (uint32_t i = 0; i < MESSAGES || __atomic_load_n(&sent, __ATOMIC_RELAXED) < SENT; i++) {
        uint64_t at = number * PLACES + random_next_below(&random, PLACES);
        struct bypeer_relay_place place = place_of(at);
        struct bypeer_relay_message message = {.type = BYPEER_WIREGUARD_INITIATION, .bytes = 100, .sender = 1 + i};
        __atomic_fetch_add(&in[at], message.bytes, __ATOMIC_SEQ_CST);
        bypeer_relay_hear(end, i % 1000 == 0 ? 8 : 7, &place, &message, 1000);
    }
    __atomic_sub_fetch(&speaking, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void *send(void *context)
{
    (void)context;
    while (__atomic_load_n(&speaking, __ATOMIC_RELAXED) > 0) {
        struct bypeer_relay_message message = {.type = BYPEER_WIREGUARD_DATA, .bytes = 150, .receiver = 5};
        struct bypeer_relay_place to;
        if (bypeer_relay_where_usual(&state, 7, &message, 1000, &to))
            require(false, "confirmed, though no index came back");
        if (bypeer_relay_where(end, 7, &message, 1000, &to) != BYPEER_RELAY_WAY_GO)
            continue;
        uint64_t at = bypeer_relay_port(&to) - UINT64_C(1);
        require(at < SPEAKERS * PLACES, "sent to nobody's port");
        struct bypeer_relay_place whole = place_of(at);
        require(bypeer_relay_is_same_place(&to, &whole), "sent to where nobody ever was");
        uint64_t bytes = __atomic_add_fetch(&out[at], message.bytes, __ATOMIC_SEQ_CST);
        require(bytes <= BYPEER_RELAY_CREDIT_TIMES * __atomic_load_n(&in[at], __ATOMIC_SEQ_CST),
                "more than three bytes a byte");
        __atomic_add_fetch(&sent, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[SPEAKERS + SENDERS];
    uint64_t numbers[SPEAKERS];
    for (unsigned i = 0; i < SPEAKERS + SENDERS; i++) {
        if (i < SPEAKERS)
            numbers[i] = i;
        require(pthread_create(&threads[i], NULL, i < SPEAKERS ? speak : send, i < SPEAKERS ? &numbers[i] : NULL) == 0,
                "no thread");
    }
    for (unsigned i = 0; i < SPEAKERS + SENDERS; i++)
        require(pthread_join(threads[i], NULL) == 0, "a thread is lost");

    struct bypeer_relay_message message = {.type = BYPEER_WIREGUARD_INITIATION, .bytes = 100, .sender = 9};
    struct bypeer_relay_place place = place_of(3), to;
    bypeer_relay_hear(end, 7, &place, &message, 1000);
    message.type = BYPEER_WIREGUARD_DATA;
    require(bypeer_relay_where(end, 7, &message, 1000, &to) == BYPEER_RELAY_WAY_GO &&
                bypeer_relay_is_same_place(&to, &place),
            "the state does not recover");
    return EXIT_SUCCESS;
}
