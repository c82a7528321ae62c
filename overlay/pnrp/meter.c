#include "overlay/pnrp/meter.h"

#include <sodium.h>
#include <string.h>

#define IP_BYTES           48 /* IPv6 and UDP */
#define COOKIE_PERIOD_MS   8000
#define DEFAULT_VERIFIED   100
#define DEFAULT_ANSWERS    5000
#define CREDIT_MAX         (64 * 1024 * INT64_C(1000))
#define STRANGER_BYTES_MAX (BYPEER_PNRP_DATAGRAM_MAX + IP_BYTES)
#define PROBE_COST         ((BYPEER_PROBE_BYTES + IP_BYTES) * INT64_C(1000))
#define ONE_ANSWER         1000u

_Static_assert(crypto_shorthash_KEYBYTES == sizeof(((struct bypeer_meter_settings *)0)->secret), "SipHash's key");

/* What is known of a /64. */
struct source {
    uint64_t net;
    uint64_t used_ms;           /* plus 1; 0: the entry is free */
    uint64_t verified_until_ms; /* 0: never was */
    uint32_t thousandths;       /* of answers, if it is verified: as of used_ms */
    uint32_t answered_s;        /* plus 1: when it last got a full answer as a stranger; 0: never */
};
_Static_assert(sizeof(struct source) == 32, "two a line");

/* All amounts are thousandths, so that a rate times milliseconds is one. */
struct bypeer_meter {
    struct bypeer_meter_settings settings;
    uint64_t refilled_ms;
    int64_t answers;  /* that may be signed now */
    int64_t rate;     /* bytes of full answers that strangers may get now */
    int64_t credit;   /* bytes that came from strangers and were not sent to strangers yet */
    int64_t promised; /* bytes that the strangers' rate allows since the start and that were not sent to them */
    uint32_t mask;
    /* Where the /64 that was looked for last may be: one question looks for it several times. */
    bool has_last;
    uint64_t last_net;
    uint32_t last_places[2];
    _Alignas(64) struct source sources[];
};

static uint32_t meter_entries(const struct bypeer_meter_settings *settings)
{
    return settings->entries > 0 ? settings->entries : BYPEER_METER_SMALL;
}

size_t bypeer_meter_bytes(const struct bypeer_meter_settings *settings)
{
    return sizeof(struct bypeer_meter) + meter_entries(settings) * sizeof(struct source);
}

/* What one second allows, and at least one answer of full size. */
static int64_t meter_burst(const struct bypeer_meter *meter)
{
    uint32_t bytes = meter->settings.stranger_bytes_s;
    return (bytes > STRANGER_BYTES_MAX ? bytes : STRANGER_BYTES_MAX) * INT64_C(1000);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void bypeer_meter_configure(struct bypeer_meter *meter, const struct bypeer_meter_settings *settings)
{
    meter->settings = *settings;
    meter->has_last = false;
    if (settings->stranger_bytes_s == 0)
        meter->settings.stranger_bytes_s = BYPEER_METER_STRANGERS;
    if (settings->verified_answers_s == 0)
        meter->settings.verified_answers_s = DEFAULT_VERIFIED;
    if (settings->answers_s == 0)
        meter->settings.answers_s = DEFAULT_ANSWERS;
}

struct bypeer_meter *bypeer_meter_init(void *memory, const struct bypeer_meter_settings *settings, uint64_t now_ms)
{
    struct bypeer_meter *meter = memory;
    bypeer_meter_configure(meter, settings);
    meter->mask = meter_entries(settings) - 1;
    meter->refilled_ms = now_ms;
    meter->answers = meter->settings.answers_s * INT64_C(1000);
    meter->rate = meter->promised = meter_burst(meter);
    return meter;
}

static void meter_refill(struct bypeer_meter *meter, uint64_t now_ms)
{
    if (now_ms <= meter->refilled_ms)
        return;
    /* No bucket holds more than its rate of a second or one answer, of which a day is plenty. */
    uint64_t passed = now_ms - meter->refilled_ms;
    int64_t ms = (int64_t)(passed < 86400000 ? passed : 86400000), bytes = meter->settings.stranger_bytes_s * ms;
    meter->refilled_ms = now_ms;
    meter->answers = least(meter->answers + meter->settings.answers_s * ms, meter->settings.answers_s * INT64_C(1000));
    meter->rate = least(meter->rate + bytes, meter_burst(meter));
    meter->promised = least(meter->promised + bytes, meter_burst(meter));
}

static uint64_t net_of(const uint8_t *address)
{
    uint64_t net;
    memcpy(&net, address, sizeof(net));
    return net;
}

/* The two places where a /64 may be. */
static const uint32_t *meter_places(struct bypeer_meter *meter, uint64_t net)
{
    uint64_t hash;
    if (meter->has_last && meter->last_net == net)
        return meter->last_places;
    crypto_shorthash((uint8_t *)&hash, (const uint8_t *)&net, sizeof(net), meter->settings.secret);
    meter->last_places[0] = (uint32_t)hash & meter->mask;
    meter->last_places[1] = (uint32_t)(hash >> 32) & meter->mask;
    meter->last_net = net;
    meter->has_last = true;
    return meter->last_places;
}

static bool source_is(const struct source *source, uint64_t net)
{
    return source->used_ms > 0 && source->net == net;
}

static bool source_is_verified(const struct source *source, uint64_t now_ms)
{
    return source->verified_until_ms > now_ms;
}

/* It had its full answer, and may have no other yet. */
static bool source_is_served(const struct source *source, uint64_t now_ms)
{
    return source->answered_s > 0 && now_ms / 1000 <= (uint64_t)source->answered_s - 1 + BYPEER_METER_STRANGER_S;
}

/* How much is lost if its entry is given to another. */
enum worth { WORTH_FREE, WORTH_OLD, WORTH_SERVED, WORTH_VERIFIED };

static enum worth source_worth(const struct source *source, uint64_t now_ms)
{
    if (source->used_ms == 0)
        return WORTH_FREE;
    if (source_is_verified(source, now_ms))
        return WORTH_VERIFIED;
    return source_is_served(source, now_ms) ? WORTH_SERVED : WORTH_OLD;
}

/* The entry of a /64, or -1. */
static int64_t meter_find(struct bypeer_meter *meter, uint64_t net)
{
    const uint32_t *places = meter_places(meter, net);
    for (unsigned at = 0; at < 2; at++)
        if (source_is(&meter->sources[places[at]], net))
            return places[at];
    return -1;
}

/* An entry for a /64 that has none: the one that is missed less, if it is worth at most so much; or NULL. */
static struct source *meter_add(struct bypeer_meter *meter, uint64_t net, enum worth worth, uint64_t now_ms)
{
    const uint32_t *places = meter_places(meter, net);
    struct source *first = &meter->sources[places[0]], *second = &meter->sources[places[1]];
    enum worth first_worth = source_worth(first, now_ms), second_worth = source_worth(second, now_ms);
    bool is_second = second_worth < first_worth || (second_worth == first_worth && second->used_ms < first->used_ms);
    if ((is_second ? second_worth : first_worth) > worth)
        return NULL;
    struct source *source = is_second ? second : first;
    *source = (struct source){.net = net, .used_ms = now_ms + 1};
    return source;
}

/* Fills its bucket up to now: one second's answers at most. */
static void source_refill(const struct bypeer_meter *meter, struct source *source, uint64_t now_ms)
{
    uint64_t full = (uint64_t)meter->settings.verified_answers_s * ONE_ANSWER;
    uint64_t passed = now_ms + 1 > source->used_ms ? now_ms + 1 - source->used_ms : 0;
    uint64_t thousandths = source->thousandths;
    thousandths = passed >= 1000 ? full : thousandths + passed * meter->settings.verified_answers_s;
    thousandths = thousandths < full ? thousandths : full;
    source->thousandths = (uint32_t)(thousandths < UINT32_MAX ? thousandths : UINT32_MAX);
    source->used_ms += passed;
}

bool bypeer_meter_is_verified(struct bypeer_meter *meter, const uint8_t source[static 16], uint64_t now_ms)
{
    int64_t at = meter_find(meter, net_of(source));
    return at >= 0 && source_is_verified(&meter->sources[at], now_ms);
}

void bypeer_meter_verify(struct bypeer_meter *meter, const uint8_t source[static 16], uint64_t now_ms)
{
    int64_t at = meter_find(meter, net_of(source));
    struct source *known = at >= 0 ? &meter->sources[at] : meter_add(meter, net_of(source), WORTH_VERIFIED, now_ms);
    if (source_is_verified(known, now_ms)) {
        source_refill(meter, known, now_ms);
    } else {
        known->thousandths = (uint32_t)least(meter->settings.verified_answers_s * INT64_C(1000), UINT32_MAX);
        known->used_ms = now_ms + 1;
    }
    known->verified_until_ms = now_ms + BYPEER_METER_VERIFIED_S * UINT64_C(1000);
}

void bypeer_meter_received(struct bypeer_meter *meter, const uint8_t source[static 16], size_t bytes, uint64_t now_ms)
{
    if (!bypeer_meter_is_verified(meter, source, now_ms))
        meter->credit = least(meter->credit + (int64_t)bytes * 1000, CREDIT_MAX);
}

static enum bypeer_meter_verdict meter_judge_verified(struct bypeer_meter *meter, struct source *source,
                                                      uint64_t now_ms)
{
    source_refill(meter, source, now_ms);
    if (source->thousandths < ONE_ANSWER || meter->answers < ONE_ANSWER)
        return BYPEER_METER_BUSY;
    source->thousandths -= ONE_ANSWER;
    meter->answers -= ONE_ANSWER;
    return BYPEER_METER_ANSWER;
}

/*
 * Whether strangers may be sent so much as a full answer. The rate is one limit; the other is that all that they were
 * ever sent, probes too, is covered either by what came from them or by the rate since the start: never by the sum.
 */
static bool meter_affords(const struct bypeer_meter *meter, int64_t cost)
{
    return meter->answers >= ONE_ANSWER && meter->rate >= cost && (meter->credit >= cost || meter->promised >= cost);
}

enum bypeer_meter_verdict bypeer_meter_judge(struct bypeer_meter *meter, const uint8_t source[static 16],
                                             size_t answer_bytes, uint64_t now_ms)
{
    meter_refill(meter, now_ms);
    uint64_t net = net_of(source);
    int64_t at = meter_find(meter, net), cost = (int64_t)answer_bytes * 1000;
    struct source *known = at >= 0 ? &meter->sources[at] : NULL;
    if (known && source_is_verified(known, now_ms))
        return meter_judge_verified(meter, known, now_ms);
    if (answer_bytes <= STRANGER_BYTES_MAX && meter_affords(meter, cost)) {
        /* Without an entry it could have another answer at once, so it gets none. */
        if (!known)
            known = meter_add(meter, net, WORTH_OLD, now_ms);
        if (known && !source_is_served(known, now_ms)) {
            known->answered_s = (uint32_t)(now_ms / 1000) + 1;
            known->used_ms = now_ms + 1;
            meter->answers -= ONE_ANSWER;
            meter->rate -= cost;
            meter->credit -= cost;
            meter->promised -= cost;
            return BYPEER_METER_ANSWER;
        }
    }
    if (meter->credit < PROBE_COST && meter->promised < PROBE_COST)
        return BYPEER_METER_DROP;
    meter->credit -= PROBE_COST;
    meter->promised -= PROBE_COST;
    return BYPEER_METER_PROBE;
}

static uint32_t meter_cookie_of(const struct bypeer_meter *meter, const struct bypeer_pnrp_endpoint *endpoint,
                                uint64_t period)
{
    /* Its length tells it from what meter_places() hashes under the same secret. */
    uint8_t text[16 + sizeof(endpoint->port) + sizeof(period)], hash[crypto_shorthash_BYTES];
    uint32_t cookie;
    memcpy(text, endpoint->address, 16);
    memcpy(text + 16, &endpoint->port, sizeof(endpoint->port));
    memcpy(text + 16 + sizeof(endpoint->port), &period, sizeof(period));
    crypto_shorthash(hash, text, sizeof(text), meter->settings.secret);
    memcpy(&cookie, hash, sizeof(cookie));
    return cookie;
}

uint32_t bypeer_meter_cookie(const struct bypeer_meter *meter, const struct bypeer_pnrp_endpoint *to, uint64_t now_ms)
{
    return meter_cookie_of(meter, to, now_ms / COOKIE_PERIOD_MS);
}

bool bypeer_meter_is_cookie(const struct bypeer_meter *meter, const struct bypeer_pnrp_endpoint *from, uint32_t acked,
                            uint64_t now_ms)
{
    uint64_t period = now_ms / COOKIE_PERIOD_MS;
    return acked == meter_cookie_of(meter, from, period) ||
           (period > 0 && acked == meter_cookie_of(meter, from, period - 1));
}
