/* Where the fields of messages lie ([MS-PPGRH] 2.2.2). For message_read.c and message_write.c only. */
#pragma once

#include "overlay/graph/message.h"

#define WIRE_VERSION_MODERN  0x20
#define WIRE_VERSION_WINDOWS 0x10
#define WIRE_FAMILY          0x0017 /* AF_INET6 of Windows */
#define WIRE_GUID_BYTES      16
#define WIRE_SYNC_END_FINAL  0x01u
#define WIRE_ACK_USEFUL      0x00000001u
#define WIRE_REQUEST_LEAST   20 /* readers of [MS-PPGRH] want a REQUEST to have room for one abstract's start */

/* Bytes of the fields before what is variable, by type. */
static const uint8_t wire_fixed_bytes[] = {
    [BYPEER_GRAPH_AUTH_INFO] = 16,    [BYPEER_GRAPH_CONNECT] = 24,      [BYPEER_GRAPH_WELCOME] = 32,
    [BYPEER_GRAPH_REFUSE] = 12,       [BYPEER_GRAPH_DISCONNECT] = 12,   [BYPEER_GRAPH_SOLICIT_NEW] = 12,
    [BYPEER_GRAPH_SOLICIT_TIME] = 20, [BYPEER_GRAPH_SOLICIT_HASH] = 20, [BYPEER_GRAPH_ADVERTISE] = 24,
    [BYPEER_GRAPH_REQUEST] = 16,      [BYPEER_GRAPH_FLOOD] = 12,        [BYPEER_GRAPH_SYNC_END] = 12,
    [BYPEER_GRAPH_PT2PT] = 28,        [BYPEER_GRAPH_ACK] = 12,
};

static inline uint8_t wire_version(const struct bypeer_profile *profile)
{
    return profile->id == BYPEER_PROFILE_WINDOWS ? WIRE_VERSION_WINDOWS : WIRE_VERSION_MODERN;
}
