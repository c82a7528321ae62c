/* Attributes and searches: what is read keeps its bounds; searches take any record. */
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_attributes(const char *xml)
{
    struct bypeer_attributes *attributes;
    char why[BYPEER_ATTRIBUTE_WHY] = "";
    if (bypeer_attributes_read(&attributes, xml, why) != 0) {
        if (why[0] == '\0')
            abort();
        return;
    }
    for (size_t at = 0; at < attributes->count; at++)
        if (strlen(attributes->at[at].name) > BYPEER_ATTRIBUTE_NAME_MAX ||
            attributes->at[at].type > BYPEER_ATTRIBUTE_DATE || strlen(attributes->at[at].value) > strlen(xml))
            abort();
    free(attributes);
}

static void check_search(const char *xml)
{
    static const char *const attributes[] = {
        NULL,
        "<attributes/>",
        "<attributes><attribute name=\"a\" type=\"string\">a*b?c\\</attribute>"
        "<attribute name=\"a\" type=\"int\">0012</attribute>"
        "<attribute name=\"a\" type=\"date\">2026-11-22T20:15:30Z</attribute></attributes>",
    };
    struct bypeer_record_search *search;
    char why[BYPEER_ATTRIBUTE_WHY] = "";
    if (bypeer_record_search_read(&search, xml, why) != 0) {
        if (why[0] == '\0')
            abort();
        return;
    }
    for (unsigned at = 0; at < sizeof(attributes) / sizeof(attributes[0]); at++) {
        const struct bypeer_record record = {
            .creator = "0.alice", .modifier = at > 0 ? "0.bob" : NULL, .created = at, .attributes = attributes[at]};
        bypeer_record_search_matches(search, &record);
    }
    bypeer_record_search_free(search);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *xml = malloc(size + 1);
    memcpy(xml, data, size);
    xml[size] = '\0';
    check_attributes(xml);
    check_search(xml);
    free(xml);
    return 0;
}
