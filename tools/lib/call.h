/* Private to libbypeer: what the loader needs of a call beside the public functions. */
#pragma once

#include "tools/lib/connection.h"

/* Sends a request that was written out by the caller, with id node->last_id + 1. */
int call_send_text(struct bypeer *node, const char *line, size_t length);
/* bypeer_receive(); without wait, -EAGAIN if the answer has not come. */
int call_receive(struct bypeer *node, uint64_t id, bool wait, json_t **ret_result);
