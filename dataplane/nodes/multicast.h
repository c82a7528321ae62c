/* What multicast may cost a worker: copies a second, which groups share fairly, and at once; so also in one walk. */
#pragma once

#define BYPEER_MULTICAST_COPIES_PER_SECOND 65536
#define BYPEER_MULTICAST_COPIES_BURST      2048
