#include "tests/unit/pnrp_stranger.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct bypeer_pnrp_endpoint net_stranger(uint16_t net, uint16_t port)
{
    struct bypeer_pnrp_endpoint endpoint = {
        .address = {0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, (uint8_t)(net >> 8), (uint8_t)net}, .port = port};
    endpoint.address[15] = 9;
    return endpoint;
}

struct net_seen net_seen;

static bool stranger_watch(struct net *net, const struct net_datagram *datagram,
                           const struct bypeer_pnrp_message *message)
{
    (void)net;
    if (memcmp(datagram->to.address, net_seen.to.address, 16) != 0 || datagram->to.port != net_seen.to.port)
        return true;
    net_seen.count[message->type]++;
    net_seen.bytes += datagram->length + 48;
    free(net_seen.last);
    net_seen.last = malloc(sizeof(*datagram) + datagram->length);
    memcpy(net_seen.last, datagram, sizeof(*datagram) + datagram->length);
    return true;
}

void net_watch(struct net *net, struct bypeer_pnrp_endpoint to)
{
    free(net_seen.last);
    net_seen = (struct net_seen){.to = to};
    net->pass = stranger_watch;
}

void net_last_answer(const struct net *net, struct bypeer_pnrp_answer *ret_answer)
{
    struct bypeer_pnrp_message message;
    cr_assert_not_null(net_seen.last);
    cr_assert_eq(bypeer_pnrp_read(&message, net->profile, net_seen.last->bytes, net_seen.last->length), 0);
    cr_assert_eq(message.type, BYPEER_PNRP_AUTHORITY);
    cr_assert_eq(
        bypeer_pnrp_answer_read(ret_answer, net->profile, message.authority.slice, message.authority.slice_bytes), 0);
}

void net_make_lookup(const uint8_t *target, const uint8_t *validate, const uint8_t path[static 18],
                     struct bypeer_pnrp_message *ret_message)
{
    *ret_message = (struct bypeer_pnrp_message){
        .type = BYPEER_PNRP_LOOKUP,
        .id = 77,
        .lookup = {.criterion = BYPEER_PNRP_ANY, .target = target, .validate = validate, .path = {path, 1}}};
}

void net_make_inquire(const uint8_t *id, uint32_t message_id, struct bypeer_pnrp_message *ret_message)
{
    static const uint8_t nonce[16] = {5};
    *ret_message = (struct bypeer_pnrp_message){
        .type = BYPEER_PNRP_INQUIRE,
        .id = message_id,
        .inquire = {.flags = BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN,
                    .validate = id,
                    .nonce = nonce}};
}
