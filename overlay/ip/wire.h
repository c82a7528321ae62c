/* Integers on the wire: network byte order, at any alignment. The caller has checked that the bytes are there. */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t bypeer_load16(const uint8_t bytes[static 2])
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return be16toh(value);
}

static inline uint32_t bypeer_load32(const uint8_t bytes[static 4])
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return be32toh(value);
}

static inline uint64_t bypeer_load64(const uint8_t bytes[static 8])
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return be64toh(value);
}

static inline void bypeer_store16(uint8_t bytes[static 2], uint16_t value)
{
    value = htobe16(value);
    memcpy(bytes, &value, sizeof(value));
}

static inline void bypeer_store32(uint8_t bytes[static 4], uint32_t value)
{
    value = htobe32(value);
    memcpy(bytes, &value, sizeof(value));
}

static inline void bypeer_store64(uint8_t bytes[static 8], uint64_t value)
{
    value = htobe64(value);
    memcpy(bytes, &value, sizeof(value));
}

/* Without a change of byte order: for sums and comparisons that do not depend on it. */
static inline uint16_t bypeer_load16_raw(const uint8_t bytes[static 2])
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint32_t bypeer_load32_raw(const uint8_t bytes[static 4])
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint64_t bypeer_load64_raw(const uint8_t bytes[static 8])
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline void bypeer_store16_raw(uint8_t bytes[static 2], uint16_t value)
{
    memcpy(bytes, &value, sizeof(value));
}
