/* How often each source may do something: one that comes too often keeps nobody else out. */
#include <criterion/criterion.h>

#include "overlay/graph/tokens.h"

#define SOURCES 4

static const struct bypeer_tokens_rate rate = {.burst = 3, .every_ms = 100};
static struct bypeer_tokens_source sources[SOURCES];

static bool may(const uint8_t address[static 16], uint64_t now_ms)
{
    struct bypeer_tokens *tokens = bypeer_tokens_of(sources, SOURCES, address);
    bool are_left = bypeer_tokens_are_left(tokens, &rate, now_ms);
    if (are_left)
        bypeer_tokens_take(tokens, &rate, now_ms);
    return are_left;
}

static void use_up(uint8_t address[static 16], uint64_t now_ms)
{
    for (unsigned at = 0; at < rate.burst; at++) {
        address[15] = (uint8_t)at;
        cr_assert(may(address, now_ms));
    }
    cr_assert(!may(address, now_ms));
}

Test(graph_tokens, come_back_one_by_one)
{
    uint8_t one[16] = {0x20, 1}, other[16] = {0x20, 2};
    use_up(one, 1000);
    cr_assert(may(other, 1000));
    cr_assert(!may(one, 1099));
    cr_assert(may(one, 1100));
    cr_assert(!may(one, 1100));
    use_up(one, 1400);
}

Test(graph_tokens, a_source_of_ipv4_is_a_net)
{
    uint8_t ipv4[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2};
    use_up(ipv4, 2000);
    ipv4[14] = 3;
    cr_assert(may(ipv4, 2000));
}

Test(graph_tokens, who_used_up_all_is_forgotten_last)
{
    uint8_t greedy[16] = {0x20, 1}, next[16] = {0x20, 2};
    use_up(greedy, 1000);
    for (uint8_t number = 0; number < 20; number++) {
        next[2] = number;
        cr_assert(may(next, 1000));
    }
    cr_assert(!may(greedy, 1000));
}
