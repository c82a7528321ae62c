/*
 * Two nodes of one cloud on a loopback of the test's own: alpha, whom beta asks first. Requests go to them as the API
 * takes them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "control/api/api.h"
#include "control/names/names.h"
#include "node_fixture.h"

#define CLOUDS_PATIENCE_MS 20000

struct clouds_side {
    struct node_fixture fixture;
    struct bypeer_names *names;
};

extern struct clouds_side clouds_alpha, clouds_beta;
extern const char clouds_alpha_yaml[]; /* what alpha begins with; %s: its directory */
/* With the side's directory in it, valid until the next. */
const char *clouds_configuration(const struct clouds_side *side, const char *yaml);

void clouds_set_up(void);
void clouds_tear_down(void);
void clouds_start(struct clouds_side *side);
/* The names of a side are gone, what it stored is not. */
void clouds_stop(struct clouds_side *side);
void clouds_reload(struct clouds_side *side, const char *yaml);
void clouds_run_some(void);

struct clouds_reply {
    json_t *answer;
    unsigned answers, notices;
};

/* Takes what the API answers; context: a reply. */
void clouds_on_answer(void *context, char *text, size_t length);
struct bypeer_exchange *clouds_begin(struct clouds_side *side, struct clouds_reply *reply, const char *method,
                                     const char *parameters);
void clouds_wait_for(struct clouds_reply *reply);
/* The result; the caller's. */
json_t *clouds_ask(struct clouds_side *side, const char *method, const char *parameters);
/* The key of the refusal, valid until the next. */
const char *clouds_refusal(struct clouds_side *side, const char *method, const char *parameters);
const char *clouds_text_at(const json_t *object, const char *list, size_t at, const char *key);
/* How many registrations a side finds within a moment; the first one's ID. */
size_t clouds_find(struct clouds_side *side, const char *name, char ret_id[65]);
/* In one cloud; its registration's ID. */
void clouds_publish(struct clouds_side *side, const char *parameters, char ret_id[65]);
