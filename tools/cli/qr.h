/*
 * A QR code in a terminal: two rows of modules a line, by UTF-8 half blocks, with the quiet zone that readers need.
 * Light modules are drawn, dark ones are the ground: colours set both where the terminal has them, else a dark ground
 * is taken for granted.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* 0, or -ERANGE: the text is longer than a code holds (2953 bytes); -ENOMEM. */
int qr_print(FILE *out, const char *text, bool colours);
