/* What this node publishes, and its clouds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/base64.h"
#include "tools/lib/name_values.h"

static int set(struct bypeer *node, json_t *params, const char *key, json_t *value)
{
    if (json_object_set_new(params, key, value) == 0)
        return 0;
    return connection_fail(node, -EINVAL, "%s of a publication is no UTF-8", key);
}

static int set_payload(struct bypeer *node, json_t *params, const struct bypeer_name_publication *publication)
{
    if (publication->payload_bytes > BYPEER_NAME_PAYLOAD_MAX)
        return connection_fail(node, -EINVAL, "a payload of %zu bytes is too long; use at most %d",
                               publication->payload_bytes, BYPEER_NAME_PAYLOAD_MAX);
    if (publication->payload_is_text)
        return set(node, params, "payload", json_stringn(publication->payload, publication->payload_bytes));
    char text[BASE64_BYTES(BYPEER_NAME_PAYLOAD_MAX)];
    base64_write(publication->payload, publication->payload_bytes, text);
    int error = set(node, params, "payload", json_string(text));
    return error ? error : set(node, params, "payload_type", json_string("binary"));
}

/* The parameters of names.publish and names.update but name and clouds. */
static int set_contents(struct bypeer *node, json_t *params, const struct bypeer_name_publication *publication)
{
    int error = 0;
    if (publication->endpoint_count)
        error =
            set(node, params, "endpoints", name_endpoints_write(publication->endpoints, publication->endpoint_count));
    if (!error && publication->port)
        error = set(node, params, "port", json_integer(publication->port));
    if (!error && publication->protocol)
        error = set(node, params, "protocol", name_protocol_write(publication->protocol));
    if (!error && publication->comment)
        error = set(node, params, "comment", json_string(publication->comment));
    if (!error && publication->payload)
        error = set_payload(node, params, publication);
    return error;
}

int bypeer_name_publish(struct bypeer *node, const struct bypeer_name_publication *publication,
                        struct bypeer_published *ret_published)
{
    if (!publication->name == !publication->classifier)
        return connection_fail(node, -EINVAL, "a publication needs either a name or a classifier");
    json_t *params = json_object();
    json_t *result = NULL;
    int error = publication->name ? set(node, params, "name", json_string(publication->name))
                                  : set(node, params, "classifier", json_string(publication->classifier));
    if (!error && publication->unsecured)
        error = set(node, params, "unsecured", json_true());
    json_t *clouds = NULL;
    if (!error && !name_clouds_write(publication->clouds, publication->cloud_count, &clouds))
        error = connection_fail(node, -EINVAL, "the name of a cloud is no UTF-8");
    if (clouds)
        json_object_set_new(params, "clouds", clouds);
    if (!error)
        error = set_contents(node, params, publication);
    if (error) {
        json_decref(params);
        return error;
    }
    error = bypeer_call(node, "names.publish", params, &result);
    if (error)
        return error;
    struct bypeer_published published;
    value_copy(result, "name", published.name, sizeof(published.name));
    value_copy(result, "host", published.host, sizeof(published.host));
    json_decref(result);
    if (!published.name[0])
        return value_malformed(node, "names.publish");
    if (ret_published)
        *ret_published = published;
    return 0;
}

int bypeer_name_update(struct bypeer *node, const struct bypeer_name_publication *publication)
{
    if (!publication->name)
        return connection_fail(node, -EINVAL, "an update needs the name that it is of");
    json_t *params = json_object();
    int error = set(node, params, "name", json_string(publication->name));
    if (!error)
        error = set_contents(node, params, publication);
    if (error) {
        json_decref(params);
        return error;
    }
    return bypeer_call(node, "names.update", params, NULL);
}

int bypeer_name_unpublish(struct bypeer *node, const char *name, const char *const *clouds, size_t cloud_count)
{
    json_t *array = NULL;
    json_t *params =
        name_clouds_write(clouds, cloud_count, &array) ? json_pack("{s:s, s:o*}", "name", name, "clouds", array) : NULL;
    if (!params)
        return connection_fail(node, -EINVAL, "a parameter of names.unpublish is missing or no UTF-8");
    return bypeer_call(node, "names.unpublish", params, NULL);
}

static int registration_tell(struct bypeer *node, const json_t *object,
                             int (*each)(void *context, const struct bypeer_name_registration *registration),
                             void *context)
{
    struct name_endpoints endpoints;
    struct bypeer_name_registration registration = {
        .name = value_text(object, "name"),
        .host = value_text(object, "host"),
        .cloud = value_text(object, "cloud"),
        .id = value_text(object, "id"),
        .comment = value_text(object, "comment"),
        .state = value_text(object, "state"),
        .payload_bytes = (size_t)value_integer(object, "payload_bytes"),
    };
    if (!registration.name[0] || !name_endpoints_read(json_object_get(object, "endpoints"), 6, &endpoints))
        return value_malformed(node, "names.list");
    registration.endpoints = endpoints.list;
    registration.endpoint_count = endpoints.count;
    return each(context, &registration);
}

int bypeer_name_each(struct bypeer *node,
                     int (*each)(void *context, const struct bypeer_name_registration *registration), void *context)
{
    json_t *result;
    int error = bypeer_call(node, "names.list", NULL, &result);
    if (error)
        return error;
    const json_t *names = json_object_get(result, "names");
    if (!json_is_array(names))
        error = value_malformed(node, "names.list");
    for (size_t i = 0; i < json_array_size(names) && !error; i++)
        error = registration_tell(node, json_array_get(names, i), each, context);
    json_decref(result);
    return error;
}

static int cloud_tell(struct bypeer *node, const json_t *object,
                      int (*each)(void *context, const struct bypeer_cloud_status *cloud), void *context)
{
    struct bypeer_cloud_status cloud = {
        .name = value_text(object, "name"),
        .profile = value_text(object, "profile"),
        .scope = value_text(object, "scope"),
        .interface = value_text(object, "interface"),
        .state = value_text(object, "state"),
        .names = value_integer(object, "names"),
        .known = value_integer(object, "known"),
        .nodes = value_integer(object, "nodes"),
    };
    return cloud.name[0] ? each(context, &cloud) : value_malformed(node, "clouds.list");
}

int bypeer_cloud_each(struct bypeer *node, int (*each)(void *context, const struct bypeer_cloud_status *cloud),
                      void *context)
{
    json_t *result;
    int error = bypeer_call(node, "clouds.list", NULL, &result);
    if (error)
        return error;
    const json_t *clouds = json_object_get(result, "clouds");
    if (!json_is_array(clouds))
        error = value_malformed(node, "clouds.list");
    for (size_t i = 0; i < json_array_size(clouds) && !error; i++)
        error = cloud_tell(node, json_array_get(clouds, i), each, context);
    json_decref(result);
    return error;
}
