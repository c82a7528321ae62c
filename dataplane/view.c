#include "dataplane/view.h"

struct bypeer_view *bypeer_view_now;

struct bypeer_view *bypeer_view_swap(struct bypeer_view *next)
{
    /* Release: what next points to before next itself. Pairs with the consume load in workers.c. */
    return __atomic_exchange_n(&bypeer_view_now, next, __ATOMIC_ACQ_REL);
}
