/*
 * WireGuard's four messages as bytes of a UDP datagram (whitepaper, 5.4). Integers are little-endian; indexes are given
 * out by the side that will receive under them.
 *
 *   initiation (1), 148 bytes
 *   0      4        8           40               88                  116    132    148
 *   | type | sender | ephemeral | sealed static  | sealed timestamp  | MAC1 | MAC2 |
 *
 *   response (2), 92 bytes
 *   0      4        8          12          44            60     76     92
 *   | type | sender | receiver | ephemeral | sealed none | MAC1 | MAC2 |
 *
 *   cookie reply (3), 64 bytes
 *   0      4          8       32              64
 *   | type | receiver | nonce | sealed cookie |
 *
 *   data (4), 32 bytes and more; a keepalive has exactly 32
 *   0      4          8         16
 *   | type | receiver | counter | sealed packet, its tag last |
 *
 * The type is one byte, followed by three of zero that are checked. Each function that reads takes the whole datagram
 * and copies what it finds.
 */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum bypeer_wireguard_type {
    BYPEER_WIREGUARD_NONE = 0, /* not a message */
    BYPEER_WIREGUARD_INITIATION = 1,
    BYPEER_WIREGUARD_RESPONSE = 2,
    BYPEER_WIREGUARD_COOKIE = 3,
    BYPEER_WIREGUARD_DATA = 4,
};

#define BYPEER_WIREGUARD_INITIATION_BYTES 148
#define BYPEER_WIREGUARD_RESPONSE_BYTES   92
#define BYPEER_WIREGUARD_COOKIE_BYTES     64
#define BYPEER_WIREGUARD_DATA_HEADER      16
#define BYPEER_WIREGUARD_TAG              16
#define BYPEER_WIREGUARD_DATA_MIN         (BYPEER_WIREGUARD_DATA_HEADER + BYPEER_WIREGUARD_TAG)
#define BYPEER_WIREGUARD_MAC              16
#define BYPEER_WIREGUARD_MACS             (2 * BYPEER_WIREGUARD_MAC) /* the last bytes of types 1 and 2 */
#define BYPEER_WIREGUARD_TIMESTAMP        12                         /* TAI64N: sorts as bytes do */

struct bypeer_wireguard_initiation {
    uint32_t sender;
    uint8_t ephemeral[32];
    uint8_t sealed_static[32 + BYPEER_WIREGUARD_TAG];
    uint8_t sealed_timestamp[BYPEER_WIREGUARD_TIMESTAMP + BYPEER_WIREGUARD_TAG];
};

struct bypeer_wireguard_response {
    uint32_t sender;
    uint32_t receiver;
    uint8_t ephemeral[32];
    uint8_t sealed_none[BYPEER_WIREGUARD_TAG];
};

struct bypeer_wireguard_cookie {
    uint32_t receiver;
    uint8_t nonce[24];
    uint8_t sealed_cookie[16 + BYPEER_WIREGUARD_TAG];
};

/* Which message the datagram is, by type and length: one of these has the length that its type demands. */
enum bypeer_wireguard_type bypeer_wireguard_type(const uint8_t *datagram, size_t length);

/* 0 or -EBADMSG. */
int bypeer_wireguard_read_initiation(struct bypeer_wireguard_initiation *ret_initiation, const uint8_t *datagram,
                                     size_t length);
int bypeer_wireguard_read_response(struct bypeer_wireguard_response *ret_response, const uint8_t *datagram,
                                   size_t length);
int bypeer_wireguard_read_cookie(struct bypeer_wireguard_cookie *ret_cookie, const uint8_t *datagram, size_t length);

/* Both MACs are written as zero: cookie.h fills them in. */
void bypeer_wireguard_write_initiation(const struct bypeer_wireguard_initiation *initiation,
                                       uint8_t ret_datagram[static BYPEER_WIREGUARD_INITIATION_BYTES]);
void bypeer_wireguard_write_response(const struct bypeer_wireguard_response *response,
                                     uint8_t ret_datagram[static BYPEER_WIREGUARD_RESPONSE_BYTES]);
void bypeer_wireguard_write_cookie(const struct bypeer_wireguard_cookie *cookie,
                                   uint8_t ret_datagram[static BYPEER_WIREGUARD_COOKIE_BYTES]);

static inline uint32_t bypeer_wireguard_load32(const uint8_t bytes[static 4])
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return le32toh(value);
}

/* Of a datagram whose type is BYPEER_WIREGUARD_DATA. */
static inline uint32_t bypeer_wireguard_data_receiver(const uint8_t *datagram)
{
    return bypeer_wireguard_load32(datagram + 4);
}

static inline uint64_t bypeer_wireguard_data_counter(const uint8_t *datagram)
{
    uint64_t value;
    memcpy(&value, datagram + 8, sizeof(value));
    return le64toh(value);
}

static inline void bypeer_wireguard_write_data_header(uint8_t ret_header[static BYPEER_WIREGUARD_DATA_HEADER],
                                                      uint32_t receiver, uint64_t counter)
{
    const uint32_t first[2] = {htole32(BYPEER_WIREGUARD_DATA), htole32(receiver)};
    counter = htole64(counter);
    memcpy(ret_header, first, sizeof(first));
    memcpy(ret_header + 8, &counter, sizeof(counter));
}

/* TAI64N of a time in nanoseconds since 1970, as an initiation carries it. The last 2^24 ns are cut off, as elsewhere
 * in the field, so that the times tell nothing about this machine. */
void bypeer_wireguard_write_timestamp(uint8_t ret_timestamp[static BYPEER_WIREGUARD_TIMESTAMP], uint64_t unix_ns);
