/*
 * bypeer-traffic: frames at a steady rate out of one interface, and an account of what arrives at another.
 *
 * The last 16 bytes of a frame that is sent from a file are its stamp. Whoever sends computes no checksum over it, so
 * such frames carry the UDP checksum zero on the outside (which the fabric accepts) and a wrong one on the inside
 * (which is not the node's to check).
 *
 *   0        4       8                16
 *   | magic  | flow  | number in flow |     network byte order
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TRAFFIC_MAGIC       0x62707472u /* "bptr" */
#define TRAFFIC_STAMP_BYTES 16
#define TRAFFIC_FRAME_MAX   10000
#define TRAFFIC_FLOWS_MAX   65536

struct traffic_stamp {
    uint32_t flow;
    uint64_t number;
};

void traffic_stamp_write(uint8_t *frame, size_t bytes, const struct traffic_stamp *stamp);
/* 0, or -ENOMSG: the frame has none. */
int traffic_stamp_read(struct traffic_stamp *ret_stamp, const uint8_t *frame, size_t bytes);

/* Frames of a pcap file (classic format, microseconds or nanoseconds, this machine's byte order). */
struct traffic_frames {
    uint32_t count;
    uint8_t **frame;
    uint32_t *bytes;
};
/* 0 or negative errno; -EINVAL: no such file format. */
int traffic_frames_load(struct traffic_frames *ret_frames, const char *file);
void traffic_frames_free(struct traffic_frames *frames);

/* A frame of random length and bytes; the same from the same state everywhere, half of them with an ethertype that a
 * parser looks into. Returns its bytes. */
size_t traffic_random_frame(uint64_t *state, uint8_t *frame);
/* Changes one to eight things about a frame of bytes bytes, at most TRAFFIC_FRAME_MAX. Returns its new length. */
size_t traffic_mutate(uint64_t *state, uint8_t *frame, size_t bytes);

struct traffic_send {
    const char *interface;
    const struct traffic_frames *frames; /* NULL: random ones */
    int mutate;
    int plain; /* without stamps */
    uint64_t seed;
    uint64_t rate;  /* frames a second; 0: as fast as they go */
    uint64_t count; /* 0: until told to end */
};

/* Both run until their end or SIGTERM, and then print one JSON object. They return the exit status. */
int traffic_send(const struct traffic_send *options);
int traffic_receive(const char *interface, uint64_t silence_ns);

/* An AF_PACKET socket for all frames of the interface; negative errno. */
int traffic_socket(const char *interface, int receive);
uint64_t traffic_now(void); /* CLOCK_MONOTONIC, ns: Python's time.monotonic_ns() */

extern volatile int traffic_ended; /* set by SIGTERM and SIGINT */
