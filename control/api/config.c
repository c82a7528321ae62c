/*
 * config.show and config.reload.
 */
#include <errno.h>

#include "config/show.h"
#include "control/api/call.h"

static int config_show_value(void *context, const struct bypeer_show_value *value)
{
    json_array_append_new(
        context, json_pack("{s:s, s:s, s:s}", "key", value->path, "value", value->value, "origin", value->origin));
    return 0;
}

int method_config_show(struct call *call)
{
    json_t *entries = json_array();
    int result = bypeer_config_show(call->node->config, config_show_value, entries);
    call->result = json_pack("{s:s, s:o}", "file", call->node->config->file, "entries", entries);
    return result < 0 ? bypeer_problem_no_memory(&call->problem) : 0;
}

static json_t *config_restarts(const struct bypeer_diff *diff)
{
    static const char *const processes[] = {
        [BYPEER_SCHEMA_CONTROL] = "bypeerd",
        [BYPEER_SCHEMA_DATAPLANE] = "bypeer-dataplane",
        [BYPEER_SCHEMA_BOTH] = "both",
    };
    json_t *restarts = json_array();
    for (size_t at = 0; at < diff->setting_count; at++) {
        const struct bypeer_diff_setting *setting = &diff->settings[at];
        if (setting->change != BYPEER_SCHEMA_RELOAD)
            json_array_append_new(restarts,
                                  json_pack("{s:s, s:s, s:s, s:s}", "key", setting->path, "before", setting->before,
                                            "after", setting->after, "process", processes[setting->change]));
    }
    return restarts;
}

int method_config_reload(struct call *call)
{
    struct bypeer_node_reload reload;
    struct bypeer_config_errors errors = {0};
    int result = bypeer_node_reload(call->node, &reload, &errors);
    if (result < 0) {
        call->messages = json_array();
        for (size_t at = 0; at < errors.count; at++)
            json_array_append_new(call->messages, json_string(errors.messages[at]));
        bypeer_problem_set(&call->problem, -EINVAL, "bad_configuration",
                           "%.100s\nwas refused whole: %s\ncorrect it and reload again; nothing was changed",
                           call->node->config->file, errors.count > 0 ? errors.messages[0] : "it cannot be read");
        bypeer_config_errors_free(&errors);
        return -EINVAL;
    }
    call->result =
        json_pack("{s:I, s:o}", "changed", (json_int_t)reload.changed, "restart", config_restarts(&reload.diff));
    bypeer_node_reload_free(&reload);
    return 0;
}
