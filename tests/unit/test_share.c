/* Members of a group that all want more than there is, on a clock of the test's own. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/meter/share.h"

#define MEMBERS   1000
#define PACKET    1400
#define SETTLE_MS 500 /* counted from then on */
#define GIGABIT   UINT64_C(1000000000)

enum pattern { STEADY, BURSTS, UNEVEN };

struct member {
    double bits_s; /* offered */
    enum pattern pattern;
    uint64_t word;
    double waiting;
    double offered, sent; /* bytes */
};

static struct member members[MEMBERS];
static struct bypeer_share share;
static uint64_t clock_ms = 5000; /* at the start of a run: since the machine's own */
static uint64_t random_state = 88172645463325252u;

static double draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

/* How many packets the member offers in this ms. */
static unsigned offers(struct member *member)
{
    member->waiting += member->bits_s / 8000 * (member->pattern == UNEVEN ? 2 * draw() : 1);
    unsigned packets = (unsigned)(member->waiting / PACKET);
    if (member->pattern == BURSTS && packets < 20)
        return 0;
    member->waiting -= packets * PACKET;
    return packets;
}

static void run(unsigned count, uint64_t bits_s, unsigned ms)
{
    const uint64_t capacity = bypeer_share_capacity(bits_s), burst = 4 * capacity;
    for (unsigned now = 0; now < ms; now++)
        for (unsigned i = 0; i < count; i++) {
            unsigned packets = offers(&members[i]);
            for (unsigned n = 0; n < packets; n++) {
                uint64_t round = bypeer_share_turn(&share, capacity, (clock_ms + now) * 1000000);
                bool passes = bypeer_share_take(&share, &members[i].word, capacity, burst, PACKET, round);
                if (passes)
                    bypeer_share_passed(&share, PACKET, round);
                members[i].offered += now >= SETTLE_MS ? PACKET : 0;
                members[i].sent += passes && now >= SETTLE_MS ? PACKET : 0;
            }
        }
}

static double rate_of(const struct member *member, unsigned ms)
{
    return member->sent * 8000 / (ms - SETTLE_MS);
}

static void expect_total(unsigned count, uint64_t bits_s, unsigned ms)
{
    double total = 0;
    for (unsigned i = 0; i < count; i++)
        total += rate_of(&members[i], ms);
    cr_assert(total < 1.03 * (double)bits_s, "%.3f of the rate", total / (double)bits_s);
    cr_assert(total > 0.95 * (double)bits_s, "%.3f of the rate", total / (double)bits_s);
}

Test(share, a_greedy_member_leaves_a_polite_one_its_share)
{
    for (enum pattern pattern = STEADY; pattern <= UNEVEN; pattern++) {
        memset(&share, 0, sizeof(share));
        members[0] = (struct member){.bits_s = 50e9};
        members[1] = (struct member){.bits_s = 0.5e9, .pattern = pattern};
        run(2, GIGABIT, 3000);
        expect_total(2, GIGABIT, 3000);
        cr_assert_gt(members[1].sent, 0.95 * members[1].offered, "pattern %d", pattern);
    }
}

Test(share, what_polite_members_leave_is_divided_between_the_greedy)
{
    const double wanted[] = {5e9, 0.1e9, 0.05e9, 3e9};
    for (unsigned i = 0; i < 4; i++)
        members[i] = (struct member){.bits_s = wanted[i], .pattern = i % 3};
    run(4, GIGABIT, 3000);
    expect_total(4, GIGABIT, 3000);
    cr_assert_gt(members[1].sent, 0.99 * members[1].offered);
    cr_assert_gt(members[2].sent, 0.99 * members[2].offered);
    cr_assert_float_eq(rate_of(&members[0], 3000), 0.425e9, 0.02e9);
    cr_assert_float_eq(rate_of(&members[3], 3000), 0.425e9, 0.02e9);
}

Test(share, who_is_alone_has_all_of_it)
{
    members[0] = (struct member){.bits_s = 5e9};
    run(1, GIGABIT, 2000);
    expect_total(1, GIGABIT, 2000);
}

Test(share, nothing_is_refused_while_there_is_enough_for_all)
{
    for (unsigned i = 0; i < 9; i++)
        members[i] = (struct member){.bits_s = 0.1e9, .pattern = i % 3};
    run(9, GIGABIT, 3000);
    for (unsigned i = 0; i < 9; i++)
        cr_assert_eq(members[i].sent, members[i].offered, "member %u", i);
}

/* Rounds of less than a packet. */
Test(share, holds_for_slow_groups_too)
{
    for (enum pattern pattern = STEADY; pattern <= UNEVEN; pattern++) {
        memset(&share, 0, sizeof(share));
        members[0] = (struct member){.bits_s = 20e6};
        members[1] = (struct member){.bits_s = 0.5e6, .pattern = pattern};
        run(2, 1000000, 60000);
        expect_total(2, 1000000, 60000);
        cr_assert_gt(members[1].sent, 0.95 * members[1].offered, "pattern %d", pattern);
    }
}

Test(share, half_of_a_thousand_may_be_greedy)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        members[i] = (struct member){.bits_s = i % 2 ? 1e6 : 100e6, .pattern = i % 3};
    run(MEMBERS, GIGABIT, 3000);
    expect_total(MEMBERS, GIGABIT, 3000);
    for (unsigned i = 1; i < MEMBERS; i += 2)
        cr_assert_gt(members[i].sent, 0.95 * members[i].offered, "member %u: %.0f of %.0f bytes", i, members[i].sent,
                     members[i].offered);
}

/* A word has 24 bits for a round: 46.6 hours. */
Test(share, a_member_may_have_been_silent_for_any_time)
{
    static const uint64_t silent_rounds[] = {0x7fffff,  0x800000,  0x800001,  0xc00000,  0xfffff0,
                                             0x1000000, 0x17fffff, 0x1800000, 0x7fffffff};
    for (unsigned i = 0; i < sizeof(silent_rounds) / sizeof(silent_rounds[0]); i++) {
        clock_ms = silent_rounds[i] * 10; /* since the word was made, and since it was used */
        for (unsigned use = 0; use < 2; use++) {
            members[use] = (struct member){.bits_s = 0.5e9, .word = members[0].word};
            memset(&share, 0, sizeof(share));
            run(use + 1, GIGABIT, 2000);
            cr_assert_gt(members[use].sent, 0.95 * members[use].offered, "silent for %#lx rounds, use %u",
                         silent_rounds[i], use);
            clock_ms += silent_rounds[i] * 10;
        }
        memset(members, 0, sizeof(members));
    }
}
