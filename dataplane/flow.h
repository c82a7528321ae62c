/*
 * Which worker a packet of the host goes to: always the same for one flow, so that the order within a flow is kept.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A hash of the flow that a frame (Ethernet, or bare IP if ethernet is 0) belongs to: addresses, next header, and ports
 * of TCP and UDP unless it is a fragment. Frames of other protocols all give 0.
 */
uint32_t bypeer_flow_hash(const uint8_t *frame, size_t length, int ethernet);
