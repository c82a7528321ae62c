/*
 * Counts stamped frames flow by flow: how many, how many are missing, how many came after a later one of their flow,
 * and when nothing came for a while. One frame looked at costs little; a receive buffer of 128 MB bridges our own naps.
 */
#include "tests/e2e/traffic/traffic.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH        128
#define SILENCES_MAX 1000

struct flow {
    uint64_t next; /* number that follows the highest one seen */
    uint64_t received;
    uint64_t late; /* came after a later one, or twice */
};

struct receiver {
    struct flow *flows;
    uint64_t frames, other;
    uint64_t last_ns, first_ns;
    unsigned silence_count;
    struct {
        uint64_t start_ns, end_ns;
    } silences[SILENCES_MAX];
};

static void receiver_count(struct receiver *receiver, const uint8_t *frame, size_t bytes)
{
    struct traffic_stamp stamp;
    if (traffic_stamp_read(&stamp, frame, bytes) != 0 || stamp.flow >= TRAFFIC_FLOWS_MAX) {
        receiver->other++;
        return;
    }
    struct flow *flow = &receiver->flows[stamp.flow];
    receiver->frames++;
    flow->received++;
    if (stamp.number >= flow->next)
        flow->next = stamp.number + 1;
    else
        flow->late++;
}

static void receiver_clock(struct receiver *receiver, uint64_t now, uint64_t silence_ns)
{
    if (receiver->first_ns == 0)
        receiver->first_ns = now;
    else if (now - receiver->last_ns > silence_ns && receiver->silence_count < SILENCES_MAX) {
        receiver->silences[receiver->silence_count].start_ns = receiver->last_ns;
        receiver->silences[receiver->silence_count++].end_ns = now;
    }
    receiver->last_ns = now;
}

static void receiver_print(const struct receiver *receiver, int fd)
{
    struct tpacket_stats statistics = {0};
    socklen_t bytes = sizeof(statistics);
    uint64_t expected = 0, late = 0, flows = 0;
    getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &bytes);
    for (unsigned i = 0; i < TRAFFIC_FLOWS_MAX; i++) {
        expected += receiver->flows[i].next;
        late += receiver->flows[i].late;
        flows += receiver->flows[i].received != 0;
    }
    printf("{\"received\": %" PRIu64 ", \"expected\": %" PRIu64 ", \"late\": %" PRIu64 ", \"flows\": %" PRIu64
           ", \"other\": %" PRIu64 ", \"overrun\": %u, \"first_ns\": %" PRIu64 ", \"last_ns\": %" PRIu64
           ", \"silences\": [",
           receiver->frames, expected, late, flows, receiver->other, statistics.tp_drops, receiver->first_ns,
           receiver->last_ns);
    for (unsigned i = 0; i < receiver->silence_count; i++)
        printf("%s[%" PRIu64 ", %" PRIu64 "]", i == 0 ? "" : ", ", receiver->silences[i].start_ns,
               receiver->silences[i].end_ns);
    puts("]}");
}

int traffic_receive(const char *interface, uint64_t silence_ns)
{
    static uint8_t frames[BATCH][TRAFFIC_FRAME_MAX];
    static struct receiver receiver;
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    int fd = traffic_socket(interface, 1);
    if (fd < 0) {
        fprintf(stderr, "bypeer-traffic: %s: %s\n", interface, strerror(-fd));
        return 1;
    }
    receiver.flows = calloc(TRAFFIC_FLOWS_MAX, sizeof(*receiver.flows));
    if (receiver.flows == NULL)
        return 1;
    puts("listening");
    fflush(stdout);
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, traffic_ended ? 0 : 100);
        if (ready <= 0) {
            if (traffic_ended)
                break; /* only once all that had arrived is counted */
            continue;
        }
        for (unsigned i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){.iov_base = frames[i], .iov_len = sizeof(frames[i])};
            messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
        }
        int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        uint64_t before = receiver.frames;
        for (int i = 0; i < count; i++)
            receiver_count(&receiver, frames[i], messages[i].msg_len);
        if (receiver.frames != before)
            receiver_clock(&receiver, traffic_now(), silence_ns);
    }
    receiver_print(&receiver, fd);
    free(receiver.flows);
    close(fd);
    return 0;
}
