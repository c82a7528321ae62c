/*
 * Private to the model: what a reload and its checks share.
 */
#pragma once

#include "config/report.h"
#include "control/model/entries.h"

/* Adds a message for everything in the new configuration that does not go with what the API had added. */
void model_check_reload(const struct bypeer_model *model, const struct bypeer_config *next,
                        const struct bypeer_diff *diff, struct bypeer_report *report);
