/*
 * The upper layer of an IPv6 packet, as far as rules ask for it: behind how many extension headers there may be.
 *
 * Not everything can be known: later fragments have no ports, and what is encrypted, cut off or behind too many headers
 * says nothing. Who decides by this must not take what is not known for what would pass.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYPEER_UPPER_HEADERS_MAX 8 /* extension headers, before a packet is one that says nothing */

#define BYPEER_NEXT_AH          51
#define BYPEER_NEXT_DCCP        33
#define BYPEER_NEXT_SCTP        132
#define BYPEER_NEXT_MOBILITY    135
#define BYPEER_NEXT_UDP_LITE    136
#define BYPEER_ICMPV6_INFORM    128 /* types from here on are no errors */
#define BYPEER_ICMPV6_ECHOREPLY 129

struct bypeer_upper {
    uint8_t protocol;  /* IANA number */
    uint8_t icmp_type; /* of ICMPv6, if its header is there: .has_header */
    bool is_known;     /* .protocol is right */
    bool has_header;   /* what follows is there to be read: not in a later fragment */
    bool has_ports;    /* and these are */
    bool opens;        /* TCP: SYN without ACK, or flags that cannot be read */
    uint16_t source_port, destination_port;
};

/* packet: an IPv6 packet of length bytes, whose fixed header is whole. */
void bypeer_upper_read(struct bypeer_upper *ret_upper, const uint8_t *packet, size_t length);
