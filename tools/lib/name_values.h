/* Private to libbypeer: what methods about names have in common. */
#pragma once

#include "tools/lib/values.h"

struct name_endpoints {
    struct bypeer_name_endpoint list[BYPEER_NAME_ENDPOINTS];
    size_t count;
};

/* Points into the JSON. False: not an array of endpoints. Missing is none; more than fit are left out. */
bool name_endpoints_read(const json_t *array, uint8_t protocol, struct name_endpoints *ret_endpoints);
/* NULL: memory, or an address that is no UTF-8. */
json_t *name_endpoints_write(const struct bypeer_name_endpoint *endpoints, size_t count);
/* "tcp", "udp", or IANA's number. */
json_t *name_protocol_write(uint8_t protocol);
/* Names of clouds; NULL for none, which stands for all. False: memory, or a name that is no UTF-8. */
bool name_clouds_write(const char *const *clouds, size_t count, json_t **ret_array);
