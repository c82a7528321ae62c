/*
 * Private to the DNS responder: what a query is answered, whatever it came by, and how often.
 */
#pragma once

#include "control/names/hosts.h"
#include "overlay/dns/message.h"

#define DNS_TTL_S        30
#define DNS_NEGATIVE_S   5
#define DNS_QUESTION_MAX (255 + 4) /* bytes of a question: name, type, class */

/* A query on its way to its answer. */
struct dns_question {
    struct bypeer_dns_query query; /* .question points to bytes */
    uint8_t bytes[DNS_QUESTION_MAX];
    struct bypeer_hosts_question *host; /* NULL: answered */
    void (*answer)(void *context, const struct bypeer_dns_answer *answer);
    void *context;
};

/* Whether *ret_answer is the answer at once; else answer() is called once, from the loop. The query's message is not
 * needed after it. */
bool dns_question_ask(struct dns_question *question, struct bypeer_hosts *hosts, const struct bypeer_dns_query *query,
                      struct bypeer_dns_answer *ret_answer,
                      void (*answer)(void *context, const struct bypeer_dns_answer *answer), void *context);
void dns_question_cancel(struct dns_question *question);

/* Answers a second, counted for each source prefix; sources whose hashes meet share their allowance. */
#define DNS_RATES        1024u
#define DNS_RATE_ANSWERS 50u

struct dns_rates {
    uint64_t seed;
    struct {
        uint32_t second, used;
    } rates[DNS_RATES];
};

void dns_rates_init(struct dns_rates *rates);
/* Whether the source of a datagram may have a full answer now. */
bool dns_rates_take(struct dns_rates *rates, const struct sockaddr *source, uint64_t now_ms);
