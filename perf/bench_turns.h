/*
 * Ways to do the same thing, measured in turns.
 *
 * Each round draws new questions; then the ways take a turn on them each, in an order that rotates from round to round,
 * so that none always finds what another left in the caches. The median of a way's rounds counts: a round that another
 * program disturbed does not.
 */
#pragma once

#define BENCH_TURNS_ROUNDS_MAX 31
#define BENCH_TURNS_WAYS_MAX   8

/* One way's turn, over the questions that were drawn last. Returns what it took: ns a question, say. */
typedef double bench_turn(void *bench);

/* Takes an odd number of rounds, after one that warms up and does not count; ret_medians has one for each way. */
void bench_turns_take(unsigned rounds, void (*draw)(void *bench), bench_turn *const ways[], unsigned way_count,
                      void *bench, double ret_medians[]);

/* Sorts count values, an odd number, ascending; returns the one in the middle. */
double bench_turns_median(double values[], unsigned count);
