/* SSDP datagrams: whatever they hold, what is taken for an answer names a node that can be asked, and what this node
 * writes about such a node is read again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/names/ssdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char target[BYPEER_SSDP_TARGET_MAX], text[BYPEER_SSDP_MESSAGE_MAX];
    struct bypeer_pnrp_endpoint node, again;
    bypeer_ssdp_target(bypeer_profile(BYPEER_PROFILE_WINDOWS), BYPEER_SCOPE_LINK, target);
    if (bypeer_ssdp_is_search((const char *)data, size, target) &&
        bypeer_ssdp_is_answer((const char *)data, size, target, &node))
        abort();
    if (!bypeer_ssdp_is_answer((const char *)data, size, target, &node))
        return 0;
    if (node.port < BYPEER_PNRP_PORT_MIN || node.address[0] == 0xff)
        abort();
    size_t length = bypeer_ssdp_write_answer(target, &node, text);
    if (!bypeer_ssdp_is_answer(text, length, target, &again) || again.port != node.port ||
        memcmp(again.address, node.address, 16) != 0)
        abort();
    return 0;
}
