/*
 * bypeer-memif-frames: sends the frames of a pcap file, over and over, to whoever connects to its memif socket, as fast
 * as he takes them, and throws away what he sends.
 *
 *   bypeer-memif-frames SOCKET FILE [HEAD]
 *
 * HEAD: only so many bytes of each frame are written, and what was in the buffer before stays behind them. A network
 * card writes all of a frame without a core; this program has one core only, which for large frames would be slower
 * than the one that is measured. For a program that does not look at the rest, it makes no difference.
 *
 * Lines that are written are given to the third level of cache (cldemote), where a network card puts them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "perf/frame_file.h"
#include "perf/memif.h"

#define BURST      64
#define LOOK_EVERY 65536 /* turns without a look at whether the client is there */
#define LINE       64

struct frames {
    uint8_t *at; /* count of them, each of stride bytes */
    uint32_t count, stride, bytes, head;
};

/* All have the same length. */
static int frames_read(struct frames *ret_frames, const char *path, uint32_t head)
{
    uint32_t record[4];
    struct frames frames = {0};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    bool good = fseek(file, 24, SEEK_SET) == 0 && fread(record, sizeof(record), 1, file) == 1;
    if (good && fseek(file, 0, SEEK_END) == 0) {
        frames.bytes = record[2];
        frames.head = head != 0 && head < frames.bytes ? head : frames.bytes;
        frames.stride = (frames.head + LINE - 1) / LINE * LINE;
        frames.count = (uint32_t)((ftell(file) - 24) / (long)(sizeof(record) + frames.bytes));
        size_t bytes = ((size_t)frames.count * frames.stride + (2u << 20) - 1) & ~(size_t)((2u << 20) - 1);
        frames.at = aligned_alloc(2u << 20, bytes);
        good = frames.at != NULL && frames.count >= BURST && fseek(file, 24, SEEK_SET) == 0;
        if (frames.at != NULL)
            madvise(frames.at, bytes, MADV_HUGEPAGE); /* without them it is only slower */
    }
    for (uint32_t i = 0; good && i < frames.count; i++)
        good = fread(record, sizeof(record), 1, file) == 1 && record[2] == frames.bytes &&
               fread(frames.at + (size_t)i * frames.stride, frames.head, 1, file) == 1 &&
               fseek(file, (long)(frames.bytes - frames.head), SEEK_CUR) == 0;
    fclose(file);
    if (!good) {
        free(frames.at);
        return -EINVAL;
    }
    *ret_frames = frames;
    return 0;
}

static inline void line_demote(const uint8_t *line)
{
#ifdef __x86_64__
    __asm__ volatile("cldemote (%0)" ::"r"(line)); /* does nothing where it is not known */
#else
    (void)line;
#endif
}

/* Fills up to a burst of buffers from frame number next on; how many. */
static uint16_t frames_send(const struct frames *frames, struct memif *memif, uint32_t next)
{
    uint16_t room = memif_room(memif), count = room < BURST ? room : BURST;
    if (count > frames->count - next)
        count = (uint16_t)(frames->count - next);
    for (uint16_t i = 0; i < count; i++) {
        const uint8_t *buffer = memif_buffer(memif, i);
        for (uint32_t at = 0; at < frames->head && at < 4 * LINE; at += LINE)
            __builtin_prefetch(buffer + at, 1);
    }
    for (uint16_t i = 0; i < count; i++) {
        uint8_t *buffer = memif_buffer(memif, i);
        memcpy(buffer, frames->at + (size_t)(next + i) * frames->stride, frames->head);
        memif_set_bytes(memif, i, frames->bytes);
        for (uint32_t at = 0; at < frames->head; at += LINE)
            line_demote(buffer + at);
    }
    memif_send(memif, count);
    return count;
}

static void serve(const struct frames *frames, struct memif *memif)
{
    uint32_t next = 0;
    for (uint32_t turn = 0; turn % LOOK_EVERY != 0 || memif_is_connected(memif); turn++) {
        memif_take(memif);
        next += frames_send(frames, memif, next);
        if (next == frames->count)
            next = 0;
    }
}

int main(int argc, char **argv)
{
    struct frames frames = {0};
    if (argc != 3 && argc != 4) {
        fputs("usage: bypeer-memif-frames SOCKET FILE [HEAD]\n", stderr);
        return 2;
    }
    int result = frames_read(&frames, argv[2], argc == 4 ? frame_number_argument("HEAD", argv[3], 1, 65535) : 0);
    if (result < 0)
        return frame_fail(argv[2],
                          result == -EINVAL ? "no pcap file of 64 and more frames of one length" : strerror(-result));
    int listener = memif_listen(argv[1]);
    if (listener < 0)
        return frame_fail(argv[1], strerror(-listener));
    for (;;) {
        struct memif memif;
        result = memif_accept(&memif, listener);
        if (result < 0) {
            frame_fail(argv[1], strerror(-result));
            continue;
        }
        serve(&frames, &memif);
        memif_close(&memif);
    }
}
