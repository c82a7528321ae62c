/*
 * bypeer-asker: asks a node over a socket as fast as it answers.
 *
 *   bypeer-asker FILE ADDRESS PORT WINDOW SECONDS
 *
 * FILE: messages, each behind two bytes of its length (bypeer-questions payloads). WINDOW of them are outstanding at
 * any time; what is not answered within 100 ms is given up. Prints how many were sent and answered, and in how long.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "overlay/ip/wire.h"
#include "overlay/pnrp/message.h"
#include "perf/frame_file.h"

#define BATCH 64

struct questions {
    uint8_t *bytes;
    size_t length, at;
};

struct asker {
    struct questions questions;
    int fd;
    uint32_t window, outstanding;
    uint64_t sent, answered;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Reads the file whole; else the program ends. */
static void questions_load(struct questions *questions, const char *name)
{
    FILE *file = fopen(name, "re");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        exit(frame_fail(name, strerror(errno)));
    questions->length = (size_t)ftell(file);
    rewind(file);
    questions->bytes = malloc(questions->length + 2);
    if (questions->bytes == NULL || questions->length < 2 || fread(questions->bytes, questions->length, 1, file) != 1)
        exit(frame_fail(name, "holds no questions"));
    fclose(file);
}

static struct iovec questions_next(struct questions *questions)
{
    uint8_t *at = questions->bytes + questions->at;
    size_t length = bypeer_load16(at);
    questions->at += 2 + length;
    if (questions->at >= questions->length)
        questions->at = 0;
    return (struct iovec){.iov_base = at + 2, .iov_len = length};
}

static bool asker_send(struct asker *asker)
{
    while (asker->outstanding < asker->window) {
        struct mmsghdr messages[BATCH];
        struct iovec parts[BATCH];
        uint32_t room = asker->window - asker->outstanding, count = room < BATCH ? room : BATCH;
        for (uint32_t i = 0; i < count; i++) {
            parts[i] = questions_next(&asker->questions);
            messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
        }
        int sent = sendmmsg(asker->fd, messages, count, 0);
        if (sent <= 0)
            return sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ECONNREFUSED);
        asker->outstanding += (uint32_t)sent;
        asker->sent += (uint64_t)sent;
    }
    return true;
}

static void asker_receive(struct asker *asker)
{
    static uint8_t bytes[BATCH][BYPEER_PNRP_DATAGRAM_MAX];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = sizeof(bytes[i])};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    int received = recvmmsg(asker->fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (received <= 0) { /* nothing for 100 ms: they are lost */
        asker->outstanding = 0;
        return;
    }
    asker->answered += (uint64_t)received;
    asker->outstanding -= (uint32_t)received < asker->outstanding ? (uint32_t)received : asker->outstanding;
}

static int asker_open(const char *address, const char *port)
{
    const struct timeval patience = {.tv_usec = 100000};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6};
    frame_address_argument("ADDRESS", address, to.sin6_addr.s6_addr);
    to.sin6_port = htons((uint16_t)frame_number_argument("PORT", port, 1, 65535));
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        exit(frame_fail(address, strerror(errno)));
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fputs("usage: bypeer-asker FILE ADDRESS PORT WINDOW SECONDS\n", stderr);
        return 2;
    }
    struct asker asker = {.fd = asker_open(argv[2], argv[3]),
                          .window = frame_number_argument("WINDOW", argv[4], 1, 4096)};
    questions_load(&asker.questions, argv[1]);
    double start = now(), end = start + frame_number_argument("SECONDS", argv[5], 1, 3600);
    while (now() < end) {
        if (!asker_send(&asker))
            exit(frame_fail("send", strerror(errno)));
        asker_receive(&asker);
    }
    printf("{\"sent\": %lu, \"answered\": %lu, \"seconds\": %.3f}\n", asker.sent, asker.answered, now() - start);
    free(asker.questions.bytes);
    close(asker.fd);
    return 0;
}
