#include "tools/lib/name_values.h"

#include <netinet/in.h>
#include <string.h>

json_t *name_protocol_write(uint8_t protocol)
{
    if (protocol == IPPROTO_TCP || protocol == 0)
        return json_string("tcp");
    return protocol == IPPROTO_UDP ? json_string("udp") : json_integer(protocol);
}

static uint8_t protocol_read(const json_t *endpoint, uint8_t missing)
{
    const json_t *protocol = json_object_get(endpoint, "protocol");
    if (json_is_integer(protocol))
        return (uint8_t)json_integer_value(protocol);
    if (!json_is_string(protocol))
        return missing;
    return strcmp(json_string_value(protocol), "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
}

bool name_endpoints_read(const json_t *array, uint8_t protocol, struct name_endpoints *ret_endpoints)
{
    ret_endpoints->count = 0;
    if (array && !json_is_array(array))
        return false;
    for (size_t i = 0; i < json_array_size(array) && i < BYPEER_NAME_ENDPOINTS; i++) {
        const json_t *endpoint = json_array_get(array, i);
        const char *address = json_string_value(json_object_get(endpoint, "address"));
        int64_t port = value_integer(endpoint, "port");
        if (!address || port < 0 || port > UINT16_MAX)
            return false;
        ret_endpoints->list[ret_endpoints->count++] = (struct bypeer_name_endpoint){
            .address = address, .port = (uint16_t)port, .protocol = protocol_read(endpoint, protocol)};
    }
    return true;
}

json_t *name_endpoints_write(const struct bypeer_name_endpoint *endpoints, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *endpoint = json_pack("{s:s, s:i, s:o}", "address", endpoints[i].address, "port", (int)endpoints[i].port,
                                     "protocol", name_protocol_write(endpoints[i].protocol));
        if (!endpoint || json_array_append_new(array, endpoint) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

bool name_clouds_write(const char *const *clouds, size_t count, json_t **ret_array)
{
    json_t *array = count ? json_array() : NULL;
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, json_string(clouds[i])) < 0) {
            json_decref(array);
            return false;
        }
    *ret_array = array;
    return true;
}
