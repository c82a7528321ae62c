/*
 * Sends at a steady rate: once a millisecond, what is due by then. The interface's queueing is not bypassed, so that a
 * veth with several queues spreads flows over them by hash as a NIC would.
 */
#include "tests/e2e/traffic/traffic.h"
#include "tests/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64

struct sender {
    const struct traffic_send *options;
    uint64_t random;
    uint64_t next; /* number of the frame to make next */
    uint8_t frames[BATCH][TRAFFIC_FRAME_MAX];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
};

static void sender_make(struct sender *sender, unsigned slot)
{
    const struct traffic_send *options = sender->options;
    uint8_t *frame = sender->frames[slot];
    size_t bytes;
    if (options->frames == NULL) {
        bytes = traffic_random_frame(&sender->random, frame);
    } else {
        uint32_t flow = options->mutate ? (uint32_t)(random_next(&sender->random) % options->frames->count)
                                        : (uint32_t)(sender->next % options->frames->count);
        bytes = options->frames->bytes[flow];
        memcpy(frame, options->frames->frame[flow], bytes);
        if (options->mutate) {
            bytes = traffic_mutate(&sender->random, frame, bytes);
        } else if (!options->plain && bytes >= 14 + TRAFFIC_STAMP_BYTES) {
            struct traffic_stamp stamp = {.flow = flow, .number = sender->next / options->frames->count};
            traffic_stamp_write(frame, bytes, &stamp);
        }
    }
    sender->next++;
    sender->parts[slot] = (struct iovec){.iov_base = frame, .iov_len = bytes};
    sender->messages[slot] = (struct mmsghdr){.msg_hdr = {.msg_iov = &sender->parts[slot], .msg_iovlen = 1}};
}

/* Returns how many went, or negative errno. A full device is waited for: what is not sent was never on the wire. */
static int sender_flush(struct sender *sender, int fd, unsigned count)
{
    unsigned done = 0;
    while (done < count && !traffic_ended) {
        int sent = sendmmsg(fd, sender->messages + done, count - done, 0);
        if (sent > 0) {
            done += (unsigned)sent;
        } else if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) {
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        } else {
            return -errno;
        }
    }
    return (int)done;
}

static uint64_t due(const struct traffic_send *options, uint64_t elapsed_ns)
{
    if (options->rate == 0)
        return UINT64_MAX;
    return (uint64_t)((unsigned __int128)elapsed_ns * options->rate / 1000000000u);
}

int traffic_send(const struct traffic_send *options)
{
    int status = 1;
    uint64_t sent = 0, start;
    int fd = traffic_socket(options->interface, 0);
    if (fd < 0) {
        fprintf(stderr, "bypeer-traffic: %s: %s\n", options->interface, strerror(-fd));
        return 1;
    }
    struct sender *sender = calloc(1, sizeof(*sender));
    if (sender == NULL)
        goto end;
    sender->options = options;
    sender->random = options->seed;
    start = traffic_now();
    while (!traffic_ended && (options->count == 0 || sent < options->count)) {
        uint64_t now = due(options, traffic_now() - start);
        if (options->count != 0 && now > options->count)
            now = options->count;
        if (now <= sent) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            continue;
        }
        unsigned count = now - sent < BATCH ? (unsigned)(now - sent) : BATCH;
        for (unsigned i = 0; i < count; i++)
            sender_make(sender, i);
        int done = sender_flush(sender, fd, count);
        if (done < 0) {
            fprintf(stderr, "bypeer-traffic: %s: send: %s\n", options->interface, strerror(-done));
            goto end;
        }
        sent += (uint64_t)done;
    }
    printf("{\"sent\": %" PRIu64 ", \"start_ns\": %" PRIu64 ", \"end_ns\": %" PRIu64 "}\n", sent, start, traffic_now());
    status = 0;
end:
    free(sender);
    close(fd);
    return status;
}
