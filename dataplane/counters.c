#include "dataplane/counters.h"

const struct bypeer_counter_name bypeer_counter_names[BYPEER_COUNTERS_USED] = {
#define NODE(id, name, text)      {name, text, BYPEER_COUNTER_NODE},
#define SIDE(id, cls, name, text) {name, text, BYPEER_COUNTER_##cls},
#define DROP(id, name, text)      {"drop." name, text, BYPEER_COUNTER_DROPPED},
    BYPEER_COUNTERS(NODE, SIDE, DROP)
#undef NODE
#undef SIDE
#undef DROP
};
