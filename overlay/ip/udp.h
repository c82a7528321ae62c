/*
 * The UDP header: RFC 768; over IPv6 a zero checksum is RFC 6935's exception, for tunnels.
 *
 *   0             2                  4        6          8
 *   | source port | destination port | length | checksum |
 */
#pragma once

#include "overlay/ip/wire.h"

#define BYPEER_UDP_BYTES       8
#define BYPEER_UDP_SOURCE      0
#define BYPEER_UDP_DESTINATION 2
#define BYPEER_UDP_LENGTH      4
#define BYPEER_UDP_CHECKSUM    6
