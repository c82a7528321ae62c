/*
 * Texts on the wire: UTF-16LE units with a NUL unit at the end, counted with it. For the formats of this folder only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The units of a text with its NUL; 0: it is no UTF-8. */
size_t bypeer_text_units(const char *text);
/* Writes so many units; returns their bytes. The text was measured before. */
size_t bypeer_text_put(uint8_t *ret_units, const char *text);
/* The bytes of UTF-8 with NUL; 0: they are no UTF-16, or not the last one alone is NUL. */
size_t bypeer_text_measure(const uint8_t *units, size_t count);
/* Writes so many bytes; returns them. The units were measured before. */
size_t bypeer_text_take(const uint8_t *units, size_t count, char *ret_text);
