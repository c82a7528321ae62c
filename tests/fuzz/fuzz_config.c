/*
 * Configuration files: whatever the text, it is refused with at least one message, or gives a configuration that can be
 * shown, and that does not differ from itself.
 */
#include <stdlib.h>
#include <string.h>

#include "config/diff.h"
#include "config/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_value(void *context, const struct bypeer_show_value *value)
{
    (void)context;
    if (!value->path[0] || !value->origin[0] || (value->value[0] == '\0') != (value->words != NULL))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    struct bypeer_diff diff;
    int error = bypeer_config_parse(&config, "fuzz.yaml", (const char *)data, size, &errors);
    if ((error == 0) != (config != NULL) || (error == 0) != (errors.count == 0))
        abort();
    for (size_t i = 0; i < errors.count; i++)
        if (strncmp(errors.messages[i], "fuzz.yaml:", 10) != 0)
            abort();
    bypeer_config_errors_free(&errors);
    if (error)
        return 0;
    bypeer_config_show(config, check_value, NULL);
    if (bypeer_config_diff(&diff, config, config) || diff.entry_count || diff.setting_count)
        abort();
    bypeer_diff_free(&diff);
    bypeer_config_free(config);
    return 0;
}
