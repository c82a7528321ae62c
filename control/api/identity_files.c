/*
 * identities.export and identities.import. Turning a password into a key is slow on purpose, so a thread does it; with
 * no loop (tests) it is done at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "control/api/call.h"
#include "control/identity/identities.h"

struct sealing {
    uv_work_t work;
    struct call *call; /* NULL: nobody waits any more */
    bool is_import;
    struct bypeer_identity_export identity;
    char *text, *password;
    char why[160];
    int result;
};

static void sealing_wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void sealing_free(struct sealing *sealing)
{
    sealing_wipe(sealing->text);
    sealing_wipe(sealing->password);
    bypeer_identity_export_release(&sealing->identity);
    free(sealing);
}

static void sealing_run(struct sealing *sealing)
{
    sealing->result =
        sealing->is_import
            ? bypeer_identity_export_read(&sealing->identity, sealing->text, strlen(sealing->text), sealing->password,
                                          sealing->why)
            : bypeer_identity_export_write(&sealing->text, &sealing->identity, sealing->password, sealing->why);
}

static int sealing_refuse(struct call *call, const struct sealing *sealing)
{
    if (sealing->result == -ENOMEM)
        return bypeer_problem_no_memory(&call->problem);
    if (sealing->result == -EACCES)
        return bypeer_problem_set(&call->problem, -EACCES, "bad_password",
                                  "password\nis not the export's, or the text was changed\ngive the one that it was "
                                  "written with, and the text as it was");
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER,
                              sealing->is_import ? "bad_export" : "bad_password", "%s\n%s\nsee bypeer-api(7)",
                              sealing->is_import ? "export" : "password", sealing->why);
}

/* Outcome of the call, with its result. */
static int sealing_finish(struct call *call, struct sealing *sealing)
{
    const struct bypeer_identity *identity;
    if (sealing->result < 0)
        return sealing_refuse(call, sealing);
    if (!sealing->is_import) {
        call->result = json_pack("{s:s}", "xml", sealing->text);
        return 0;
    }
    int result = bypeer_identities_import(call->node->identities, &sealing->identity, (uint64_t)time(NULL), &identity,
                                          &call->problem);
    if (result == 0)
        call->result = json_pack("{s:o}", "identity", call_identity(identity));
    return result;
}

static void sealing_on_work(uv_work_t *work)
{
    sealing_run(work->data);
}

static void sealing_on_done(uv_work_t *work, int status)
{
    struct sealing *sealing = work->data;
    struct call *call = sealing->call;
    if (call) {
        call->cancelled = NULL;
        if (status < 0)
            sealing->result = -ENOMEM;
        call_end(call, sealing_finish(call, sealing));
    }
    sealing_free(sealing);
}

static void sealing_cancel(struct call *call)
{
    struct sealing *sealing = call->later;
    sealing->call = NULL;
}

static int sealing_start(struct call *call, struct sealing *sealing)
{
    const char *password = call_string(call, "password");
    sealing->password = strdup(password);
    if (!sealing->password || (sealing->is_import && !sealing->text)) {
        sealing_free(sealing);
        return bypeer_problem_no_memory(&call->problem);
    }
    sealing->call = call;
    sealing->work.data = sealing;
    if (call->node->loop && uv_queue_work(call->node->loop, &sealing->work, sealing_on_work, sealing_on_done) == 0) {
        call->later = sealing;
        call->cancelled = sealing_cancel;
        return CALL_LATER;
    }
    sealing_run(sealing);
    int result = sealing_finish(call, sealing);
    sealing_free(sealing);
    return result;
}

static struct sealing *sealing_allocate(struct call *call)
{
    struct sealing *sealing = calloc(1, sizeof(*sealing));
    if (!sealing)
        bypeer_problem_no_memory(&call->problem);
    return sealing;
}

int method_identities_export(struct call *call)
{
    const struct bypeer_identity *identity = call_find_identity(call, "identity");
    struct sealing *sealing = identity ? sealing_allocate(call) : NULL;
    if (!sealing)
        return call->problem.error;
    int result = bypeer_identities_export(call->node->identities, identity, &sealing->identity, &call->problem);
    if (result < 0) {
        sealing_free(sealing);
        return result;
    }
    return sealing_start(call, sealing);
}

int method_identities_import(struct call *call)
{
    struct sealing *sealing = sealing_allocate(call);
    if (!sealing)
        return call->problem.error;
    sealing->is_import = true;
    sealing->text = strdup(call_string(call, "xml"));
    return sealing_start(call, sealing);
}
