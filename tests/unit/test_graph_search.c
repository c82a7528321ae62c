/* Attributes of records and searches in them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/search.h"

#define ATTRIBUTE(name, type, value) "<attribute name=\"" name "\" type=\"" type "\">" value "</attribute>"
#define CLAUSE(name, type, compare, value) \
    "<clause attrib=\"" name "\" type=\"" type "\" compare=\"" compare "\">" value "</clause>"
#define SEARCH(inner) "<peersearch>" inner "</peersearch>"

Test(graph_attributes, are_what_the_text_says)
{
    static const struct bypeer_attribute list[] = {
        {"Topic", "a < b & \"c\"\n\t", BYPEER_ATTRIBUTE_STRING},
        {"Topic", "", BYPEER_ATTRIBUTE_STRING},
        {"Count", "0042", BYPEER_ATTRIBUTE_INT},
        {"When", "2026-11-22T20:15:30Z", BYPEER_ATTRIBUTE_DATE},
    };
    struct bypeer_attributes *read;
    char why[BYPEER_ATTRIBUTE_WHY];
    static const char xml[] =
        "<attributes><attribute name=\"Topic\" type=\"string\">a &lt; b &amp; &quot;c&quot;&#10;&#9;</attribute>"
        "<attribute name=\"Topic\" type=\"string\"></attribute>"
        "<attribute name=\"Count\" type=\"int\">0042</attribute>"
        "<attribute name=\"When\" type=\"date\">2026-11-22T20:15:30Z</attribute></attributes>";
    cr_assert_eq(bypeer_attributes_read(&read, xml, why), 0, "%s", why);
    cr_assert_eq(read->count, 4);
    for (unsigned at = 0; at < 4; at++) {
        cr_assert_str_eq(read->at[at].name, list[at].name);
        cr_assert_str_eq(read->at[at].value, list[at].value);
        cr_assert_eq(read->at[at].type, list[at].type);
    }
    free(read);
}

Test(graph_attributes, each_fault_is_named)
{
    static const struct {
        const char *xml, *why;
    } faults[] = {
        {"", "no XML"},
        {"<attributes>", "no XML"},
        {"<a/>", "has to be attributes"},
        {"<attributes><b/></attributes>", "b is not expected"},
        {"<attributes>x</attributes>", "text outside"},
        {"<attributes>" ATTRIBUTE("To pic", "string", "x") "</attributes>", "letters and digits"},
        {"<attributes>" ATTRIBUTE("", "string", "x") "</attributes>", "letters and digits"},
        {"<attributes>" ATTRIBUTE("A234567890123456789012345678901234567890B", "string", "x") "</attributes>", "to 40"},
        {"<attributes>" ATTRIBUTE("peercreatorid", "string", "x") "</attributes>", "reserved"},
        {"<attributes>" ATTRIBUTE("a", "float", "1") "</attributes>", "string, int or date"},
        {"<attributes>" ATTRIBUTE("a", "int", "-1") "</attributes>", "no int"},
        {"<attributes>" ATTRIBUTE("a", "int", "") "</attributes>", "no int"},
        {"<attributes>" ATTRIBUTE("a", "date", "2026-02-29") "</attributes>", "no date"},
        {"<attributes>" ATTRIBUTE("a", "string", "<b/>") "</attributes>", "not expected"},
        {"<!DOCTYPE attributes><attributes/>", "document type"},
    };
    for (unsigned at = 0; at < sizeof(faults) / sizeof(faults[0]); at++) {
        struct bypeer_attributes *read;
        char why[BYPEER_ATTRIBUTE_WHY] = "";
        cr_expect_eq(bypeer_attributes_read(&read, faults[at].xml, why), -EINVAL, "%s", faults[at].xml);
        cr_expect(strstr(why, faults[at].why), "%s: %s", faults[at].xml, why);
    }
}

static uint64_t time_of(const char *text)
{
    uint64_t time = 0;
    cr_expect_eq(bypeer_date_read(&time, text), 0, "%s", text);
    return time;
}

Test(graph_attributes, dates_are_peer_time)
{
    uint64_t unused;
    cr_assert_eq(time_of("1601-01-01"), 0);
    cr_assert_eq(time_of("1970-01-01T00:00:00Z"), BYPEER_PEER_TIME_1970);
    cr_assert_eq(time_of("2000-02-29T12:30:15.25"), (UINT64_C(951827415) * 100 + 25) * 100000 + BYPEER_PEER_TIME_1970);
    cr_assert_eq(time_of("2026-11-22T00:30+01:00"), time_of("2026-11-21T23:30:00Z"));
    cr_assert_eq(time_of("2026-11-22T23:30-01:00"), time_of("2026-11-23T00:30"));
    static const char *const wrong[] = {"",
                                        "2026",
                                        "2026-13-01",
                                        "2026-00-01",
                                        "2026-1-1",
                                        "1600-12-31",
                                        "1900-02-29",
                                        "2026-11-22T",
                                        "2026-11-22T24:00",
                                        "2026-11-22 ",
                                        "x",
                                        "2026-11-31",
                                        "2026-11-22T1:00",
                                        "2026-11-22T10:00z",
                                        "2026-11-22T10:00:00.",
                                        "1601-01-01T00:00+00:01"};
    for (unsigned at = 0; at < sizeof(wrong) / sizeof(wrong[0]); at++)
        cr_expect_eq(bypeer_date_read(&unused, wrong[at]), -EINVAL, "%s", wrong[at]);
}

static bool matches(const char *xml)
{
    static const struct bypeer_record record = {
        .type = {{0x7a, 0x11, 1}},
        .id = {{0xab}},
        .creator = "0.alice",
        .created = BYPEER_PEER_TIME_1970,
        .modified = BYPEER_PEER_TIME_1970 + BYPEER_PEER_TIME_SECOND,
        .attributes = "<attributes>" ATTRIBUTE("Topic", "string", "chess") ATTRIBUTE("Topic", "string", "a*b?\\")
            ATTRIBUTE("Count", "int", "0042") ATTRIBUTE("When", "date", "2026-11-22") "</attributes>",
    };
    struct bypeer_record_search *search = NULL;
    char why[BYPEER_ATTRIBUTE_WHY];
    cr_assert_eq(bypeer_record_search_read(&search, xml, why), 0, "%s: %s", xml, why);
    bool result = bypeer_record_search_matches(search, &record);
    bypeer_record_search_free(search);
    return result;
}

Test(graph_search, clauses)
{
    cr_expect(matches(SEARCH("<clause attrib=\"Topic\" type=\"string\">chess</clause>")));
    cr_expect(!matches(SEARCH("<clause attrib=\"topic\" type=\"string\">chess</clause>")));
    cr_expect(!matches(SEARCH(CLAUSE("Topic", "string", "equal", "Chess"))));
    cr_expect(matches(SEARCH(CLAUSE("Topic", "string", "equal", "c*s"))));
    cr_expect(matches(SEARCH(CLAUSE("Topic", "string", "equal", "*h*s*s"))));
    cr_expect(!matches(SEARCH(CLAUSE("Topic", "string", "equal", "*h*s*s?"))));
    cr_expect(matches(SEARCH(CLAUSE("Topic", "string", "equal", "ch?ss"))));
    cr_expect(!matches(SEARCH(CLAUSE("Topic", "string", "equal", "ch?s"))));
    cr_expect(matches(SEARCH(CLAUSE("Topic", "string", "equal", "a\\*b\\?\\\\"))));
    cr_expect(!matches(SEARCH(CLAUSE("Topic", "string", "equal", "c\\*"))));
    cr_expect(matches(SEARCH(CLAUSE("Topic", "string", "notequal", "x"))));
    cr_expect(matches(SEARCH(CLAUSE("Topic", "string", "less", "b"))));
    cr_expect(!matches(SEARCH(CLAUSE("Topic", "string", "greater", "d"))));
    cr_expect(matches(SEARCH(CLAUSE("Count", "int", "equal", "42"))));
    cr_expect(matches(SEARCH(CLAUSE("Count", "int", "less", "100"))));
    cr_expect(!matches(SEARCH(CLAUSE("Count", "int", "greater", "42"))));
    cr_expect(matches(SEARCH(CLAUSE("Count", "int", "greaterorequal", "042"))));
    cr_expect(!matches(SEARCH(CLAUSE("Count", "string", "equal", "0042"))));
    cr_expect(matches(SEARCH(CLAUSE("When", "date", "lessorequal", "2026-11-22T00:00Z"))));
    cr_expect(!matches(SEARCH(CLAUSE("When", "date", "less", "2026-11-22"))));
    cr_expect(!matches(SEARCH(CLAUSE("Nothing", "string", "notequal", "x"))));
}

Test(graph_search, fields_of_the_record)
{
    cr_expect(matches(SEARCH(CLAUSE("peercreatorid", "string", "equal", "0.a*"))));
    cr_expect(!matches(SEARCH(CLAUSE("peerlastmodifiedby", "string", "equal", "*"))));
    cr_expect(matches(SEARCH(CLAUSE("peerrecordid", "string", "equal", "{ab000000-*}"))));
    cr_expect(matches(SEARCH(CLAUSE("peerrecordtype", "string", "equal", "{7a110100-*}"))));
    cr_expect(matches(SEARCH(CLAUSE("peercreationtime", "date", "equal", "1970-01-01"))));
    cr_expect(matches(SEARCH(CLAUSE("peerlastmodificationtime", "date", "greater", "1970-01-01"))));
}

#define YES CLAUSE("Count", "int", "equal", "42")
#define NO  CLAUSE("Count", "int", "equal", "43")

Test(graph_search, ands_and_ors)
{
    cr_expect(matches(SEARCH("<and>" YES YES "</and>")));
    cr_expect(!matches(SEARCH("<and>" YES NO "</and>")));
    cr_expect(matches(SEARCH("<or>" NO YES "</or>")));
    cr_expect(!matches(SEARCH("<or>" NO NO "</or>")));
    cr_expect(matches(SEARCH("<and>" YES "<or>" NO "<and>" YES YES "</and></or>" YES "</and>")));
    cr_expect(!matches(SEARCH("<and><or>" NO YES "</or><or>" NO NO "</or></and>")));
}

Test(graph_search, each_fault_is_named)
{
    static const struct {
        const char *xml, *why;
    } faults[] = {
        {"<attributes/>", "has to be peersearch"},
        {SEARCH(""), "is empty"},
        {SEARCH("<and/>"), "is empty"},
        {SEARCH(YES YES), "holds one element"},
        {SEARCH("<not/>"), "only clause, and, or"},
        {SEARCH("<clause type=\"int\">1</clause>"), "attrib"},
        {SEARCH(CLAUSE("a", "int", "like", "1")), "compare"},
        {SEARCH(CLAUSE("a", "float", "equal", "1")), "type"},
        {SEARCH(CLAUSE("a", "int", "equal", "one")), "not of its type"},
        {SEARCH(CLAUSE("a", "string", "equal", "\\n")), "backslash"},
        {SEARCH(CLAUSE("a", "string", "equal", "a\\")), "backslash"},
        {SEARCH(CLAUSE("a", "string", "equal", "<b/>")), "in a clause"},
        {SEARCH(CLAUSE("peercreationtime", "string", "equal", "x")), "has to be date"},
    };
    for (unsigned at = 0; at < sizeof(faults) / sizeof(faults[0]); at++) {
        struct bypeer_record_search *search;
        char why[BYPEER_ATTRIBUTE_WHY] = "";
        cr_expect_eq(bypeer_record_search_read(&search, faults[at].xml, why), -EINVAL, "%s", faults[at].xml);
        cr_expect(strstr(why, faults[at].why), "%s: %s", faults[at].xml, why);
    }
}

#define FOUR_ANDS "<and><and><and><and>"

Test(graph_search, depth_has_a_limit)
{
    char why[BYPEER_ATTRIBUTE_WHY] = "";
    struct bypeer_record_search *search;
    cr_assert_eq(BYPEER_RECORD_SEARCH_DEPTH, 16);
    cr_assert_eq(bypeer_record_search_read(&search, "<peersearch>" FOUR_ANDS FOUR_ANDS FOUR_ANDS FOUR_ANDS YES, why),
                 -EINVAL);
    cr_assert(strstr(why, "within each other"), "%s", why);
}
