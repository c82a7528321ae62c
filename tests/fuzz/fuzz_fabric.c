/*
 * Frames from a port: whatever is taken lies within the frame, and its sum is right; sent on over either underlay it is
 * taken again, unchanged.
 */
#include <stdlib.h>
#include <string.h>

#include "overlay/fabric/receive.h"
#include "overlay/fabric/send.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(struct bypeer_fabric_inner *ret_inner, uint8_t *frame, size_t size)
{
    struct bypeer_fabric_outer outer;
    uint8_t source[16], destination[16];
    uint32_t vni;
    size_t end;
    if (bypeer_fabric_outer_parse(&outer, &end, frame, size) != 0 || !bypeer_fabric_is_whole(&outer, end))
        return false;
    bypeer_fabric_addresses(source, destination, frame, &outer);
    return bypeer_gpe_parse(&vni, bypeer_fabric_gpe(frame, &outer)) == 0 &&
           bypeer_fabric_open(ret_inner, frame, &outer, bypeer_fabric_constant_sum(frame, &outer)) ==
               BYPEER_FABRIC_TAKEN;
}

/* Carries the packet over a link whose peer and local end are these, and takes it at the other end. */
static void send_on(const uint8_t *packet, uint16_t bytes, const uint8_t peer[static 16],
                    const uint8_t local[static 16])
{
    struct bypeer_link link = {.kind = BYPEER_LINK_FABRIC, .vni = 7, .udp_port = BYPEER_GPE_UDP_PORT};
    memcpy(link.peer, peer, 16);
    memcpy(link.local, local, 16);
    if (bypeer_fabric_link_prepare(&link) != 0)
        abort();
    size_t headers = BYPEER_ETHERNET_BYTES + (size_t)link.template_bytes;
    uint8_t *frame = calloc(1, headers + bytes);
    bypeer_store16(frame + 12, link.underlay == 4 ? BYPEER_ETHERTYPE_IPV4 : BYPEER_ETHERTYPE_IPV6);
    memcpy(frame + headers, packet, bytes);
    bypeer_fabric_encapsulate(frame + BYPEER_ETHERNET_BYTES, &link,
                              &(struct bypeer_fabric_variable){
                                  .inner_bytes = bytes,
                                  .inner_sum = bypeer_checksum_fold(bypeer_checksum_sum(packet, bytes)),
                                  .source_port = bypeer_fabric_source_port(packet, bytes),
                                  .ecn = bypeer_ecn_encapsulate(bypeer_ipv6_traffic_class(packet)),
                              });
    struct bypeer_fabric_inner inner;
    if (!take(&inner, frame, headers + bytes) || inner.at != headers || inner.bytes != bytes || !inner.sum_known ||
        memcmp(frame + headers, packet, bytes) != 0)
        abort();
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t peer6[16] = {0x20, 1, [15] = 2}, local6[16] = {0x20, 1, [15] = 1};
    static const uint8_t peer4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 2}, local4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
    struct bypeer_fabric_inner inner;
    /* A copy exactly as large, because a congestion mark is written. */
    uint8_t *frame = malloc(size == 0 ? 1 : size);
    memcpy(frame, data, size);
    if (take(&inner, frame, size)) {
        if (inner.bytes < BYPEER_IPV6_BYTES || (size_t)inner.at + inner.bytes > size)
            abort();
        const uint8_t *packet = frame + inner.at;
        uint16_t sum = bypeer_checksum_fold(bypeer_checksum_sum(packet, inner.bytes));
        if (inner.sum_known && sum % 0xffff != inner.sum % 0xffff)
            abort();
        if (inner.bytes <= 9000) {
            send_on(packet, inner.bytes, peer6, local6);
            send_on(packet, inner.bytes, peer4, local4);
        }
    }
    free(frame);
    return 0;
}
