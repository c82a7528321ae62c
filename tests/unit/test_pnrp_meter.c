#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/meter.h"
#include "tests/random.h"

#define ANSWER_BYTES  600
#define INQUIRE_BYTES 124
#define PROBE_BYTES   (BYPEER_PROBE_BYTES + 48)
#define GUARD         64

static const struct bypeer_meter_settings settings = {
    .secret = {1, 2, 3}, .entries = 256, .stranger_bytes_s = 16384, .verified_answers_s = 100, .answers_s = 5000};

static uint64_t random_state;

/* A meter whose memory is followed by bytes that nobody may touch. */
static struct bypeer_meter *meter_new(const struct bypeer_meter_settings *with, uint64_t now_ms)
{
    size_t bytes = bypeer_meter_bytes(with);
    uint8_t *memory = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
    cr_assert(memory);
    memset(memory, 0, bytes);
    memset(memory + bytes, 0xa5, GUARD);
    return bypeer_meter_init(memory, with, now_ms);
}

static void meter_end(struct bypeer_meter *meter, const struct bypeer_meter_settings *with)
{
    const uint8_t *guard = (const uint8_t *)meter + bypeer_meter_bytes(with);
    for (unsigned i = 0; i < GUARD; i++)
        cr_assert_eq(guard[i], 0xa5);
    free(meter);
}

struct address {
    uint8_t bytes[16];
};

static struct address address_of(uint64_t net, uint8_t host)
{
    struct address address = {{0x20, 0x01, [15] = host}};
    for (unsigned i = 0; i < 6; i++)
        address.bytes[2 + i] = (uint8_t)(net >> (40 - 8 * i));
    return address;
}

static enum bypeer_meter_verdict inquire(struct bypeer_meter *meter, struct address from, uint64_t now_ms)
{
    bypeer_meter_received(meter, from.bytes, INQUIRE_BYTES, now_ms);
    return bypeer_meter_judge(meter, from.bytes, ANSWER_BYTES, now_ms);
}

Test(pnrp_meter, a_stranger_gets_one_answer_in_ten_seconds)
{
    struct bypeer_meter *meter = meter_new(&settings, 1000);
    struct address one = address_of(1, 1), neighbor = address_of(1, 2), other = address_of(2, 1);
    cr_assert_eq(inquire(meter, one, 1000), BYPEER_METER_ANSWER);
    cr_assert_eq(inquire(meter, other, 1000), BYPEER_METER_ANSWER);
    /* What the first answers were more than their questions has to come in before there are probes. */
    bypeer_meter_received(meter, address_of(3, 1).bytes, 2000, 1000);
    cr_assert_eq(inquire(meter, one, 1001), BYPEER_METER_PROBE);
    cr_assert_eq(inquire(meter, neighbor, 5000), BYPEER_METER_PROBE, "a /64 is one source");
    cr_assert_eq(inquire(meter, one, 12000), BYPEER_METER_ANSWER);
    cr_assert_eq(inquire(meter, neighbor, 12000), BYPEER_METER_PROBE);
    meter_end(meter, &settings);
}

Test(pnrp_meter, whoever_acknowledges_a_probe_is_served)
{
    struct bypeer_meter *meter = meter_new(&settings, 0);
    struct address one = address_of(1, 1);
    cr_assert_eq(inquire(meter, one, 0), BYPEER_METER_ANSWER);
    bypeer_meter_received(meter, address_of(3, 1).bytes, 2000, 0);
    cr_assert_eq(inquire(meter, one, 0), BYPEER_METER_PROBE);
    cr_assert_not(bypeer_meter_is_verified(meter, one.bytes, 0));
    bypeer_meter_verify(meter, one.bytes, 10);
    cr_assert(bypeer_meter_is_verified(meter, one.bytes, 10));
    cr_assert(bypeer_meter_is_verified(meter, address_of(1, 9).bytes, 10));
    for (unsigned i = 0; i < settings.verified_answers_s; i++)
        cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 38000, 10), BYPEER_METER_ANSWER);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 38000, 10), BYPEER_METER_BUSY);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 38000, 19), BYPEER_METER_BUSY);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 38000, 20), BYPEER_METER_ANSWER);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 38000, 20), BYPEER_METER_BUSY);
    bypeer_meter_verify(meter, one.bytes, 20);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 38000, 20), BYPEER_METER_BUSY, "a proof is no refill");
    uint64_t end = 20 + 1000ul * BYPEER_METER_VERIFIED_S;
    cr_assert(bypeer_meter_is_verified(meter, one.bytes, end - 1));
    cr_assert_not(bypeer_meter_is_verified(meter, one.bytes, end));
    meter_end(meter, &settings);
}

Test(pnrp_meter, the_signers_are_shared_by_all)
{
    struct bypeer_meter_settings few = settings;
    few.answers_s = 10;
    struct bypeer_meter *meter = meter_new(&few, 0);
    for (uint64_t net = 0; net < 11; net++) {
        struct address from = address_of(net, 1);
        bypeer_meter_verify(meter, from.bytes, 0);
        cr_assert_eq(inquire(meter, from, 0), net < 10 ? BYPEER_METER_ANSWER : BYPEER_METER_BUSY);
    }
    cr_assert_neq(inquire(meter, address_of(99, 1), 0), BYPEER_METER_ANSWER);
    cr_assert_eq(inquire(meter, address_of(1, 1), 100), BYPEER_METER_ANSWER);
    meter_end(meter, &few);
}

Test(pnrp_meter, more_than_a_datagram_is_for_verified_sources)
{
    struct bypeer_meter *meter = meter_new(&settings, 0);
    struct address one = address_of(1, 1);
    bypeer_meter_received(meter, one.bytes, 5000, 0);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 1281, 0), BYPEER_METER_PROBE);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 1280, 0), BYPEER_METER_ANSWER);
    meter_end(meter, &settings);
}

Test(pnrp_meter, whoever_was_served_can_prove_his_address_at_once)
{
    struct bypeer_meter *meter = meter_new(&settings, 0);
    struct address one = address_of(1, 1);
    cr_assert_eq(inquire(meter, one, 0), BYPEER_METER_ANSWER);
    cr_assert_eq(inquire(meter, one, 0), BYPEER_METER_PROBE);
    meter_end(meter, &settings);
}

Test(pnrp_meter, when_neither_rate_nor_credit_is_left_no_probe_goes_out)
{
    struct bypeer_meter *meter = meter_new(&settings, 0);
    struct address one = address_of(1, 1);
    unsigned probes = 0;
    while (bypeer_meter_judge(meter, one.bytes, 1281, 0) == BYPEER_METER_PROBE)
        probes++;
    cr_assert_eq(probes, settings.stranger_bytes_s / PROBE_BYTES);
    bypeer_meter_received(meter, one.bytes, probes * PROBE_BYTES + PROBE_BYTES - 1, 0);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 1281, 0), BYPEER_METER_DROP);
    bypeer_meter_received(meter, one.bytes, 1, 0);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 1281, 0), BYPEER_METER_PROBE);
    cr_assert_eq(bypeer_meter_judge(meter, one.bytes, 1281, 0), BYPEER_METER_DROP);
    meter_end(meter, &settings);
}

/* What strangers were sent, beside what may be. */
struct ledger {
    uint64_t came, sent, began_ms;
    uint64_t answers, probes;
};

static void ledger_check(const struct ledger *ledger, uint32_t rate, uint64_t now_ms)
{
    uint64_t burst = rate > 1280 ? rate : 1280;
    uint64_t allowed = burst + rate * (now_ms - ledger->began_ms) / 1000;
    cr_assert(ledger->sent <= (ledger->came > allowed ? ledger->came : allowed),
              "%lu bytes sent, %lu came, the rate allows %lu", ledger->sent, ledger->came, allowed);
}

static void ledger_inquire(struct ledger *ledger, struct bypeer_meter *meter, struct address from, size_t bytes,
                           size_t answer_bytes, uint64_t now_ms)
{
    bool is_stranger = !bypeer_meter_is_verified(meter, from.bytes, now_ms);
    bypeer_meter_received(meter, from.bytes, bytes, now_ms);
    enum bypeer_meter_verdict verdict = bypeer_meter_judge(meter, from.bytes, answer_bytes, now_ms);
    if (!is_stranger)
        return;
    ledger->came += bytes;
    if (verdict == BYPEER_METER_ANSWER) {
        ledger->sent += answer_bytes;
        ledger->answers++;
    } else if (verdict == BYPEER_METER_PROBE) {
        ledger->sent += PROBE_BYTES;
        ledger->probes++;
    } else {
        cr_assert_eq(verdict, BYPEER_METER_DROP, "a stranger is not told of business");
    }
}

Test(pnrp_meter, strangers_never_get_more_than_they_brought_or_the_rate, .timeout = 60)
{
    for (unsigned run = 0; run < 40; run++) {
        random_state = run;
        struct bypeer_meter_settings with = settings;
        with.entries = 8u << random_next_below(&random_state, 8);
        with.stranger_bytes_s = 1 + random_next_below(&random_state, run % 2 ? 3000 : 100000);
        with.answers_s = 1 + random_next_below(&random_state, 1000);
        uint64_t now_ms = random_next_below(&random_state, 2) ? 0 : random_next(&random_state) >> 20;
        struct bypeer_meter *meter = meter_new(&with, now_ms);
        struct ledger ledger = {.began_ms = now_ms};
        uint32_t nets = 1u << random_next_below(&random_state, 31), pause = 1;
        for (unsigned i = 0; i < 50000; i++) {
            /* Floods, trickles and silence. */
            if (random_next_below(&random_state, 5000) == 0)
                pause = 1u << random_next_below(&random_state, 12);
            if (random_next_below(&random_state, 4) == 0)
                now_ms += random_next_below(&random_state, pause);
            struct address from = address_of(random_next_below(&random_state, nets), 1);
            size_t answer_bytes = 100 + random_next_below(&random_state, 1300);
            ledger_inquire(&ledger, meter, from, 56 + random_next_below(&random_state, 100), answer_bytes, now_ms);
            ledger_check(&ledger, with.stranger_bytes_s, now_ms);
            if (random_next_below(&random_state, 50) == 0)
                bypeer_meter_verify(meter, from.bytes, now_ms);
        }
        cr_assert(ledger.answers > 0);
        meter_end(meter, &with);
    }
}

Test(pnrp_meter, in_a_flood_a_first_contact_is_served_after_one_probe, .timeout = 60)
{
    struct bypeer_meter *meter = meter_new(&settings, 0);
    struct ledger ledger = {0};
    random_state = 5;
    uint64_t now_ms = 0, served = 0;
    struct address old = address_of(7, 7);
    bypeer_meter_verify(meter, old.bytes, 0);
    for (unsigned second = 0; second < 60; second++) {
        for (unsigned i = 0; i < 5000; i++) {
            now_ms = second * 1000ul + i / 5;
            ledger_inquire(&ledger, meter, address_of(random_next(&random_state), 1), INQUIRE_BYTES, ANSWER_BYTES,
                           now_ms);
            ledger_check(&ledger, settings.stranger_bytes_s, now_ms);
        }
        cr_assert_eq(inquire(meter, old, now_ms), BYPEER_METER_ANSWER, "a verified source does not feel the flood");

        struct address resolver = address_of(UINT64_C(0x500000000000) + second, 1);
        struct bypeer_pnrp_endpoint endpoint = {.port = 3541};
        memcpy(endpoint.address, resolver.bytes, 16);
        enum bypeer_meter_verdict verdict = inquire(meter, resolver, now_ms);
        cr_assert(verdict == BYPEER_METER_ANSWER || verdict == BYPEER_METER_PROBE);
        if (verdict == BYPEER_METER_PROBE) {
            uint32_t cookie = bypeer_meter_cookie(meter, &endpoint, now_ms);
            cr_assert(bypeer_meter_is_cookie(meter, &endpoint, cookie, now_ms + 100));
            bypeer_meter_verify(meter, resolver.bytes, now_ms + 100);
            cr_assert_eq(inquire(meter, resolver, now_ms + 101), BYPEER_METER_ANSWER);
        }
        served++;
    }
    cr_assert_eq(served, 60);
    cr_assert(ledger.probes > 100000, "%lu probes", ledger.probes);
    cr_assert(ledger.sent <= ledger.came);
    meter_end(meter, &settings);
}

Test(pnrp_meter, no_source_gets_two_answers_in_ten_seconds_however_many_ask, .timeout = 60)
{
    struct bypeer_meter_settings small = settings;
    small.entries = 0;
    small.stranger_bytes_s = 10000000;
    struct bypeer_meter *meter = meter_new(&small, 0);
    static uint64_t answered_ms[300];
    random_state = 3;
    memset(answered_ms, 0xff, sizeof(answered_ms));
    for (uint64_t now_ms = 0; now_ms < 100000; now_ms++) {
        unsigned net = random_next_below(&random_state, 300);
        if (inquire(meter, address_of(net, 1), now_ms) != BYPEER_METER_ANSWER)
            continue;
        cr_assert(answered_ms[net] == UINT64_MAX || now_ms - answered_ms[net] >= 10000, "net %u: %lu and %lu", net,
                  answered_ms[net], now_ms);
        answered_ms[net] = now_ms;
    }
    meter_end(meter, &small);
}

Test(pnrp_meter, a_cookie_is_good_for_one_endpoint_and_a_few_seconds)
{
    struct bypeer_meter_settings other = settings;
    other.secret[5] ^= 1;
    struct bypeer_meter *meter = meter_new(&settings, 0), *worker = meter_new(&settings, 7),
                        *foreign = meter_new(&other, 0);
    struct bypeer_pnrp_endpoint one = {.address = {0x20, 1, 2, 3}, .port = 3541}, port = one, address = one;
    port.port++;
    address.address[15]++;
    for (uint64_t now_ms = 0; now_ms < 40000; now_ms += 777) {
        uint32_t cookie = bypeer_meter_cookie(meter, &one, now_ms);
        cr_assert(bypeer_meter_is_cookie(meter, &one, cookie, now_ms));
        cr_assert(bypeer_meter_is_cookie(worker, &one, cookie, now_ms + 8000), "one of them sends, another hears");
        cr_assert_not(bypeer_meter_is_cookie(meter, &one, cookie, now_ms + 16000));
        cr_assert_not(bypeer_meter_is_cookie(meter, &one, cookie ^ 1, now_ms));
        cr_assert_not(bypeer_meter_is_cookie(meter, &port, cookie, now_ms));
        cr_assert_not(bypeer_meter_is_cookie(meter, &address, cookie, now_ms));
        cr_assert_not(bypeer_meter_is_cookie(foreign, &one, cookie, now_ms));
    }
    meter_end(meter, &settings);
    meter_end(worker, &settings);
    meter_end(foreign, &other);
}

Test(pnrp_meter, new_rates_leave_what_is_known)
{
    struct bypeer_meter *meter = meter_new(&settings, 0);
    struct address one = address_of(1, 1);
    struct bypeer_meter_settings fewer = settings;
    fewer.verified_answers_s = 3;
    bypeer_meter_verify(meter, one.bytes, 0);
    bypeer_meter_configure(meter, &fewer);
    cr_assert(bypeer_meter_is_verified(meter, one.bytes, 0));
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(inquire(meter, one, 2000), BYPEER_METER_ANSWER);
    cr_assert_eq(inquire(meter, one, 2000), BYPEER_METER_BUSY);
    meter_end(meter, &settings);
}
