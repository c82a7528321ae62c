#include "overlay/pnrp/delegation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "overlay/certificate/chain.h"

_Static_assert(BYPEER_DELEGATION_BYTES_MAX == BYPEER_BAG_BYTES_MAX, "a delegation is a bag");

/* What a name asks beyond the chain. */
static const char *delegation_check_name(const struct bypeer_chain *chain, const struct bypeer_peer_name *name)
{
    const struct bypeer_peer_name *group = &bypeer_chain_at(chain, 0)->group;
    if (!name->secure || memcmp(group->authority, name->authority, sizeof(name->authority)) != 0)
        return "is of another authority than the name";
    return bypeer_chain_covers(chain, name) ? NULL : "does not cover this name's classifier";
}

int bypeer_delegation_validate(const struct bypeer_profile *profile, const uint8_t *bytes, size_t length,
                               const struct bypeer_peer_name *name, const uint8_t *public_key, uint64_t now, char *why,
                               size_t why_bytes)
{
    const struct bypeer_chain_question question = {.now = now, .leaf_key = public_key, .is_delegation = true};
    struct bypeer_chain_verdict verdict = {.fault = BYPEER_CHAIN_SOUND};
    struct bypeer_chain *chain = NULL;
    int status = bypeer_chain_read(&chain, profile, bytes, length, &verdict);
    if (status == 0 && bypeer_chain_judge_question(chain, &question, &verdict) != BYPEER_CHAIN_SOUND)
        status = -EKEYREJECTED;
    if (status == 0 && (verdict.why = delegation_check_name(chain, name))) {
        verdict.at = -1;
        status = -EKEYREJECTED;
    }
    bypeer_chain_free(chain);
    if (status == -ENOMEM) {
        verdict = (struct bypeer_chain_verdict){.at = -1, .why = "cannot be read: memory is short"};
        status = -EKEYREJECTED;
    }
    if (status != 0 && why) {
        char text[BYPEER_CHAIN_WHY_MAX];
        bypeer_chain_explain(&verdict, text);
        snprintf(why, why_bytes, "%s", text);
    }
    return status;
}
