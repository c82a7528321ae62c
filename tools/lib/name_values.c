#include "tools/lib/name_values.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *name_protocol_text(uint8_t protocol, char text[static 4])
{
    if (protocol == IPPROTO_TCP || protocol == 0)
        return "tcp";
    if (protocol == IPPROTO_UDP)
        return "udp";
    snprintf(text, 4, "%u", protocol);
    return text;
}

static uint8_t protocol_read(const json_t *endpoint, uint8_t missing)
{
    const char *text = json_string_value(json_object_get(endpoint, "protocol"));
    if (!text)
        return missing;
    return strcmp(text, "tcp") == 0   ? IPPROTO_TCP
           : strcmp(text, "udp") == 0 ? IPPROTO_UDP
                                      : (uint8_t)strtoul(text, NULL, 10);
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
        char text[4];
        json_t *endpoint = json_pack("{s:s, s:i, s:s}", "address", endpoints[i].address, "port", (int)endpoints[i].port,
                                     "protocol", name_protocol_text(endpoints[i].protocol, text));
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
