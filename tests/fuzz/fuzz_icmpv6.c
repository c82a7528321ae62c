/* Packets that an ICMPv6 error is to be sent about: each error is whole, right, and none about an error. */
#include <stdlib.h>
#include <string.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/icmpv6.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t node[16] = {0xfd, 0x12, [15] = 1};
    for (uint8_t type = BYPEER_ICMPV6_UNREACHABLE; type <= BYPEER_ICMPV6_TIME_EXCEEDED; type++) {
        struct bypeer_icmpv6_error error = {.type = type, .value = 1280, .source = node};
        struct bypeer_ipv6 header;
        if (!bypeer_icmpv6_is_allowed(data, size, type))
            continue;
        /* Exactly as large as promised, for the sanitizer. */
        uint8_t *packet = malloc(BYPEER_ICMPV6_ERROR_BYTES);
        size_t length = bypeer_icmpv6_write(packet, &error, data, size);
        if (length > BYPEER_ICMPV6_ERROR_BYTES || bypeer_ipv6_parse(&header, packet, length) != 0 ||
            memcmp(header.destination, data + BYPEER_IPV6_SOURCE, 16) != 0)
            abort();
        uint64_t sum = bypeer_checksum_sum(packet + BYPEER_IPV6_SOURCE, length - BYPEER_IPV6_SOURCE);
        sum = bypeer_checksum_plus(sum, bypeer_checksum_field(header.payload_bytes));
        sum = bypeer_checksum_plus(sum, bypeer_checksum_field(header.next_header));
        if (bypeer_checksum_fold(sum) != 0xffff || bypeer_icmpv6_is_allowed(packet, length, type))
            abort();
        free(packet);
    }
    return 0;
}
