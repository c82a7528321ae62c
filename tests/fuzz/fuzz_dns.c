/* Queries from the network: each is answered whole, within its room, with its own question, or not at all. */
#include <stdlib.h>
#include <string.h>

#include "overlay/dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, const struct bypeer_dns_query *query, const struct bypeer_dns_answer *answer,
                  size_t room)
{
    struct bypeer_dns_query again;
    uint8_t *written = malloc(room); /* exactly as large as promised, for the sanitizer */
    size_t length = bypeer_dns_write(written, room, query, answer);
    if (length > room || (room >= BYPEER_DNS_UDP_LEAST && length == 0))
        abort();
    if (length > 0 && (memcmp(written, data, 2) != 0 || bypeer_dns_read(&again, written, length) == 0))
        abort();
    if (length > 0 && query->question &&
        memcmp(written + BYPEER_DNS_HEADER_BYTES, query->question, query->question_bytes) != 0)
        abort();
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t addresses[10][16] = {{0xfd}};
    struct bypeer_dns_query query;
    if (bypeer_dns_read(&query, data, size) < 0)
        return 0;
    if (strlen(query.name) >= BYPEER_DNS_TEXT_MAX || query.answer_bytes < BYPEER_DNS_UDP_LEAST ||
        query.answer_bytes > BYPEER_DNS_UDP_BYTES)
        abort();
    struct bypeer_dns_answer answers[] = {
        {.rcode = query.rcode},
        {.addresses = addresses, .address_count = 10, .ttl_s = 30},
        {.rcode = BYPEER_DNS_NXDOMAIN, .zone_bytes = query.question_bytes > 14 ? 10 : 0, .negative_s = 5},
        {.truncated = true},
    };
    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        check(data, &query, &answers[i], query.answer_bytes);
        check(data, &query, &answers[i], size);
    }
    return 0;
}
