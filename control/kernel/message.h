/*
 * The kernel's rtnetlink messages as bytes: what bypeer reads of them, and those that it sends.
 *
 * Only bytes here, no socket (netlink.h has those). The kernel is trusted more than a peer, but the format is not:
 * every length is checked, and a malformed message is -EBADMSG, never a read outside the buffer. All IP addresses are
 * 16 bytes, IPv4 as ::ffff:a.b.c.d, and prefix lengths count in those 128 bits (IPv4: 96 + length). rtnetlink(7).
 *
 * Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bypeer_kernel_kind {
    BYPEER_KERNEL_OTHER,     /* of no interest, or of a kind that is not known here */
    BYPEER_KERNEL_LINK,      /* an interface, new, changed or gone */
    BYPEER_KERNEL_ADDRESS,   /* of an interface */
    BYPEER_KERNEL_ROUTE,     /* of a table, or the answer to a look-up */
    BYPEER_KERNEL_NEIGHBOUR, /* an entry of the neighbour table */
    BYPEER_KERNEL_DONE,      /* end of a dump */
    BYPEER_KERNEL_ANSWER,    /* to a request: .error */
    BYPEER_KERNEL_OVERRUN,   /* events were lost (made by netlink.c): what is known may be wrong, dump again */
};

struct bypeer_kernel_link {
    uint32_t index;
    char name[16];
    uint8_t has_mac;
    uint8_t mac[6];
    bool up, carrier;
    uint32_t mtu;
};

struct bypeer_kernel_address {
    uint32_t index;
    uint8_t bits;
    uint8_t address[16];
};

struct bypeer_kernel_route {
    uint8_t family; /* AF_INET or AF_INET6 */
    uint8_t type;   /* RTN_UNICAST, RTN_LOCAL, ... */
    uint8_t bits;   /* of prefix; a look-up's answer: all */
    uint8_t prefix[16];
    uint32_t index;      /* interface that it leaves by; 0: none named */
    uint8_t has_gateway; /* else the destination is on the link */
    uint8_t gateway[16];
    uint8_t has_source;
    uint8_t source[16]; /* that the kernel would send from */
    uint32_t mtu;       /* of the path, when less than the interface's is known; 0: not */
};

struct bypeer_kernel_neighbour {
    uint32_t index;
    uint8_t address[16];
    uint16_t state; /* NUD_* */
    bool managed;   /* NTF_EXT_MANAGED */
    uint8_t has_mac;
    uint8_t mac[6];
};

struct bypeer_kernel_message {
    enum bypeer_kernel_kind kind;
    uint32_t sequence; /* of the request that it answers; 0: an event */
    bool gone;         /* a DEL message */
    int error;         /* ANSWER, DONE: 0 or negative errno */
    union {
        struct bypeer_kernel_link link;
        struct bypeer_kernel_address address;
        struct bypeer_kernel_route route;
        struct bypeer_kernel_neighbour neighbour;
    };
};

/*
 * Reads the first message of bytes. Returns how many bytes it took (at least 16, padding included, at most length), or
 * -EBADMSG; then *ret_message is untouched and the rest of the buffer is not to be trusted either.
 */
long bypeer_kernel_message_read(struct bypeer_kernel_message *ret_message, const void *bytes, size_t length);

/* Room that any request below fits in. */
#define BYPEER_KERNEL_REQUEST_MAX 512

/* What to change of an interface; what is not set stays. */
struct bypeer_kernel_link_change {
    const uint8_t *mac; /* 6 bytes */
    uint32_t mtu;       /* 0: as it is */
    bool set_up, up;
    bool no_multicast;  /* clear IFF_MULTICAST: nobody joins groups there */
    bool no_link_local; /* make no IPv6 link-local address */
    bool link_local;    /* make one of the MAC, whatever the host's default is: neighbour discovery needs it */
};

/* Each writes one request with its sequence number into buffer and returns its bytes. */
size_t bypeer_kernel_write_link(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence, uint32_t index,
                                const struct bypeer_kernel_link_change *change);
/* Adds (replaces) or removes an address; no duplicate address detection, since it would drop it while nobody answers.
 */
size_t bypeer_kernel_write_address(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence, bool add,
                                   const struct bypeer_kernel_address *address);
/* Adds (replaces) or removes the route of a prefix to an interface. source, if not NULL: preferred source. */
size_t bypeer_kernel_write_route(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence, bool add,
                                 uint32_t index, const uint8_t prefix[static 16], uint8_t bits, const uint8_t *source);
/* Asks by which route the kernel would send to destination; source: NULL or the source it is to have. */
size_t bypeer_kernel_write_route_question(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence,
                                          const uint8_t destination[static 16], const uint8_t *source);
/* Want: the kernel resolves the neighbour now and keeps it fresh (NTF_USE, NTF_EXT_MANAGED). Not want: forgets it. */
size_t bypeer_kernel_write_neighbour(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence, bool want,
                                     uint32_t index, const uint8_t address[static 16]);
/* Asks for all of one kind (LINK, ADDRESS, NEIGHBOUR); index: 0, or of the one interface (NEIGHBOUR only). */
size_t bypeer_kernel_write_dump(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence,
                                enum bypeer_kernel_kind kind, uint32_t index);
