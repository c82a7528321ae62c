#include "control/names/dns_answer.h"

#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#define ZONE       "pnrp.net"
#define ZONE_BYTES 10 /* on the wire */

static void answer_addresses(const struct bypeer_dns_query *query, struct bypeer_dns_answer *answer,
                             const uint8_t (*addresses)[16], unsigned count)
{
    if (query->type != BYPEER_DNS_AAAA && query->type != BYPEER_DNS_ANY)
        return;
    answer->zone_bytes = 0;
    answer->addresses = addresses;
    answer->address_count = count;
}

/* An outcome as DNS says it: without addresses, or a rcode, the zone's SOA tells how long that may be kept. */
static struct bypeer_dns_answer answer_make(const struct bypeer_dns_query *query, enum bypeer_hosts_outcome outcome,
                                            const uint8_t (*addresses)[16], unsigned count)
{
    struct bypeer_dns_answer answer = {.ttl_s = DNS_TTL_S, .negative_s = DNS_NEGATIVE_S, .zone_bytes = ZONE_BYTES};
    switch (outcome) {
    case BYPEER_HOSTS_FOUND:
        answer_addresses(query, &answer, addresses, count);
        return answer;
    case BYPEER_HOSTS_NONE:
        return answer;
    case BYPEER_HOSTS_UNKNOWN:
        answer.rcode = BYPEER_DNS_NXDOMAIN;
        return answer;
    case BYPEER_HOSTS_FOREIGN:
        answer.rcode = BYPEER_DNS_REFUSED;
        break;
    default:
        answer.rcode = BYPEER_DNS_SERVFAIL;
    }
    answer.zone_bytes = 0;
    return answer;
}

static void question_on_done(void *context, enum bypeer_hosts_outcome outcome, const uint8_t (*addresses)[16],
                             unsigned count)
{
    struct dns_question *question = context;
    struct bypeer_dns_answer answer = answer_make(&question->query, outcome, addresses, count);
    question->host = NULL;
    question->answer(question->context, &answer);
}

bool dns_question_ask(struct dns_question *question, struct bypeer_hosts *hosts, const struct bypeer_dns_query *query,
                      struct bypeer_dns_answer *ret_answer,
                      void (*answer)(void *context, const struct bypeer_dns_answer *answer), void *context)
{
    *question = (struct dns_question){.query = *query, .answer = answer, .context = context};
    *ret_answer = (struct bypeer_dns_answer){.rcode = query->rcode};
    if (query->question) {
        memcpy(question->bytes, query->question, query->question_bytes);
        question->query.question = question->bytes;
    }
    if (query->rcode != BYPEER_DNS_NOERROR)
        return true;
    if (query->class != BYPEER_DNS_CLASS_IN && query->class != BYPEER_DNS_CLASS_ANY) {
        ret_answer->rcode = BYPEER_DNS_REFUSED;
        return true;
    }
    if (strcmp(query->name, ZONE) == 0) {
        *ret_answer = answer_make(query, BYPEER_HOSTS_NONE, NULL, 0);
        ret_answer->soa_asked = query->type == BYPEER_DNS_SOA || query->type == BYPEER_DNS_ANY;
        return true;
    }
    enum bypeer_hosts_outcome outcome =
        bypeer_hosts_ask(hosts, BYPEER_HOSTS_DNS, query->name, question_on_done, question, &question->host);
    if (outcome == BYPEER_HOSTS_LATER)
        return false;
    *ret_answer = answer_make(query, outcome, NULL, 0);
    return true;
}

void dns_question_cancel(struct dns_question *question)
{
    if (question->host)
        bypeer_hosts_cancel(question->host);
    question->host = NULL;
}

void dns_rates_init(struct dns_rates *rates)
{
    *rates = (struct dns_rates){0};
    if (getrandom(&rates->seed, sizeof(rates->seed), GRND_NONBLOCK) < 0)
        rates->seed = (uintptr_t)rates; /* early in the boot: better guessable than late */
}

bool dns_rates_take(struct dns_rates *rates, const struct sockaddr *source, uint64_t now_ms)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)source;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)source;
    uint64_t hash = source->sa_family == AF_INET ? XXH3_64bits_withSeed(&v4->sin_addr, 4, rates->seed)
                                                 : XXH3_64bits_withSeed(&v6->sin6_addr, 8, rates->seed);
    uint32_t second = (uint32_t)(now_ms / 1000);
    uint32_t at = (uint32_t)(hash % DNS_RATES);
    if (rates->rates[at].second != second) {
        rates->rates[at].second = second;
        rates->rates[at].used = 0;
    }
    return rates->rates[at].used++ < DNS_RATE_ANSWERS;
}
