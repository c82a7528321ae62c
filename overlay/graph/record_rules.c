#include <stdlib.h>

#include "overlay/graph/attributes.h"
#include "overlay/graph/record.h"
#include "overlay/graph/text.h"

/* Of "PEER_RECORD": 1.0 as specified, 2.0 with the modern profile's hashes. */
uint16_t bypeer_record_protocol(const struct bypeer_profile *profile)
{
    return profile->id == BYPEER_PROFILE_WINDOWS ? 0x0100 : 0x0200;
}

/* Graphing's types are 0000nn00-0000..., grouping's and this platform's nn000000-0000..., all with nn from 1 to 4. */
bool bypeer_record_is_reserved(const struct bypeer_guid *type)
{
    static const uint8_t zero[16] = {0};
    const uint8_t *bytes = type->bytes;
    if (memcmp(bytes + 4, zero, 12) != 0 || bytes[1] != 0)
        return false;
    bool is_graphing = bytes[0] == 0 && bytes[2] >= 1 && bytes[2] <= 4;
    bool is_grouping = bytes[0] >= 1 && bytes[0] <= 4 && bytes[2] == 0 && bytes[3] == 0;
    return is_graphing || is_grouping;
}

static int rules_compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int rules_compare_bytes(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes)
{
    if (a_bytes != b_bytes)
        return rules_compare_numbers(a_bytes, b_bytes);
    return a_bytes > 0 ? memcmp(a, b, a_bytes) : 0;
}

static int rules_compare_texts(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

int bypeer_record_compare(const struct bypeer_record *a, const struct bypeer_record *b)
{
    int order = rules_compare_numbers(a->version, b->version);
    if (order == 0)
        order = rules_compare_texts(a->modifier, b->modifier);
    if (order == 0)
        order = rules_compare_numbers(a->modified, b->modified);
    if (order == 0)
        order = rules_compare_bytes(a->security, a->security_bytes, b->security, b->security_bytes);
    /* The specification ends here. Without a security provider two records may still differ: all nodes shall then keep
     * the same one. */
    if (order == 0)
        order = rules_compare_numbers(a->expires, b->expires);
    if (order == 0)
        order = rules_compare_numbers(a->flags & BYPEER_RECORD_DELETED, b->flags & BYPEER_RECORD_DELETED);
    if (order == 0)
        order = rules_compare_bytes(a->payload, a->payload_bytes, b->payload, b->payload_bytes);
    return order != 0 ? order : rules_compare_texts(a->attributes, b->attributes);
}

/* Whether the ID is the one that a record of this type and creator has to have. */
static bool rules_id_is_right(const struct bypeer_record *record, const struct bypeer_profile *profile)
{
    const struct {
        struct bypeer_guid type, id;
    } constant[] = {
        {BYPEER_RECORD_GRAPH_INFO, BYPEER_RECORD_GRAPH_INFO_ID},
        {BYPEER_RECORD_SIGNATURE, BYPEER_RECORD_SIGNATURE_ID},
    };
    for (unsigned at = 0; at < sizeof(constant) / sizeof(constant[0]); at++)
        if (bypeer_guid_is_equal(&record->type, &constant[at].type) ||
            bypeer_guid_is_equal(&record->id, &constant[at].id))
            return bypeer_guid_is_equal(&record->type, &constant[at].type) &&
                   bypeer_guid_is_equal(&record->id, &constant[at].id);
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_REVOCATION))
        return true;
    uint8_t half[8];
    bypeer_record_creator_half(profile, record->creator, half);
    return memcmp(record->id.bytes, half, sizeof(half)) == 0;
}

static const char *rules_times_fault(const struct bypeer_record *record, uint64_t now)
{
    if (record->modified < record->created)
        return "it was modified before it was created";
    if (record->expires <= record->modified)
        return "it expires before it was modified";
    if (now != 0 && record->expires <= now)
        return "it has expired";
    if (record->modified == record->created && record->modifier)
        return "it was never modified, and yet by somebody";
    return NULL;
}

static const char *rules_content_fault(const struct bypeer_record *record, uint32_t largest)
{
    size_t bytes = record->payload_bytes;
    if (largest == 0)
        largest = BYPEER_RECORD_BYTES_MAX;
    if (bypeer_record_is_deleted(record) && bytes > 0)
        return "it is deleted, and yet has a payload";
    if (record->attributes) {
        struct bypeer_attributes *attributes;
        char why[BYPEER_ATTRIBUTE_WHY];
        bytes += 2 * bypeer_text_units(record->attributes);
        if (bytes <= largest && bypeer_attributes_read(&attributes, record->attributes, why) < 0)
            return "its attributes are not as they have to be";
        if (bytes <= largest)
            free(attributes);
    }
    return bytes > largest ? "it is larger than the graph allows" : NULL;
}

const char *bypeer_record_fault(const struct bypeer_record *record, const struct bypeer_record_rules *rules)
{
    if (record->protocol != bypeer_record_protocol(rules->profile))
        return "it is of another version of the protocol";
    if (strcmp(record->graph, rules->graph) != 0)
        return "it is of another graph";
    if (record->flags & ~BYPEER_RECORD_DELETED)
        return "it has flags that are not defined";
    if (!rules_id_is_right(record, rules->profile))
        return "its ID is not one of its creator's";
    const char *fault = rules_times_fault(record, rules->now);
    return fault ? fault : rules_content_fault(record, rules->largest);
}
