/*
 * Clouds of the worker in a test (walk.h), and datagrams to them.
 *
 *   CLOUD_B       version 4.0, [2001:db8:0:2::b]:3540: node B of the reference's vectors, with its one ID
 *   CLOUD_C       version 4.0, [2001:db8:0:3::c]:3540 and a second address: no ID of its own
 *   CLOUD_MODERN  version 5.0, [2001:db8:0:3::c]:3541, one ID of its own: ID_MODERN
 *   CLOUD_SILENT  version 4.0, [2001:db8:0:4::d]:3540: left to control
 *
 * Who asks is node A of the vectors: [2001:db8:0:1::a]:3540, with its own ID.
 */
#pragma once

#include "tests/unit/walk.h"

enum walk_cloud { CLOUD_B = 1, CLOUD_C, CLOUD_MODERN, CLOUD_SILENT, CLOUDS };

#define WALK_CLOUD_BYTES 62 /* of the headers before the payload */

/* Criterion's .init, in place of walk_set_up(); or, in a test of a suite without clouds, the clouds alone. */
void walk_clouds_set_up(void);
void walk_clouds_put(void);

/* IDs of the vectors, and of CLOUD_MODERN. */
extern const uint8_t walk_id_a[32], walk_id_b[32], walk_id_modern[32];
/* Endpoint of A, and of the cloud. */
extern const uint8_t walk_address_a[16];
const uint8_t *walk_cloud_address(enum walk_cloud cloud);
uint16_t walk_cloud_port(enum walk_cloud cloud);

/* Makes an ID known, at 2001:db8::HOST port 4000, and at count - 1 addresses of the next hosts. */
void walk_know(enum walk_cloud cloud, const uint8_t id[static 32], uint16_t host, unsigned count);
void walk_forget(enum walk_cloud cloud, const uint8_t id[static 32]);

/* A frame with a datagram from A to the cloud; returns its length. walk_seal(): lengths and checksum once more. */
size_t walk_datagram(uint8_t *frame, enum walk_cloud cloud, const uint8_t *payload, size_t length);
/* An INQUIRE of A to cloud B, which is also written to message (100 bytes); returns the frame's length. */
size_t walk_inquire(uint8_t *frame, uint8_t *message, uint16_t flags);
void walk_seal(uint8_t *frame, size_t length);

/* Bytes of a vector: hexadecimal digits, blanks between them. Returns how many. */
size_t walk_hex(uint8_t *bytes, const char *text);
