/*
 * What of founding and joining is slow, for a thread: keys, and the forms of passwords.
 */
#include <errno.h>
#include <string.h>

#include "control/groups/state.h"
#include "overlay/group/password.h"

int bypeer_groups_form(const struct bypeer_profile *profile, const struct bypeer_peer_name *group, const char *password,
                       char ret_form[static BYPEER_GROUP_PASSWORD_FORM_MAX], struct bypeer_problem *problem)
{
    int result = bypeer_password_form(profile, group, password, ret_form);
    if (result == -ENOMEM)
        return bypeer_problem_no_memory(problem);
    return result < 0 ? bypeer_problem_set(problem, result, "bad_password",
                                           "the password\nis empty or too long\nuse 1 to %d bytes", BYPEER_PASSWORD_MAX)
                      : 0;
}

int bypeer_groups_form_of(const char *text, const char *password, char ret_form[static BYPEER_GROUP_PASSWORD_FORM_MAX],
                          struct bypeer_problem *problem)
{
    struct bypeer_invitation invitation;
    const struct bypeer_profile *profile = NULL;
    ret_form[0] = '\0';
    int result = groups_read_invitation(text, &invitation, &profile, problem);
    if (result < 0)
        return result;
    if (invitation.wants_password)
        result = bypeer_groups_form(profile, &invitation.group, password, ret_form, problem);
    bypeer_invitation_clear(&invitation);
    return result;
}

int bypeer_groups_prepare(const struct bypeer_groups_founding *founding, struct bypeer_groups_founded *ret_founded,
                          struct bypeer_problem *problem)
{
    char classifier[64], why[160];
    *ret_founded = (struct bypeer_groups_founded){0};
    groups_make_classifier(founding->friendly, classifier);
    int result = bypeer_key_generate(&ret_founded->group_key, founding->profile);
    if (result < 0)
        return bypeer_problem_set(problem, result, "group_key", "the group's key\ncannot be made: %s\n",
                                  strerror(-result));
    result = bypeer_group_name(ret_founded->group_key, founding->classifier ? founding->classifier : classifier,
                               &ret_founded->name, why);
    if (result < 0)
        return bypeer_problem_set(problem, result, "bad_name", "classifier\n%s\nuse 1 to 149 characters", why);
    return founding->password ? bypeer_groups_form(founding->profile, &ret_founded->name, founding->password,
                                                   ret_founded->form, problem)
                              : 0;
}

void bypeer_groups_founded_clear(struct bypeer_groups_founded *founded)
{
    bypeer_key_free(founded->group_key);
    explicit_bzero(founded, sizeof(*founded));
}
