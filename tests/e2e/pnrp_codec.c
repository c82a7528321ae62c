/*
 * What the node's PNRP code makes of messages that another implementation wrote: reads lines "PROFILE message HEX" and
 * "PROFILE answer HEX", and prints each one's fields, and the message as it writes it again.
 *
 *   modern message 0010000c5105...   ->   kind=9 id=0a0b0c0e acked=01020305 not_local=0 again=0010000c5105...
 *   refused lines                    ->   refused -74
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/cpa.h"
#include "overlay/pnrp/message.h"
#include "tests/e2e/codec.h"

static void print_hex(const char *name, const uint8_t *bytes, size_t length)
{
    printf(" %s=", name);
    if (bytes == NULL)
        printf("-");
    for (size_t at = 0; bytes != NULL && at < length; at++)
        printf("%02x", bytes[at]);
}

static void print_address(const uint8_t *address)
{
    char text[INET6_ADDRSTRLEN];
    printf("%s", inet_ntop(AF_INET6, address, text, sizeof(text)));
}

static void print_entry(const struct bypeer_pnrp_entry *entry)
{
    print_hex("entry", entry->id, 32);
    if (entry->id == NULL)
        return;
    printf(":%u", entry->port);
    for (unsigned at = 0; at < entry->address_count; at++) {
        printf(",");
        print_address(entry->addresses + 16 * at);
    }
}

static void print_endpoints(const char *name, const struct bypeer_pnrp_endpoints *endpoints)
{
    printf(" %s=", name);
    for (unsigned at = 0; at < endpoints->count; at++) {
        struct bypeer_pnrp_endpoint endpoint;
        bypeer_pnrp_endpoint_at(endpoints, at, &endpoint);
        printf("%s%u/", at > 0 ? "," : "", endpoint.port);
        print_address(endpoint.address);
    }
}

static void print_ids(const struct bypeer_pnrp_ids *ids)
{
    printf(" ids=");
    for (unsigned at = 0; at < ids->count; at++)
        for (unsigned i = 0; i < 32; i++)
            printf("%s%02x", at > 0 && i == 0 ? "," : "", ids->bytes[32 * at + i]);
}

static void print_cpa(const struct bypeer_profile *profile, const char *name, const uint8_t *bytes, size_t length)
{
    struct bypeer_cpa cpa;
    uint8_t id[32];
    if (bytes == NULL) {
        printf(" %s=-", name);
        return;
    }
    int result = bypeer_cpa_read(&cpa, profile, bytes, length);
    if (result < 0) {
        printf(" %s=refused", name);
        return;
    }
    bypeer_cpa_id(&cpa, profile, id);
    print_hex(name, id, sizeof(id));
    printf(" revoke=%d extended=%d not_after=%llu", cpa.revoke, cpa.has_extended, (unsigned long long)cpa.not_after);
    print_hex("nonce", cpa.nonce, sizeof(cpa.nonce));
    print_hex("comment", cpa.comment, cpa.comment_bytes);
    printf(" services=");
    for (unsigned at = 0; at < cpa.service_count; at++) {
        printf("%s%u/", at > 0 ? "," : "", cpa.services[at].port);
        print_address(cpa.services[at].address);
    }
    printf(" applications=");
    for (unsigned at = 0; at < cpa.application_count; at++) {
        printf("%s%u/%u/", at > 0 ? "," : "", cpa.applications[at].protocol, cpa.applications[at].port);
        print_address(cpa.applications[at].address);
    }
    bool verified = bypeer_profile_verify(profile, cpa.public_key, bytes, cpa.signed_bytes, cpa.signature) == 0;
    printf(" verified=%d", verified);
}

static void print_again(const uint8_t *bytes, size_t length)
{
    print_hex("again", bytes, length);
    printf("\n");
}

static int print_message(const struct bypeer_profile *profile, const uint8_t *bytes, size_t length)
{
    struct bypeer_pnrp_message message;
    int result = bypeer_pnrp_read(&message, profile, bytes, length);
    if (result < 0)
        return result;
    printf("kind=%d id=%08x", message.type, message.id);
    switch (message.type) {
    case BYPEER_PNRP_SOLICIT:
        printf(" local_only=%d", message.solicit.local_only);
        print_entry(&message.solicit.entry);
        print_hex("hashed_nonce", message.solicit.hashed_nonce, 20);
        break;
    case BYPEER_PNRP_ADVERTISE:
        printf(" acked=%08x", message.advertise.acked);
        print_ids(&message.advertise.ids);
        print_hex("hashed_nonce", message.advertise.hashed_nonce, 20);
        break;
    case BYPEER_PNRP_REQUEST:
        print_hex("nonce", message.request.nonce, 16);
        print_ids(&message.request.ids);
        break;
    case BYPEER_PNRP_FLOOD:
        printf(" no_ack=%d", message.flood.no_ack);
        print_hex("validate", message.flood.validate, 32);
        print_cpa(profile, "revoked", message.flood.revoke, message.flood.revoke_bytes);
        print_entry(&message.flood.entry);
        print_endpoints("flooded", &message.flood.flooded);
        break;
    case BYPEER_PNRP_INQUIRE:
        printf(" flags=%04x", message.inquire.flags);
        print_hex("validate", message.inquire.validate, 32);
        print_hex("nonce", message.inquire.nonce, 16);
        break;
    case BYPEER_PNRP_AUTHORITY:
        printf(" acked=%08x size=%u offset=%u", message.authority.acked, message.authority.size,
               message.authority.offset);
        print_hex("slice", message.authority.slice, message.authority.slice_bytes);
        break;
    case BYPEER_PNRP_ACK:
        printf(" acked=%08x not_local=%d", message.ack.acked, message.ack.not_local);
        break;
    case BYPEER_PNRP_LOOKUP:
        printf(" any_distance=%d precision=%u criterion=%u reason=%u", message.lookup.any_distance,
               message.lookup.precision, message.lookup.criterion, message.lookup.reason);
        print_hex("target", message.lookup.target, 32);
        print_hex("validate", message.lookup.validate, 32);
        print_entry(&message.lookup.entry);
        print_endpoints("path", &message.lookup.path);
        break;
    }
    uint8_t again[BYPEER_PNRP_BUFFER_MAX];
    print_again(again, bypeer_pnrp_write(&message, profile, again, sizeof(again)));
    return 0;
}

static int print_answer(const struct bypeer_profile *profile, const uint8_t *bytes, size_t length)
{
    struct bypeer_pnrp_answer answer;
    struct bypeer_extended extended;
    int result = bypeer_pnrp_answer_read(&answer, profile, bytes, length);
    if (result < 0)
        return result;
    printf("flags=%04x", answer.flags);
    print_hex("chain", answer.chain, answer.chain_bytes);
    print_hex("classifier", answer.classifier, 2u * answer.classifier_length);
    if (answer.payload == NULL)
        printf(" payload=-");
    else if (bypeer_extended_read(&extended, profile, answer.payload, answer.payload_bytes) < 0)
        printf(" payload=refused");
    else
        print_hex("payload", extended.payload, extended.payload_bytes);
    print_entry(&answer.entry);
    print_cpa(profile, "cpa", answer.cpa, answer.cpa_bytes);
    uint8_t *again = malloc(BYPEER_PNRP_BUFFER_MAX);
    if (again == NULL)
        return -ENOMEM;
    print_again(again, bypeer_pnrp_answer_write(&answer, profile, again, BYPEER_PNRP_BUFFER_MAX));
    free(again);
    return 0;
}

int codec_print(const struct bypeer_profile *profile, const char *what, const uint8_t *bytes, size_t length)
{
    return strcmp(what, "message") == 0 ? print_message(profile, bytes, length) : print_answer(profile, bytes, length);
}
