/*
 * From the clouds to the tables: which IDs are known, so that the data plane's workers answer LOOKUPs.
 *
 *   known()          --> puts and removals in the index's delta       } seen by workers after one commit
 *   publications     --> own IDs with the ends of their leaf sets     } before the loop sleeps
 *   endpoints        --> the cloud's record
 *
 * A delta that is half full is merged on a thread. What found no room in it (a million IDs at once) is stale: then the
 * index is built anew from the caches, as often as need be, at most once a second, and until then workers do not know
 * what came last. When the index is full, a larger generation of tables is made, up to names.ids-max. Beyond that the
 * index holds clouds wholly or, of those that find no room, own IDs only: their records go without
 * BYPEER_CLOUD_ANSWERS, so that workers punt everything of theirs, until there is room again. So does a new cloud's
 * record, until the index has what it knows.
 *
 * Thread: one (the loop's); the rebuild has a copy of everything that it reads.
 */
#pragma once

#include "control/names/cloud.h"

struct bypeer_feed;
struct bypeer_names;

int bypeer_feed_open(struct bypeer_feed **ret_feed, struct bypeer_names *names);
/* NULL is fine. Freed when the loop has closed its handles and a rebuild has ended. */
void bypeer_feed_close(struct bypeer_feed *feed);

/* What a cache told; as of the cloud's hook. */
void bypeer_feed_known(struct bypeer_feed *feed, const struct bypeer_cloud *cloud, enum bypeer_cache_change change,
                       const struct bypeer_route *route);
/* The cloud's endpoints or registrations are others now; it is gone. */
void bypeer_feed_changed(struct bypeer_feed *feed, const struct bypeer_cloud *cloud);
void bypeer_feed_remove_cloud(struct bypeer_feed *feed, uint8_t number);

/* names.ids-max may be another one. */
void bypeer_feed_reconfigured(struct bypeer_feed *feed);

/* Before the loop sleeps. */
void bypeer_feed_turn(struct bypeer_feed *feed);

/* The node makes another generation of tables: before, the writer is let go of; after, there is another. */
void bypeer_feed_before_renewal(struct bypeer_feed *feed);
void bypeer_feed_renewed(struct bypeer_feed *feed);
