/*
 * identities.export and identities.import. Turning a password into a key is slow on purpose: work.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/api/work.h"
#include "control/identity/identities.h"

struct sealing {
    struct call_work work;
    struct bypeer_identity_export identity;
    char *text; /* of export */
};

static void sealing_release(struct call_work *work)
{
    struct sealing *sealing = (struct sealing *)work;
    if (sealing->text)
        explicit_bzero(sealing->text, strlen(sealing->text));
    free(sealing->text);
    bypeer_identity_export_release(&sealing->identity);
}

static int sealing_refuse(int result, const char *key, const char *thing, const char *why,
                          struct bypeer_problem *problem)
{
    if (result == -ENOMEM)
        return bypeer_problem_no_memory(problem);
    if (result == -EACCES)
        return bypeer_problem_set(problem, -EACCES, "bad_password",
                                  "password\nis not the export's, or the text was changed\ngive the one that it was "
                                  "written with, and the text as it was");
    return bypeer_problem_set(problem, BYPEER_API_BAD_PARAMETER, key, "%s\n%s\nsee bypeer-api(7)", thing, why);
}

/* --- export --- */

static int export_run(struct call_work *work)
{
    struct sealing *sealing = (struct sealing *)work;
    char why[160] = "";
    int result =
        bypeer_identity_export_write(&sealing->text, &sealing->identity, call_work_string(work, "password"), why);
    return result < 0 ? sealing_refuse(result, "bad_password", "password", why, &work->problem) : 0;
}

static int export_finish(struct call *call, struct call_work *work)
{
    call->result = json_pack("{s:s}", "xml", ((struct sealing *)work)->text);
    return 0;
}

static const struct call_work_kind export_kind = {
    .bytes = sizeof(struct sealing), .run = export_run, .finish = export_finish, .release = sealing_release};

int method_identities_export(struct call *call)
{
    const struct bypeer_identity *identity = call_find_identity(call, "identity");
    struct call_work *work = identity ? call_work_new(call, &export_kind) : NULL;
    if (!work)
        return call->problem.error;
    int result =
        bypeer_identities_export(call->node->identities, identity, &((struct sealing *)work)->identity, &call->problem);
    if (result == 0)
        return call_work_begin(work);
    call_work_free(work);
    return result;
}

/* --- import --- */

static int import_run(struct call_work *work)
{
    struct sealing *sealing = (struct sealing *)work;
    const char *text = call_work_string(work, "xml");
    char why[160] = "";
    int result =
        bypeer_identity_export_read(&sealing->identity, text, strlen(text), call_work_string(work, "password"), why);
    return result < 0 ? sealing_refuse(result, "bad_export", "export", why, &work->problem) : 0;
}

static int import_finish(struct call *call, struct call_work *work)
{
    const struct bypeer_identity *identity;
    int result = bypeer_identities_import(call->node->identities, &((struct sealing *)work)->identity,
                                          (uint64_t)time(NULL), &identity, &call->problem);
    if (result == 0)
        call->result = json_pack("{s:o}", "identity", call_identity(identity));
    return result;
}

static const struct call_work_kind import_kind = {
    .bytes = sizeof(struct sealing), .run = import_run, .finish = import_finish, .release = sealing_release};

int method_identities_import(struct call *call)
{
    struct call_work *work = call_work_new(call, &import_kind);
    return work ? call_work_begin(work) : call->problem.error;
}
