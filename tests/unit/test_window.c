/* The window of WireGuard's counters: its edges, and a model of it that is a plain set. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/wireguard/window.h"
#include "tests/random.h"

static uint64_t edge; /* the greatest */
static struct bypeer_window window;

Test(window, a_counter_passes_once)
{
    cr_assert_eq(bypeer_window_check(&edge, &window, 0), BYPEER_WINDOW_FRESH);
    cr_assert_eq(bypeer_window_accept(&edge, &window, 0), BYPEER_WINDOW_FRESH);
    cr_assert_eq(bypeer_window_check(&edge, &window, 0), BYPEER_WINDOW_REPLAY);
    cr_assert_eq(bypeer_window_accept(&edge, &window, 0), BYPEER_WINDOW_REPLAY);
    cr_assert_eq(bypeer_window_accept(&edge, &window, 1), BYPEER_WINDOW_FRESH);
    cr_assert_eq(bypeer_window_accept(&edge, &window, 1), BYPEER_WINDOW_REPLAY);
}

Test(window, its_lower_edge_is_8191_below_the_greatest)
{
    /* At every place of the edge in its block. */
    for (uint64_t greatest = 100000; greatest < 100000 + 2 * BYPEER_WINDOW_BLOCK; greatest++) {
        edge = 0;
        memset(&window, 0, sizeof(window));
        cr_assert_eq(bypeer_window_accept(&edge, &window, greatest), BYPEER_WINDOW_FRESH);
        cr_assert_eq(bypeer_window_accept(&edge, &window, greatest - 8192), BYPEER_WINDOW_OLD);
        cr_assert_eq(bypeer_window_accept(&edge, &window, greatest - 8191), BYPEER_WINDOW_FRESH);
        cr_assert_eq(bypeer_window_accept(&edge, &window, greatest - 8191), BYPEER_WINDOW_REPLAY);
        cr_assert_eq(bypeer_window_check(&edge, &window, greatest - 8192), BYPEER_WINDOW_OLD);
        cr_assert_eq(bypeer_window_accept(&edge, &window, greatest), BYPEER_WINDOW_REPLAY);
    }
}

Test(window, every_counter_of_a_full_window_passes_backwards)
{
    const uint64_t greatest = 1000000;
    for (uint64_t below = 0; below < BYPEER_WINDOW_COUNTERS; below++)
        cr_assert_eq(bypeer_window_accept(&edge, &window, greatest - below), BYPEER_WINDOW_FRESH);
    for (uint64_t below = 0; below < BYPEER_WINDOW_COUNTERS; below++)
        cr_assert_eq(bypeer_window_accept(&edge, &window, greatest - below), BYPEER_WINDOW_REPLAY);
}

Test(window, the_last_counters_of_a_session)
{
    const uint64_t last = UINT64_MAX - (UINT64_C(1) << 13) - 1;
    cr_assert_eq(bypeer_window_accept(&edge, &window, last), BYPEER_WINDOW_FRESH);
    cr_assert_eq(bypeer_window_accept(&edge, &window, last), BYPEER_WINDOW_REPLAY);
    cr_assert_eq(bypeer_window_accept(&edge, &window, last - 8191), BYPEER_WINDOW_FRESH);
    cr_assert_eq(bypeer_window_accept(&edge, &window, last - 8192), BYPEER_WINDOW_OLD);
    cr_assert_eq(bypeer_window_accept(&edge, &window, 5), BYPEER_WINDOW_OLD);
}

Test(window, a_raised_greatest_is_not_yet_received)
{
    bypeer_window_raise(&edge, 20000);
    cr_assert_eq(bypeer_window_accept(&edge, &window, 20000 - 8192), BYPEER_WINDOW_OLD);
    cr_assert_eq(bypeer_window_accept(&edge, &window, 20000), BYPEER_WINDOW_FRESH);
    bypeer_window_raise(&edge, 5);
    cr_assert_eq(bypeer_window_accept(&edge, &window, 20000 - 8192), BYPEER_WINDOW_OLD);
}

/* A worker that dies after it raised, or after it marked, leaves a window that refuses and accepts as it should. */
Test(window, a_window_that_was_left_in_the_middle_goes_on)
{
    struct bypeer_window copy;
    uint64_t copied_edge;
    for (uint64_t counter = 0; counter < 30000; counter += 7)
        cr_assert_eq(bypeer_window_accept(&edge, &window, counter), BYPEER_WINDOW_FRESH);
    bypeer_window_raise(&edge, 33000);
    copied_edge = edge;
    memcpy(&copy, &window, sizeof(copy)); /* as a successor maps it, elsewhere */
    for (uint64_t counter = 33000 - 8191; counter < 33000; counter++) {
        bool came = counter < 30000 && counter % 7 == 0;
        cr_assert_eq(bypeer_window_accept(&copied_edge, &copy, counter),
                     came ? BYPEER_WINDOW_REPLAY : BYPEER_WINDOW_FRESH);
    }
}

/* --- the model: all counters that were accepted, as bits --- */

#define SPAN (UINT64_C(1) << 22)

struct model {
    uint8_t *seen;
    uint64_t base, greatest;
    bool any;
};

static enum bypeer_window_verdict model_accept(struct model *model, uint64_t counter)
{
    uint64_t at = counter - model->base;
    if (model->any && model->greatest > counter && model->greatest - counter >= BYPEER_WINDOW_COUNTERS)
        return BYPEER_WINDOW_OLD;
    if (!model->any || counter > model->greatest)
        model->greatest = counter;
    model->any = true;
    if (model->seen[at / 8] & (1u << (at % 8)))
        return BYPEER_WINDOW_REPLAY;
    model->seen[at / 8] |= (uint8_t)(1u << (at % 8));
    return BYPEER_WINDOW_FRESH;
}

/* What comes next: in order, a little late, at an edge, a leap. */
static uint64_t model_next(const struct model *model, uint64_t *random)
{
    uint64_t greatest = model->any ? model->greatest : model->base;
    uint64_t back = 0, ahead = 0;
    switch (random_next_below(random, 1000)) {
    case 0:
        ahead = random_next_below(random, 40000);
        break;
    case 1 ... 30:
        ahead = random_next_below(random, 200);
        break;
    case 31 ... 130:
        back = 8192 - 60 + random_next_below(random, 120);
        break;
    case 131 ... 330:
        back = random_next_below(random, 9000);
        break;
    case 331 ... 530:
        back = random_next_below(random, 100);
        break;
    default:
        ahead = 1;
    }
    uint64_t low = greatest - model->base;
    return greatest + ahead - (back < low ? back : low);
}

static void compare(uint64_t base, uint64_t seed)
{
    struct model model = {.seen = calloc(1, SPAN / 8), .base = base};
    uint64_t random = seed, counts[3] = {0};
    cr_assert(model.seen);
    edge = 0;
    memset(&window, 0, sizeof(window));
    for (unsigned step = 0; step < 2000000; step++) {
        uint64_t counter = model_next(&model, &random);
        if (counter - base >= SPAN)
            break;
        enum bypeer_window_verdict checked = bypeer_window_check(&edge, &window, counter);
        enum bypeer_window_verdict expected = model_accept(&model, counter);
        enum bypeer_window_verdict found = bypeer_window_accept(&edge, &window, counter);
        cr_assert_eq(found, expected, "counter %lu after %lu: %d, not %d", counter, model.greatest, found, expected);
        cr_assert_eq(checked, found);
        counts[found]++;
    }
    free(model.seen);
    for (unsigned verdict = 0; verdict < 3; verdict++)
        cr_assert_gt(counts[verdict], 1000, "the model tried too little of %u", verdict);
}

Test(window, agrees_with_a_plain_set)
{
    compare(0, 1);
    compare(BYPEER_WINDOW_WORDS * BYPEER_WINDOW_BLOCK * (uint64_t)BYPEER_WINDOW_LAPS - 20000,
            2); /* laps start again at 0 */
    compare((UINT64_C(1) << 40) + 17, 3);
    compare(UINT64_MAX - SPAN - 8192, 4);
}
