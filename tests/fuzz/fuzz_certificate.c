/* Certificates and chains: whatever they are, they end in a verdict that says why, and what is sound is of its group.
 */
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void judge(const struct bypeer_chain *chain)
{
    struct bypeer_chain_verdict verdict;
    char text[BYPEER_CHAIN_WHY_MAX];
    const struct bypeer_certificate_facts *leaf = bypeer_chain_leaf(chain);
    /* Of itself and in its own time, so that all rules are come by. */
    const struct bypeer_peer_name *group = &bypeer_chain_at(chain, 0)->group;
    struct bypeer_chain_question question = {
        .now = leaf->not_before, .group = group, .leaf_key = leaf->public_key, .leaf_serial = leaf->serial};
    enum bypeer_chain_fault fault = bypeer_chain_judge_question(chain, &question, &verdict);
    require(fault == verdict.fault && verdict.at < (int)bypeer_chain_length(chain));
    bypeer_chain_explain(&verdict, text);
    require(text[0] != '\0');
    if (fault == BYPEER_CHAIN_SOUND) {
        require(bypeer_name_is_equal(&leaf->group, group) && group->secure);
        require(leaf->kind == BYPEER_CERTIFICATE_ROOT || leaf->roles != 0);
        require(question.now < bypeer_chain_not_after(chain));
    }
    question.is_delegation = true;
    if (bypeer_chain_judge_question(chain, &question, &verdict) == BYPEER_CHAIN_SOUND)
        bypeer_chain_covers(chain, group);
}

/* What is taken can be sent on, and is the same then. */
static void send_on(const struct bypeer_profile *profile, const struct bypeer_chain *chain)
{
    struct bypeer_chain *again = NULL;
    size_t length;
    const uint8_t *bag = bypeer_chain_bag(chain, &length);
    require(bypeer_chain_read(&again, profile, bag, length, NULL) == 0);
    require(bypeer_chain_length(again) == bypeer_chain_length(chain));
    bypeer_chain_free(again);
}

static void read_all(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_certificate *certificate = NULL;
    struct bypeer_chain *chain = NULL;
    struct bypeer_chain_verdict verdict;
    const char *why = NULL;
    if (bypeer_certificate_read(&certificate, profile, data, size, &why) == 0) {
        bypeer_certificate_judge_identity(certificate, 0);
        bypeer_certificate_free(certificate);
    } else {
        require(why);
    }
    if (bypeer_bag_read_identity(&certificate, profile, data, size, &why) == 0)
        bypeer_certificate_free(certificate);
    if (bypeer_chain_read(&chain, profile, data, size, &verdict) != 0) {
        require(verdict.fault != BYPEER_CHAIN_SOUND && verdict.why);
        return;
    }
    judge(chain);
    send_on(profile, chain);
    bypeer_chain_free(chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++)
        read_all(bypeer_profile((enum bypeer_profile_id)id), data, size);
    return 0;
}
