/*
 * DNS messages, as far as a responder for one zone needs them: queries in, answers out (RFC 1035, 4; RFC 6891, 6.1).
 *
 *   0    2      4    6    8    10   12
 *   | id | bits | QD | AN | NS | AR | question: name, type 2, class 2 | records |     all in network byte order
 *
 * A query is read strictly: one question with a name that is not compressed, and among its additional records at most
 * one OPT. The question is echoed byte for byte, since clients compare it, its case too.
 *
 * Only bytes here. Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYPEER_DNS_HEADER_BYTES 12
#define BYPEER_DNS_UDP_BYTES    1232 /* largest answer over UDP: no fragments on any path of IPv6 */
#define BYPEER_DNS_UDP_LEAST    512  /* what a client without EDNS takes: RFC 1035, 2.3.4 */
#define BYPEER_DNS_TEXT_MAX     254  /* a name as text, with NUL */

enum bypeer_dns_type {
    BYPEER_DNS_A = 1,
    BYPEER_DNS_SOA = 6,
    BYPEER_DNS_AAAA = 28,
    BYPEER_DNS_OPT = 41,
    BYPEER_DNS_ANY = 255,
};

enum { BYPEER_DNS_CLASS_IN = 1, BYPEER_DNS_CLASS_ANY = 255 };

enum bypeer_dns_rcode {
    BYPEER_DNS_NOERROR = 0,
    BYPEER_DNS_FORMERR = 1,
    BYPEER_DNS_SERVFAIL = 2,
    BYPEER_DNS_NXDOMAIN = 3,
    BYPEER_DNS_NOTIMP = 4,
    BYPEER_DNS_REFUSED = 5,
    BYPEER_DNS_BADVERS = 16, /* needs EDNS: its upper bits are in the OPT */
};

struct bypeer_dns_query {
    uint8_t header[BYPEER_DNS_HEADER_BYTES];
    const uint8_t *question;     /* within the message; NULL if it could not be read */
    uint16_t question_bytes;     /* name, type and class */
    uint16_t type, class;        /* of the question */
    uint16_t answer_bytes;       /* that the client takes over UDP: 512 to 1232 */
    bool edns;                   /* with an OPT: the answer has one, too */
    enum bypeer_dns_rcode rcode; /* other than NOERROR: to be answered at once with this */
    /* The name without its last dot, letters in lower case. Bytes that are in no host name are "?", so that the text
     * has the dots of the labels and no others. "" is the root. */
    char name[BYPEER_DNS_TEXT_MAX];
};

/* Reads a message. 0; -EBADMSG: no query at all, which gets no answer. */
int bypeer_dns_read(struct bypeer_dns_query *ret_query, const uint8_t *bytes, size_t length);

struct bypeer_dns_answer {
    enum bypeer_dns_rcode rcode;
    const uint8_t (*addresses)[16]; /* AAAA records of the name that was asked for */
    unsigned address_count;
    uint32_t ttl_s;
    /* The zone's SOA record: how many bytes at the end of the question's name are the zone; 0: without. It is in the
     * answer section if soa_asked, else in the authority section, as a "no" needs it (RFC 2308, 3). */
    uint8_t zone_bytes;
    bool soa_asked;
    uint32_t negative_s; /* how long a "no" may be kept: the SOA's TTL and minimum */
    bool truncated;      /* no records: the client shall come by TCP */
};

/*
 * Writes the answer; returns its length, 0 if room is less than header and question. What does not fit makes it a
 * truncated one. The least that every answer fits into is BYPEER_DNS_UDP_LEAST.
 */
size_t bypeer_dns_write(uint8_t *ret_bytes, size_t room, const struct bypeer_dns_query *query,
                        const struct bypeer_dns_answer *answer);
