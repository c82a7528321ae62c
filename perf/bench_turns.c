#include "perf/bench_turns.h"

#include <stdlib.h>

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_turns_median(double values[], unsigned count)
{
    qsort(values, count, sizeof(values[0]), compare_doubles);
    return values[count / 2];
}

void bench_turns_take(unsigned rounds, void (*draw)(void *bench), bench_turn *const ways[], unsigned way_count,
                      void *bench, double ret_medians[])
{
    double taken[BENCH_TURNS_WAYS_MAX][BENCH_TURNS_ROUNDS_MAX];
    for (unsigned round = 0; round <= rounds; round++) {
        draw(bench);
        for (unsigned turn = 0; turn < way_count; turn++) {
            unsigned way = (turn + round) % way_count;
            double took = ways[way](bench);
            if (round > 0)
                taken[way][round - 1] = took;
        }
    }
    for (unsigned way = 0; way < way_count; way++)
        ret_medians[way] = bench_turns_median(taken[way], rounds);
}
