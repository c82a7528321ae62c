#include "perf/frame_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ether.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "tests/random.h"

uint64_t frame_random_at(uint64_t seed, uint64_t i)
{
    return random_mix(seed + (i + 1) * RANDOM_STEP);
}

bool frame_file_begin(FILE *file)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, accuracy, longest, link_type;
    } header = {0xa1b2c3d4, 2, 4, 0, 0, 65535, 1};
    return fwrite(&header, sizeof(header), 1, file) == 1;
}

bool frame_file_put(FILE *file, const uint8_t *frame, uint32_t bytes)
{
    const uint32_t header[4] = {0, 0, bytes, bytes};
    return fwrite(header, sizeof(header), 1, file) == 1 && fwrite(frame, bytes, 1, file) == 1;
}

void frame_udp_finish(uint8_t *ipv6, uint16_t source_port, uint16_t destination_port, uint16_t udp_bytes)
{
    uint8_t *udp = ipv6 + BYPEER_IPV6_BYTES;
    bypeer_store16(udp + BYPEER_UDP_SOURCE, source_port);
    bypeer_store16(udp + BYPEER_UDP_DESTINATION, destination_port);
    bypeer_store16(udp + BYPEER_UDP_LENGTH, udp_bytes);
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, 0);
    uint64_t sum = bypeer_checksum_sum(ipv6 + BYPEER_IPV6_SOURCE, 32);
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field(udp_bytes));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field(BYPEER_NEXT_UDP));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_long(udp, udp_bytes));
    uint16_t checksum = (uint16_t)~bypeer_checksum_fold(sum);
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, checksum != 0 ? checksum : 0xffff);
}

int frame_fail(const char *what, const char *text)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, text);
    return 1;
}

uint32_t frame_number_argument(const char *name, const char *text, uint32_t least, uint32_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno == 0 && *text != '\0' && *end == '\0' && value >= least && value <= most)
        return (uint32_t)value;
    fprintf(stderr, "%s: %s: %s is no number from %u to %u\n", program_invocation_short_name, name, text, least, most);
    exit(2);
}

void frame_mac_argument(const char *text, uint8_t ret_mac[static 6])
{
    struct ether_addr mac;
    if (ether_aton_r(text, &mac) == NULL)
        exit(frame_fail("MAC", "must look like 02:70:63:61:70:00") + 1);
    memcpy(ret_mac, mac.ether_addr_octet, 6);
}

void frame_address_argument(const char *name, const char *text, uint8_t ret_address[static 16])
{
    if (inet_pton(AF_INET6, text, ret_address) != 1)
        exit(frame_fail(name, "is no IPv6 address") + 1);
}

void frame_hex_argument(const char *name, const char *text, uint8_t *ret_bytes, size_t bytes)
{
    bool good = strlen(text) == 2 * bytes;
    for (size_t i = 0; good && i < bytes; i++)
        good = sscanf(text + 2 * i, "%2hhx", &ret_bytes[i]) == 1;
    if (!good)
        exit(frame_fail(name, "must be hexadecimal digits, as many as the field has") + 1);
}
