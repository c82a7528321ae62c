#include "overlay/graph/state.h"

/* Vigna's SplitMix64, keyed by the second half of the seed: for choices and delays, not for secrets. */
uint64_t graph_random(struct bypeer_graph *graph)
{
    uint64_t x = (graph->random[0] += UINT64_C(0x9e3779b97f4a7c15)) ^ graph->random[1];
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t graph_random_between(struct bypeer_graph *graph, uint64_t low, uint64_t high)
{
    return low + graph_random(graph) % (high - low + 1);
}
