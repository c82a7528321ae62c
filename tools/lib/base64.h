/* Private to libbypeer: base64 (RFC 4648, 4), in which JSON carries bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BASE64_BYTES(length) (((length) + 2) / 3 * 4 + 1) /* of the text, with NUL */

void base64_write(const uint8_t *bytes, size_t length, char *ret_text);
/* The number of bytes; -EINVAL: no base64, or more than room. */
ssize_t base64_read(const char *text, uint8_t *ret_bytes, size_t room);
