/* bypeer trace: the way of the next packets, stage by stage. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/table.h"

/* "6000...": groups of four digits, 16 bytes a line. */
static void print_head(const char *head)
{
    for (size_t i = 0; head[i]; i++) {
        if (i % 32 == 0)
            printf("%s%16s", i ? "\n" : "", "");
        else if (i % 4 == 0)
            putchar(' ');
        putchar(head[i]);
    }
    putchar('\n');
}

static void print_step(const struct cli *cli, const json_t *step, json_int_t start)
{
    const char *next = cli_text(step, "next");
    const char *node = cli_text(step, "node");
    double micros = (double)(cli_integer(step, "ns") - start) / 1000;
    bool drop = strncmp(node, "drop", 4) == 0 || strncmp(next, "drop", 4) == 0;
    printf("%12.3f us  %-20s", micros, node);
    if (next[0])
        printf(" -> %s%-20s%s", cli_colour_begin(cli, drop ? CLI_BAD : CLI_PLAIN), next, cli_colour_end(cli));
    printf(" %5lld bytes\n", (long long)cli_integer(step, "frame_bytes"));
}

static void print_trace(const struct cli *cli, const json_t *steps)
{
    json_int_t packet = -1;
    json_int_t start = 0;
    size_t i;
    json_t *step;
    json_array_foreach (steps, i, step) {
        bool first = cli_integer(step, "packet") != packet;
        if (first) {
            packet = cli_integer(step, "packet");
            start = cli_integer(step, "ns");
            printf("%spacket %lld, worker %lld\n", i ? "\n" : "", (long long)packet + 1,
                   (long long)cli_integer(step, "worker"));
        }
        print_step(cli, step, start);
        if (first || cli->options[CLI_OPTION_BYTES])
            print_head(cli_text(step, "head"));
    }
}

static int compare_steps(const void *left, const void *right)
{
    const json_t *const *a = left;
    const json_t *const *b = right;
    json_int_t packets = cli_integer(*a, "packet") - cli_integer(*b, "packet");
    json_int_t times = packets ? packets : cli_integer(*a, "ns") - cli_integer(*b, "ns");
    return times < 0 ? -1 : times > 0;
}

/* Packets of a burst go through a node together: steps come node by node, people want them packet by packet. */
static json_t *sort_steps(json_t *steps)
{
    size_t count = json_array_size(steps);
    json_t **order = calloc(count + 1, sizeof(*order));
    json_t *sorted = json_array();
    for (size_t i = 0; order && i < count; i++)
        order[i] = json_array_get(steps, i);
    if (order)
        qsort(order, count, sizeof(*order), compare_steps);
    for (size_t i = 0; order && i < count; i++)
        json_array_append(sorted, order[i]);
    free(order);
    return sorted;
}

int cli_run_trace(struct cli *cli)
{
    char *end = NULL;
    long packets = cli->argument_count ? strtol(cli->arguments[0], &end, 10) : 1;
    long seconds;
    json_t *result;
    if (packets < 1 || packets > 1000 || (end && *end))
        return cli_fail(CLI_USAGE, "trace: %s is out of range; use 1 to 1000 packets", cli->arguments[0]);
    int status = cli_number(cli, CLI_OPTION_TIMEOUT, 1, 3600, 5, &seconds);
    if (status == CLI_OK)
        status = cli_connect(cli);
    if (status != CLI_OK)
        return status;
    bypeer_set_timeout(cli->node, (int)(seconds * 1000 + 10000));
    status = cli_call(cli, "trace",
                      json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "timeout_ms", (json_int_t)seconds * 1000),
                      &result);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        cli_print_json(result);
    } else if (json_array_size(json_object_get(result, "steps")) == 0) {
        status = cli_fail(CLI_FAILED, "no packet came within %ld s; wait longer with --timeout", seconds);
    } else {
        json_t *sorted = sort_steps(json_object_get(result, "steps"));
        print_trace(cli, sorted);
        json_decref(sorted);
    }
    json_decref(result);
    return status;
}
