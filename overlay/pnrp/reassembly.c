/* Answers in slices ([MS-PNRP] 2.2.2.6). Only what was asked for gets here: at most one for each pending message. */
#include "overlay/pnrp/state.h"

#define REASSEMBLY_MS 2000

struct bypeer_reassembly {
    uint32_t message_id; /* of all its slices */
    uint32_t have;       /* a bit a slice */
    uint64_t since_ms;
    struct bypeer_pnrp_endpoint from;
    uint16_t size;
    uint8_t bytes[];
};

void bypeer_reassembly_free(struct bypeer_reassembly *reassembly)
{
    free(reassembly);
}

static bool reassembly_is_of(const struct bypeer_reassembly *reassembly, const struct bypeer_pnrp_endpoint *from,
                             const struct bypeer_pnrp_message *message, uint64_t now_ms)
{
    return reassembly && reassembly->message_id == message->id && reassembly->size == message->authority.size &&
           memcmp(reassembly->from.address, from->address, 16) == 0 && now_ms - reassembly->since_ms <= REASSEMBLY_MS;
}

int bypeer_reassembly_put(struct bypeer_reassembly **reassembly, const struct bypeer_pnrp_endpoint *from,
                          const struct bypeer_pnrp_message *message, uint64_t now_ms, const uint8_t **ret_bytes,
                          size_t *ret_length)
{
    const struct bypeer_pnrp_authority *slice = &message->authority;
    size_t end = (size_t)slice->offset + slice->slice_bytes;
    bool is_last = end == slice->size;
    if (slice->size > BYPEER_PNRP_BUFFER_MAX || slice->offset % BYPEER_PNRP_SLICE_BYTES != 0 || end > slice->size ||
        slice->slice_bytes == 0 || (!is_last && slice->slice_bytes != BYPEER_PNRP_SLICE_BYTES))
        return -EBADMSG;
    if (slice->offset == 0 && is_last) {
        *ret_bytes = slice->slice;
        *ret_length = slice->size;
        return 1;
    }
    if (!reassembly_is_of(*reassembly, from, message, now_ms)) {
        /* Another answer to the same question: the request was sent again, so what came of the first is not all. */
        struct bypeer_reassembly *made = malloc(sizeof(*made) + slice->size);
        if (!made)
            return -ENOMEM;
        *made = (struct bypeer_reassembly){
            .message_id = message->id, .since_ms = now_ms, .from = *from, .size = slice->size};
        bypeer_reassembly_free(*reassembly);
        *reassembly = made;
    }
    unsigned slices = ((*reassembly)->size + BYPEER_PNRP_SLICE_BYTES - 1u) / BYPEER_PNRP_SLICE_BYTES;
    memcpy((*reassembly)->bytes + slice->offset, slice->slice, slice->slice_bytes);
    (*reassembly)->have |= 1u << (slice->offset / BYPEER_PNRP_SLICE_BYTES);
    if ((*reassembly)->have != (slices == 32 ? UINT32_MAX : (1u << slices) - 1))
        return 0;
    *ret_bytes = (*reassembly)->bytes;
    *ret_length = (*reassembly)->size;
    return 1;
}
