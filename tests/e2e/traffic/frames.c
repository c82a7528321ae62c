/* What is sent: frames of a file, stamped; random bytes; and mutations of the former. */
#include "tests/e2e/traffic/traffic.h"
#include "tests/random.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_be32(uint8_t *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get_be32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return ntohl(value);
}

void traffic_stamp_write(uint8_t *frame, size_t bytes, const struct traffic_stamp *stamp)
{
    uint8_t *at = frame + bytes - TRAFFIC_STAMP_BYTES;
    put_be32(at, TRAFFIC_MAGIC);
    put_be32(at + 4, stamp->flow);
    put_be32(at + 8, (uint32_t)(stamp->number >> 32));
    put_be32(at + 12, (uint32_t)stamp->number);
}

int traffic_stamp_read(struct traffic_stamp *ret_stamp, const uint8_t *frame, size_t bytes)
{
    if (bytes < 14 + TRAFFIC_STAMP_BYTES)
        return -ENOMSG;
    const uint8_t *at = frame + bytes - TRAFFIC_STAMP_BYTES;
    if (get_be32(at) != TRAFFIC_MAGIC)
        return -ENOMSG;
    ret_stamp->flow = get_be32(at + 4);
    ret_stamp->number = (uint64_t)get_be32(at + 8) << 32 | get_be32(at + 12);
    return 0;
}

struct pcap_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snap_bytes, link_type;
};

struct pcap_record {
    uint32_t seconds, fraction, bytes, wire_bytes;
};

int traffic_frames_load(struct traffic_frames *ret_frames, const char *file)
{
    struct pcap_header header;
    struct pcap_record record;
    struct traffic_frames frames = {0};
    uint32_t room = 0;
    FILE *stream = fopen(file, "re");
    if (stream == NULL)
        return -errno;
    if (fread(&header, sizeof(header), 1, stream) != 1 || (header.magic != 0xa1b2c3d4 && header.magic != 0xa1b23c4d)) {
        fclose(stream);
        return -EINVAL;
    }
    while (fread(&record, sizeof(record), 1, stream) == 1) {
        if (record.bytes < 14 || record.bytes > TRAFFIC_FRAME_MAX)
            goto malformed;
        if (frames.count == room) {
            room = room == 0 ? 1024 : room * 2;
            frames.frame = reallocarray(frames.frame, room, sizeof(*frames.frame));
            frames.bytes = reallocarray(frames.bytes, room, sizeof(*frames.bytes));
        }
        uint8_t *frame = malloc(record.bytes);
        if (frames.frame == NULL || frames.bytes == NULL || frame == NULL)
            abort(); /* a test tool: nothing useful is left to do */
        if (fread(frame, record.bytes, 1, stream) != 1) {
            free(frame);
            goto malformed;
        }
        frames.frame[frames.count] = frame;
        frames.bytes[frames.count++] = record.bytes;
    }
    fclose(stream);
    *ret_frames = frames;
    return 0;
malformed:
    fclose(stream);
    traffic_frames_free(&frames);
    return -EINVAL;
}

void traffic_frames_free(struct traffic_frames *frames)
{
    for (uint32_t i = 0; i < frames->count; i++)
        free(frames->frame[i]);
    free(frames->frame);
    free(frames->bytes);
    *frames = (struct traffic_frames){0};
}

static void fill(uint64_t *state, uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t value = random_next(state);
        memcpy(at + i, &value, bytes - i < sizeof(value) ? bytes - i : sizeof(value));
    }
}

size_t traffic_random_frame(uint64_t *state, uint8_t *frame)
{
    static const uint16_t types[] = {0x86dd, 0x0800, 0x0806, 0x8100};
    uint64_t choice = random_next(state);
    /* Mostly short ones: that is where headers are cut. */
    size_t bytes = choice & 1 ? 14 + (choice >> 8) % 120 : 14 + (choice >> 8) % 1500;
    fill(state, frame, bytes);
    frame[0] &= 0xfe; /* the kernel would flood a multicast frame into our own counters twice */
    if (choice & 2) {
        uint16_t type = htons(types[(choice >> 2) % 4]);
        memcpy(frame + 12, &type, sizeof(type));
    }
    return bytes;
}

size_t traffic_mutate(uint64_t *state, uint8_t *frame, size_t bytes)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x0f, 0x40, 0x7f, 0x80, 0xf0, 0xff};
    unsigned changes = 1 + (unsigned)(random_next(state) % 8);
    for (unsigned i = 0; i < changes; i++) {
        uint64_t choice = random_next(state);
        /* The Ethernet addresses stay, so that most of them get past the first look. */
        size_t at = bytes > 12 ? 12 + (choice >> 16) % (bytes - 12) : 0;
        switch (choice % 8) {
        case 0:
        case 1:
            frame[at] ^= (uint8_t)(1u << (choice >> 8) % 8);
            break;
        case 2:
        case 3:
            frame[at] = edges[(choice >> 8) % sizeof(edges)];
            break;
        case 4:
            frame[at] = (uint8_t)(choice >> 8);
            break;
        case 5: /* cut */
            bytes = at < 14 ? 14 : at;
            break;
        case 6: /* lengthen */
            if (bytes + 64 <= 1514) {
                fill(state, frame + bytes, 64);
                bytes += (choice >> 8) % 64;
            }
            break;
        case 7: /* a block over another place */
            if (bytes > 40)
                memmove(frame + at, frame + 14, (choice >> 8) % (bytes - at < 26 ? bytes - at : 26));
            break;
        }
    }
    return bytes;
}
