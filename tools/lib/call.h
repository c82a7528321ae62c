/* Private to libbypeer: what the loader and resolves need of a call beside the public functions. */
#pragma once

#include "tools/lib/connection.h"

/* Sends a request that was written out by the caller, with id node->last_id + 1. */
int call_send_text(struct bypeer *node, const char *line, size_t length);
/* bypeer_receive(); without wait, -EAGAIN if the answer has not come. */
int call_receive(struct bypeer *node, uint64_t id, bool wait, json_t **ret_result);
/* Reads what has come, without waiting, and keeps it: answers in node->answers, notifications in node->notices. */
int call_collect(struct bypeer *node);
/* The kept answer to a request, or NULL; the caller's to json_decref(). */
json_t *call_take_kept(struct bypeer *node, uint64_t id);
/* Takes an answer apart; its reference is used up. */
int call_answer(struct bypeer *node, json_t *answer, json_t **ret_result);

/* resolve.c: with the connection. */
void resolves_free(struct bypeer *node);
/* peer_watch.c: with the connection; and callbacks for what has come, which may ask again. */
void watches_free(struct bypeer *node);
void watches_process(struct bypeer *node);
