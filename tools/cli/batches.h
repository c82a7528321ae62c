/*
 * Members on their way from a file to the node: sorted into one batch for each link, sent when it is full.
 *
 *   lines --> batches_add() --> batch of link "beta"  [address, address, ...]  --> bypeer_loader_put()
 *                               batch of link "gamma" [address, ...]
 *
 * A file may name another link on every line, while a request names one: so each link has a batch of its own. When all
 * batches together hold BATCHES_ADDRESSES, the fullest goes out, so that memory is bounded whatever the number of
 * links.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tools/lib/bypeer.h"

#define BATCHES_ADDRESSES (8 * (size_t)BYPEER_LOAD_MAX)

struct batches;

/* loader: where full batches go. NULL: out of memory. */
struct batches *batches_begin(struct bypeer_loader *loader);
/* link NULL: to be removed. 0, or an errno of bypeer_loader_put(). */
int batches_add(struct batches *batches, const char *link, const uint8_t address[static 16]);
/* Sends all that is left. */
int batches_flush(struct batches *batches);
void batches_free(struct batches *batches);
