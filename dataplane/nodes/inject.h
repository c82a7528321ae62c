/* How many packets inject takes from its ring in one walk: graph.c sizes the streams by it. */
#pragma once

#define BYPEER_INJECT_BURST 64
