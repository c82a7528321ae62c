#include <errno.h>

#include "overlay/pnrp/element.h"
#include "overlay/pnrp/name.h"

#define ANSWER_FLAGS (BYPEER_AUTHORITY_LEAF_SET | BYPEER_AUTHORITY_BUSY | BYPEER_AUTHORITY_NOT_LOCAL)

/* An optional element of any length but 0; false: it is there, and not well formed. */
static bool answer_read_blob(struct element_reader *reader, enum element_field field, const uint8_t **ret_data,
                             uint16_t *ret_bytes)
{
    size_t found = 0;
    if (!element_is_next(reader, field))
        return true;
    *ret_data = element_read(reader, field, &found);
    *ret_bytes = (uint16_t)found;
    return *ret_data && found > 0;
}

static bool answer_read_classifier(struct element_reader *reader, struct bypeer_pnrp_answer *answer)
{
    if (!element_is_next(reader, ELEMENT_CLASSIFIER))
        return true;
    answer->classifier = element_read_array(reader, ELEMENT_CLASSIFIER, ELEMENT_WCHAR, 2, &answer->classifier_length);
    return answer->classifier && answer->classifier_length <= BYPEER_CLASSIFIER_MAX;
}

int bypeer_pnrp_answer_read(struct bypeer_pnrp_answer *ret_answer, const struct bypeer_profile *profile,
                            const uint8_t *bytes, size_t length)
{
    struct bypeer_pnrp_answer answer = {0};
    struct element_reader reader = {bytes, length, 0};
    const uint8_t *flags = element_read_fixed(&reader, ELEMENT_FLAGS, 2);
    if (!flags)
        return -EBADMSG;
    answer.flags = bypeer_load16(flags) & ANSWER_FLAGS;
    if (!answer_read_blob(&reader, ELEMENT_CERT_CHAIN, &answer.chain, &answer.chain_bytes) ||
        !answer_read_classifier(&reader, &answer) ||
        !answer_read_blob(&reader, ELEMENT_EXTENDED_PAYLOAD, &answer.payload, &answer.payload_bytes) ||
        !element_read_entry(&reader, profile, &answer.entry) ||
        !answer_read_blob(&reader, ELEMENT_VALIDATE_CPA, &answer.cpa, &answer.cpa_bytes) || !element_is_end(&reader))
        return -EBADMSG;
    *ret_answer = answer;
    return 0;
}

size_t bypeer_pnrp_answer_write(const struct bypeer_pnrp_answer *answer, const struct bypeer_profile *profile,
                                uint8_t *ret_bytes, size_t room)
{
    struct element_writer writer = {ret_bytes, room, 0};
    element_put16(&writer, ELEMENT_FLAGS, answer->flags, true);
    if (answer->chain)
        element_put_bytes(&writer, ELEMENT_CERT_CHAIN, answer->chain, answer->chain_bytes, true);
    if (answer->classifier)
        element_put_array(&writer, ELEMENT_CLASSIFIER, ELEMENT_WCHAR, 2, answer->classifier, answer->classifier_length,
                          true);
    if (answer->payload)
        element_put_bytes(&writer, ELEMENT_EXTENDED_PAYLOAD, answer->payload, answer->payload_bytes, true);
    element_put_entry(&writer, profile, &answer->entry);
    if (answer->cpa)
        element_put_bytes(&writer, ELEMENT_VALIDATE_CPA, answer->cpa, answer->cpa_bytes, false);
    return element_written(&writer);
}
