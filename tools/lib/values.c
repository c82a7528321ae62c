#include "tools/lib/values.h"

#include <errno.h>
#include <stdio.h>

int64_t value_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *value_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

void value_copy(const json_t *object, const char *key, char *ret_text, size_t bytes)
{
    snprintf(ret_text, bytes, "%s", value_text(object, key));
}

int value_malformed(struct bypeer *node, const char *method)
{
    return connection_fail(node, -EBADMSG,
                           "bypeerd's answer to %s is not as bypeer-api(7) says; is it a later release?", method);
}
