/* The lines of NSS, from either side: a question that bypeerd reads, an answer that the module reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/names/nss_message.h"
#include "tools/nss/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char host[BYPEER_HOST_NAME_MAX];
    uint8_t addresses[ANSWER_ADDRESSES][16], again[ANSWER_ADDRESSES][16];
    int result = bypeer_nss_read((const char *)data, size, host);
    if (result == 0 && (memcmp(host, data, strlen(host)) != 0 || data[strlen(host)] != '\n'))
        abort();
    if (result == -EAGAIN && size >= BYPEER_HOST_NAME_MAX)
        abort();
    int count = answer_read((const char *)data, size, addresses);
    if (count > ANSWER_ADDRESSES || (count == -EAGAIN && size > ANSWER_BYTES))
        abort();
    if (count <= 0)
        return 0;
    char written[BYPEER_NSS_ANSWER_MAX];
    size_t length = bypeer_nss_write((const uint8_t(*)[16])addresses, (unsigned)count, written);
    if (length > sizeof(written) || answer_read(written, length, again) != count ||
        memcmp(addresses, again, (size_t)count * 16) != 0)
        abort();
    return 0;
}
