#include <errno.h>

#include "overlay/graph/attributes.h"
#include "overlay/graph/record.h"

#define FIRST_YEAR 1601
#define LAST_YEAR  9999

/* So many digits as a number, which *text moves behind; -1: there are fewer. */
static int date_digits(const char **text, unsigned count)
{
    int value = 0;
    for (; count > 0; count--, ++*text) {
        if (**text < '0' || **text > '9')
            return -1;
        value = 10 * value + (**text - '0');
    }
    return value;
}

/* Passes a character if it is the next. */
static bool date_pass(const char **text, char wanted)
{
    if (**text != wanted)
        return false;
    ++*text;
    return true;
}

static bool date_is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int date_month_days(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && date_is_leap(year));
}

/* Days from 1601-01-01. */
static int64_t date_days(int year, int month, int day)
{
    int64_t whole = year - FIRST_YEAR, days = 365 * whole + whole / 4 - whole / 100 + whole / 400;
    for (int before = 1; before < month; before++)
        days += date_month_days(year, before);
    return days + day - 1;
}

/* hh:mm as minutes; -1: it is no time of a day. */
static int date_minutes(const char **text)
{
    int hours = date_digits(text, 2);
    if (hours < 0 || hours > 23 || !date_pass(text, ':'))
        return -1;
    int minutes = date_digits(text, 2);
    return minutes < 0 || minutes > 59 ? -1 : 60 * hours + minutes;
}

/* The digits behind a point as units of 100 ns; -1: there are none. Further ones than 7 say nothing here. */
static int64_t date_fraction(const char **text)
{
    int64_t units = 0, unit = (int64_t)BYPEER_PEER_TIME_SECOND;
    const char *start = *text;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        unit /= 10;
        units += unit * (**text - '0');
    }
    return *text == start ? -1 : units;
}

/* What is behind the T, in units of 100 ns; -1: it is no time. */
static int64_t date_time(const char **text)
{
    const int64_t second = (int64_t)BYPEER_PEER_TIME_SECOND;
    int minutes = date_minutes(text);
    int64_t units = minutes * 60 * second, fraction = 0;
    if (minutes < 0)
        return -1;
    if (date_pass(text, ':')) {
        int seconds = date_digits(text, 2);
        if (date_pass(text, '.'))
            fraction = date_fraction(text);
        if (seconds < 0 || seconds > 60 || fraction < 0)
            return -1;
        units += seconds * second + fraction;
    }
    bool is_east = **text == '+';
    if (is_east || **text == '-') {
        ++*text;
        int zone = date_minutes(text);
        if (zone < 0)
            return -1;
        /* A day more, so that what is before midnight in UTC is not taken for an error: the caller takes it off. */
        units += (is_east ? -zone : zone) * 60 * second;
    } else {
        date_pass(text, 'Z');
    }
    return units + 86400 * second;
}

int bypeer_date_read(uint64_t *ret_peer_time, const char *text)
{
    const int64_t day_units = 86400 * (int64_t)BYPEER_PEER_TIME_SECOND;
    int year = date_digits(&text, 4);
    if (year < FIRST_YEAR || year > LAST_YEAR || !date_pass(&text, '-'))
        return -EINVAL;
    int month = date_digits(&text, 2);
    if (month < 1 || month > 12 || !date_pass(&text, '-'))
        return -EINVAL;
    int day = date_digits(&text, 2);
    if (day < 1 || day > date_month_days(year, month))
        return -EINVAL;
    int64_t units = date_days(year, month, day) * day_units;
    if (date_pass(&text, 'T')) {
        int64_t time = date_time(&text);
        if (time < 0)
            return -EINVAL;
        units += time - day_units;
    }
    if (*text != '\0' || units < 0)
        return -EINVAL;
    *ret_peer_time = (uint64_t)units;
    return 0;
}
