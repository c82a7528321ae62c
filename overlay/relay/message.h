/*
 * What the relay reads of a message: WireGuard's type, indexes and counter, all of them in clear (whitepaper, 5.4).
 */
#pragma once

#include <stdbool.h>

#include "overlay/wireguard/message.h"

struct bypeer_relay_message {
    uint8_t type;      /* enum bypeer_wireguard_type; NONE: a later fragment of data */
    uint16_t bytes;    /* of the IP packet, its header included */
    uint32_t sender;   /* of types 1 and 2, else 0 */
    uint32_t receiver; /* of types 2 to 4, else 0 */
    uint32_t counter;  /* of type 4: its low half */
};

#define BYPEER_RELAY_MESSAGE_HEAD 16 /* bytes of the datagram that are read; those of a cookie reply are more, too */

/*
 * Reads the head of a datagram whose whole length is given; BYPEER_RELAY_MESSAGE_HEAD bytes of it are there. False: it
 * is no message of WireGuard.
 */
static inline bool bypeer_relay_message_read(struct bypeer_relay_message *ret_message, const uint8_t *datagram,
                                             size_t length, uint16_t ip_bytes)
{
    struct bypeer_relay_message message = {.bytes = ip_bytes};
    uint32_t type = bypeer_wireguard_load32(datagram);
    if (__builtin_expect(type == BYPEER_WIREGUARD_DATA && length >= BYPEER_WIREGUARD_DATA_MIN, 1)) {
        message.receiver = bypeer_wireguard_load32(datagram + 4);
        message.counter = bypeer_wireguard_load32(datagram + 8);
    } else if (type == BYPEER_WIREGUARD_INITIATION && length == BYPEER_WIREGUARD_INITIATION_BYTES) {
        message.sender = bypeer_wireguard_load32(datagram + 4);
    } else if (type == BYPEER_WIREGUARD_RESPONSE && length == BYPEER_WIREGUARD_RESPONSE_BYTES) {
        message.sender = bypeer_wireguard_load32(datagram + 4);
        message.receiver = bypeer_wireguard_load32(datagram + 8);
    } else if (type == BYPEER_WIREGUARD_COOKIE && length == BYPEER_WIREGUARD_COOKIE_BYTES) {
        message.receiver = bypeer_wireguard_load32(datagram + 4);
    } else {
        return false;
    }
    message.type = (uint8_t)type;
    *ret_message = message;
    return true;
}
