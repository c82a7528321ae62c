/* Private to libbypeer: values of an answer, as the functions with C types want them. */
#pragma once

#include "tools/lib/call.h"

/* Members of an object; 0 and "" where there is none. */
int64_t value_integer(const json_t *object, const char *key);
const char *value_text(const json_t *object, const char *key);
/* Copies a text, cut to bytes with its NUL. */
void value_copy(const json_t *object, const char *key, char *ret_text, size_t bytes);

/* -EBADMSG with its text: an answer is not as bypeer-api(7) says. */
int value_malformed(struct bypeer *node, const char *method);
