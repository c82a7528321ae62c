/*
 * usage: bypeer-traffic send INTERFACE [--frames FILE.pcap [--mutate|--plain]] [--seed N] [--rate N] [--count N]
 *        bypeer-traffic receive INTERFACE [--silence MS]
 *
 * send without --frames sends random bytes; --plain sends the file's frames as they are, without a stamp. receive
 * prints when nothing came for longer than --silence (5 ms).
 */
#include "tests/e2e/traffic/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

volatile int traffic_ended;

static void on_signal(int number)
{
    (void)number;
    traffic_ended = 1;
}

uint64_t traffic_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int traffic_socket(const char *interface, int receive)
{
    int on = 1, bytes = 128 << 20;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, receive ? htons(ETH_P_ALL) : 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = receive ? htons(ETH_P_ALL) : (uint16_t)0,
        .sll_ifindex = (int)if_nametoindex(interface),
    };
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
    if (receive)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    if (address.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static int usage(void)
{
    fputs("usage: bypeer-traffic send INTERFACE [--frames FILE.pcap [--mutate|--plain]] [--seed N] [--rate N] [--count "
          "N]\n"
          "       bypeer-traffic receive INTERFACE [--silence MS]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"frames", required_argument, NULL, 'f'},  {"mutate", no_argument, NULL, 'm'},
        {"plain", no_argument, NULL, 'p'},         {"seed", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},    {"count", required_argument, NULL, 'c'},
        {"silence", required_argument, NULL, 'i'}, {NULL, 0, NULL, 0},
    };
    struct traffic_send send = {.seed = 1};
    struct traffic_frames frames = {0};
    const char *file = NULL;
    uint64_t silence_ms = 5;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            file = optarg;
            break;
        case 'm':
            send.mutate = 1;
            break;
        case 'p':
            send.plain = 1;
            break;
        case 's':
            send.seed = strtoull(optarg, NULL, 0);
            break;
        case 'r':
            send.rate = strtoull(optarg, NULL, 0);
            break;
        case 'c':
            send.count = strtoull(optarg, NULL, 0);
            break;
        case 'i':
            silence_ms = strtoull(optarg, NULL, 0);
            break;
        default:
            return usage();
        }
    }
    if (argc - optind != 2)
        return usage();

    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    const char *verb = argv[optind];
    send.interface = argv[optind + 1];
    if (strcmp(verb, "receive") == 0)
        return traffic_receive(send.interface, silence_ms * 1000000u);
    if (strcmp(verb, "send") != 0)
        return usage();
    if (file != NULL) {
        int error = traffic_frames_load(&frames, file);
        if (error != 0 || frames.count == 0) {
            fprintf(stderr, "bypeer-traffic: %s: %s\n", file, error != 0 ? strerror(-error) : "no frames");
            return 1;
        }
        send.frames = &frames;
    }
    int status = traffic_send(&send);
    traffic_frames_free(&frames);
    return status;
}
