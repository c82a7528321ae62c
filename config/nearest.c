/* "Did you mean": optimal string alignment distance, on short names. */
#include "config/schema.h"

#include <string.h>

#define NAME_MAX_BYTES 32u

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits from a to b, both at most NAME_MAX_BYTES long. Three rows of the classic table are enough for swaps. */
static unsigned edits(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][NAME_MAX_BYTES + 1];

    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned cost = a[i - 1] == b[j - 1] ? 0 : 1;

            row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

/* As the schema writes names: lower case, hyphens. */
static size_t fold(char folded[static NAME_MAX_BYTES + 1], const char *text)
{
    size_t length = strnlen(text, NAME_MAX_BYTES);

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        folded[i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    folded[length] = '\0';
    return length;
}

const char *bypeer_schema_nearest(const char *text, const char *(*get)(const void *context, unsigned i),
                                  const void *context)
{
    char folded[NAME_MAX_BYTES + 1];
    size_t length = fold(folded, text);
    unsigned limit = length <= 3 ? 1 : length <= 6 ? 2 : 3;
    const char *nearest = NULL;
    const char *name;

    if (strlen(text) > NAME_MAX_BYTES)
        return NULL;
    for (unsigned i = 0; (name = get(context, i)); i++) {
        size_t name_length = strlen(name);
        unsigned distance;

        if (name_length > NAME_MAX_BYTES)
            continue;
        distance = edits(folded, length, name, name_length);
        /* A name with nothing in common is not meant, however short. */
        if (distance <= limit && distance < (length > name_length ? length : name_length)) {
            nearest = name;
            if (distance == 0)
                break;
            limit = distance - 1;
        }
    }
    return nearest;
}
