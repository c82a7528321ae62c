/*
 * One value of the schema between its text and its place in memory.
 */
#pragma once

#include "config/schema.h"

#define BYPEER_VALUE_TEXT 600 /* bytes that the text of any single value takes */

/*
 * Reads one scalar of the key's type (of a list: one element, into `place`, an array's element). place: where the value
 * goes; bits: of a prefix or interface address, may be NULL for others. Returns 0, or -EINVAL with `why` saying what is
 * wrong and the remedy; place is untouched then.
 */
int bypeer_value_read(const struct bypeer_schema_key *key, const char *text, void *place, uint8_t *bits, char *why,
                      size_t why_bytes);

/* The text of one scalar as it would be written in a file, without quotes. */
void bypeer_value_write(const struct bypeer_schema_key *key, const void *place, uint8_t bits,
                        char text[static BYPEER_VALUE_TEXT]);

/* Unsigned integers of 1, 2 or 4 bytes, and the int32 that may be -1. */
int64_t bypeer_value_integer(const void *place, size_t bytes);
void bypeer_value_set_integer(void *place, size_t bytes, int64_t value);

/* An address as people write it: IPv4 if it is ::ffff:a.b.c.d. */
#define BYPEER_VALUE_ADDRESS 48
void bypeer_value_write_address(char text[static BYPEER_VALUE_ADDRESS], const uint8_t address[static 16]);
/* Text for a message: at most 48 bytes of it, nothing unprintable. */
#define BYPEER_VALUE_QUOTED 64
void bypeer_value_quote(char quoted[static BYPEER_VALUE_QUOTED], const char *text);
