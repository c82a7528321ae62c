/*
 * The far end of a net_memif device with zero-copy=yes: frames are written straight to the client's own buffers, and
 * what it sends is only counted, so neither its worker nor its driver copies one, as with a network card.
 *
 * memif 2.0: on a SOCK_SEQPACKET socket the client hands over its memory and two rings of descriptors. In the ring
 * towards it, the client puts empty buffers at the head, and we fill them at the tail; in the other one, it puts frames
 * at the head, and we give them back at the tail. This end serves one client at a time, with one queue each way, and
 * polls. A client is trusted: it is the program that is measured.
 *
 * Thread: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MEMIF_REGIONS 16

struct memif_ring;

struct memif {
    int socket;
    uint32_t region_count;
    struct {
        uint8_t *base;
        uint64_t bytes;
    } regions[MEMIF_REGIONS];
    struct memif_ring *to_client, *from_client;
    uint16_t to_mask, from_mask;
};

/* A socket that clients connect to; a file descriptor or a negative errno. */
int memif_listen(const char *path);
/* Waits for a client and takes what it hands over; 0 or a negative errno, with nothing left open. */
int memif_accept(struct memif *ret_memif, int listener);
/* Whether the client is still there: a system call. */
bool memif_is_connected(const struct memif *memif);
void memif_close(struct memif *memif);

/* How many frames the client has buffers for now. */
uint16_t memif_room(const struct memif *memif);
/* The buffer of the frame that is the next but so many: less than memif_room(). */
uint8_t *memif_buffer(const struct memif *memif, uint16_t ahead);
/* Says of the same frame how long it is. */
void memif_set_bytes(struct memif *memif, uint16_t ahead, uint32_t bytes);
/* The next count frames are written. */
void memif_send(struct memif *memif, uint16_t count);

/* Gives back what the client sent since the last time; how many frames it was. */
uint16_t memif_take(struct memif *memif);
