#include "control/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "control/api/server.h"
#include "control/attach/attach.h"
#include "control/dataplane/channel.h"
#include "control/groups/groups.h"
#include "control/host.h"
#include "control/identity/identities.h"
#include "control/log.h"
#include "control/names/dns.h"
#include "control/names/hosts.h"
#include "control/names/names.h"
#include "control/names/nss.h"
#include "control/node.h"
#include "control/notify.h"
#include "control/policy/policies.h"
#include "control/relay/relays.h"
#include "control/usage/usage.h"
#include "control/wireguard/wireguard.h"

#define LOCK_TRIES 300 /* 10 ms each */
#define EXPIRY_MS  500

struct daemon {
    uv_loop_t loop;
    struct bypeer_node node;
    struct bypeer_host *host;
    struct bypeer_channel *channel;
    struct bypeer_server *server;
    struct bypeer_names *names;
    struct bypeer_groups *groups;
    struct bypeer_attach *attach;
    struct bypeer_wireguard *wireguard;
    struct bypeer_hosts hosts; /* for programs of this host: */
    struct bypeer_nss *nss;
    struct bypeer_dns *dns;
    uv_signal_t terminate, interrupt, hangup;
    uv_timer_t watchdog;
    uv_timer_t expiry; /* of relay links; and quotas */
    uv_prepare_t prepare;
    bool has_handles; /* of signals and timers */
    int lock;         /* on the state directory */
};

/* --- what others ask of the daemon --- */

static void daemon_tell_status(struct daemon *daemon)
{
    const struct bypeer_dataplane_process *process = daemon->channel ? bypeer_channel_process(daemon->channel) : NULL;
    if (process)
        bypeer_notify("STATUS=data plane %ld attached, %llu members", (long)process->pid,
                      (unsigned long long)bypeer_model_count_members(daemon->node.model));
    else
        bypeer_notify("STATUS=no data plane, %llu members",
                      (unsigned long long)bypeer_model_count_members(daemon->node.model));
}

static void daemon_on_group(void *context, const struct bypeer_model_group *group, bool gone)
{
    struct daemon *daemon = context;
    bypeer_host_group_changed(daemon->host, group, gone);
}

static void daemon_on_link(void *context, const struct bypeer_model_link *link, bool gone)
{
    struct daemon *daemon = context;
    bypeer_host_link_changed(daemon->host, link, gone);
    bypeer_wireguard_link_changed(daemon->wireguard, link, gone);
}

static void daemon_on_route(void *context, const struct bypeer_model_route *route,
                            const struct bypeer_model_group *group, bool gone)
{
    struct daemon *daemon = context;
    bypeer_host_route_changed(daemon->host, route, group, gone);
}

static void daemon_on_renewing(void *context)
{
    struct daemon *daemon = context;
    bypeer_names_renewing(daemon->names);
}

static void daemon_on_renewed(void *context, struct bypeer_generation *generation)
{
    struct daemon *daemon = context;
    bypeer_names_renewed(daemon->names);
    if (!daemon->channel)
        return;
    bypeer_channel_use(daemon->channel, generation);
    bypeer_wireguard_dataplane_changed(daemon->wireguard);
}

static bool daemon_on_reclaim(void *context)
{
    struct daemon *daemon = context;
    if (daemon->channel)
        return bypeer_channel_turn(daemon->channel);
    /* Nobody has the tables yet. */
    struct bypeer_writer *writer = daemon->node.generation->writer;
    bypeer_writer_reclaim(writer, bypeer_writer_request(writer));
    return true;
}

static gid_t daemon_find_group(const char *name)
{
    const struct group *group = name[0] != '\0' ? getgrnam(name) : NULL;
    if (name[0] != '\0' && !group)
        bypeer_log(BYPEER_LOG_WARNING, "group %s: does not exist; nobody gets its rights", name);
    return group ? group->gr_gid : (gid_t)-1;
}

static uid_t daemon_find_user(const char *name)
{
    const struct passwd *user = name[0] != '\0' ? getpwnam(name) : NULL;
    if (name[0] != '\0' && !user)
        bypeer_log(BYPEER_LOG_WARNING, "user %s: does not exist; only root and this user may run the data plane", name);
    return user ? user->pw_uid : (uid_t)-1;
}

/* --- names for programs of this host --- */

static void daemon_follow_nss(struct daemon *daemon, bool wanted)
{
    struct bypeer_problem problem;
    char path[300], text[BYPEER_PROBLEM_TEXT];
    if (!wanted) {
        bypeer_nss_close(daemon->nss);
        daemon->nss = NULL;
        return;
    }
    if (daemon->nss)
        return;
    snprintf(path, sizeof(path), "%s/names.sock", daemon->node.config->node.run);
    if (bypeer_nss_open(&daemon->nss, &daemon->loop, &daemon->hosts, path, &problem) < 0)
        bypeer_log(BYPEER_LOG_ERROR, "%s", bypeer_problem_text(&problem, text));
}

/* before NULL: at the start. One that could not be opened is tried again by each reload. */
static void daemon_follow_dns(struct daemon *daemon, const struct bypeer_config *before,
                              const struct bypeer_config *after)
{
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    if (before && (daemon->dns || after->names.dns_count == 0) && before->names.dns_count == after->names.dns_count &&
        memcmp(before->names.dns, after->names.dns, sizeof(after->names.dns)) == 0)
        return;
    bypeer_dns_close(daemon->dns);
    daemon->dns = NULL;
    if (after->names.dns_count > 0 && bypeer_dns_open(&daemon->dns, &daemon->loop, &daemon->hosts, after->names.dns,
                                                      after->names.dns_count, &problem) < 0)
        bypeer_log(BYPEER_LOG_ERROR, "%s", bypeer_problem_text(&problem, text));
}

static void daemon_follow_hosts(struct daemon *daemon, const struct bypeer_config *before,
                                const struct bypeer_config *after)
{
    daemon->hosts.unsecured = after->names.unsecured;
    daemon_follow_nss(daemon, after->names.nss);
    daemon_follow_dns(daemon, before, after);
}

static void daemon_on_reconfigured(void *context, const struct bypeer_config *before, const struct bypeer_config *after)
{
    struct daemon *daemon = context;
    bypeer_host_reconfigure(daemon->host, before, after);
    if (strcmp(before->tables.group, after->tables.group) != 0)
        bypeer_server_set_group(daemon->server, daemon_find_group(after->tables.group));
    bypeer_names_reconfigure(daemon->names);
    bypeer_wireguard_reconfigured(daemon->wireguard);
    daemon_follow_hosts(daemon, before, after);
}

/* --- the data plane --- */

static void daemon_on_attached(void *context, bool attached)
{
    struct daemon *daemon = context;
    bypeer_host_attached(daemon->host, attached);
    bypeer_wireguard_dataplane_changed(daemon->wireguard);
    if (!attached)
        bypeer_log(BYPEER_LOG_WARNING, "no data plane is attached: nothing is forwarded");
    daemon_tell_status(daemon);
}

/* A data plane carries on from a control that died. Where its peers are, they must be found before it gets our tables.
 */
static void daemon_on_adopt(void *context, const struct bypeer_tables *old)
{
    struct daemon *daemon = context;
    bypeer_wireguard_adopt(daemon->wireguard, old);
    bypeer_host_settle(daemon->host);
}

static const struct bypeer_status_view *daemon_status_view(void *context)
{
    const struct daemon *daemon = context;
    const struct bypeer_dataplane_process *process = daemon->channel ? bypeer_channel_process(daemon->channel) : NULL;
    return process ? &process->view : NULL;
}

static const struct bypeer_sessions_view *daemon_sessions_view(void *context)
{
    const struct daemon *daemon = context;
    const struct bypeer_sessions_view *view = daemon->channel ? bypeer_channel_sessions(daemon->channel) : NULL;
    return view && view->entries ? view : NULL;
}

static uint64_t daemon_mapped(void *context)
{
    const struct daemon *daemon = context;
    return daemon->channel ? bypeer_channel_mapped(daemon->channel) : 0;
}

static void daemon_on_ports(void *context, const struct bypeer_handover *ports)
{
    struct daemon *daemon = context;
    bypeer_host_ports(daemon->host, ports);
}

static void daemon_on_need_layout(void *context, uint32_t layout)
{
    struct daemon *daemon = context;
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    if (bypeer_node_renew(&daemon->node, &daemon->node.generation->size, layout, &problem) < 0)
        bypeer_log(BYPEER_LOG_ERROR, "%s", bypeer_problem_text(&problem, text));
}

/* --- signals and timers --- */

static void daemon_close(struct daemon *daemon)
{
    bypeer_server_close(daemon->server);
    bypeer_nss_close(daemon->nss);
    bypeer_dns_close(daemon->dns);
    bypeer_attach_close(daemon->attach);
    bypeer_groups_close(daemon->groups);
    bypeer_names_close(daemon->names);
    bypeer_wireguard_close(daemon->wireguard);
    bypeer_channel_close(daemon->channel);
    bypeer_host_close(daemon->host);
    daemon->server = NULL;
    daemon->nss = NULL;
    daemon->dns = NULL;
    daemon->names = NULL;
    daemon->node.names = NULL;
    daemon->attach = NULL;
    daemon->node.attach = NULL;
    daemon->groups = NULL;
    daemon->node.groups = NULL;
    daemon->wireguard = NULL;
    daemon->node.wireguard = NULL;
    daemon->channel = NULL;
    daemon->host = NULL;
    daemon->node.channel = NULL;
    if (daemon->has_handles) {
        uv_close((uv_handle_t *)&daemon->terminate, NULL);
        uv_close((uv_handle_t *)&daemon->interrupt, NULL);
        uv_close((uv_handle_t *)&daemon->hangup, NULL);
        uv_close((uv_handle_t *)&daemon->watchdog, NULL);
        uv_close((uv_handle_t *)&daemon->expiry, NULL);
        uv_close((uv_handle_t *)&daemon->prepare, NULL);
    }
    daemon->has_handles = false;
}

static void daemon_on_terminate(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    bypeer_log(BYPEER_LOG_NOTICE, "ends, by %s", number == SIGINT ? "SIGINT" : "SIGTERM");
    bypeer_notify("STOPPING=1");
    bypeer_usage_save(daemon->node.usage, bypeer_channel_sessions(daemon->channel));
    daemon_close(daemon);
}

static void daemon_on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    struct daemon *daemon = handle->data;
    struct bypeer_node_reload reload;
    struct bypeer_config_errors errors = {0};
    bypeer_notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(uv_hrtime() / 1000));
    if (bypeer_node_reload(&daemon->node, &reload, &errors) < 0) {
        for (size_t at = 0; at < errors.count; at++)
            bypeer_log(BYPEER_LOG_ERROR, "%s", errors.messages[at]);
        bypeer_log(BYPEER_LOG_ERROR, "%s: refused whole, nothing was changed", daemon->node.config->file);
        bypeer_config_errors_free(&errors);
    } else {
        bypeer_log(BYPEER_LOG_NOTICE, "%s: loaded again, %u entries changed", daemon->node.config->file,
                   reload.changed);
        for (size_t at = 0; at < reload.diff.setting_count; at++) {
            const struct bypeer_diff_setting *setting = &reload.diff.settings[at];
            if (setting->change == BYPEER_SCHEMA_RELOAD)
                continue;
            bypeer_log(BYPEER_LOG_WARNING, "%s: %s instead of %s takes effect when %s restarts", setting->path,
                       setting->after, setting->before[0] != '\0' ? setting->before : "nothing",
                       setting->change == BYPEER_SCHEMA_CONTROL     ? "bypeerd"
                       : setting->change == BYPEER_SCHEMA_DATAPLANE ? "bypeer-dataplane"
                                                                    : "each of bypeerd and bypeer-dataplane");
        }
        bypeer_node_reload_free(&reload);
    }
    bypeer_notify("READY=1");
    daemon_tell_status(daemon);
}

static void daemon_on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    bypeer_notify("WATCHDOG=1");
}

static void daemon_on_prepare(uv_prepare_t *prepare)
{
    struct daemon *daemon = prepare->data;
    bypeer_model_continue(daemon->node.model);
    bypeer_relays_turn(daemon->node.relays);
}

static void daemon_on_expiry(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    bypeer_relays_expire(daemon->node.relays, (uint64_t)time(NULL));
    bypeer_identities_expire(daemon->node.identities, (uint64_t)time(NULL));
    bypeer_policies_turn(daemon->node.policies);
    bypeer_usage_turn(daemon->node.usage, bypeer_channel_sessions(daemon->channel), (uint64_t)time(NULL));
}

static void daemon_start_handles(struct daemon *daemon)
{
    uv_signal_init(&daemon->loop, &daemon->terminate);
    uv_signal_init(&daemon->loop, &daemon->interrupt);
    uv_signal_init(&daemon->loop, &daemon->hangup);
    uv_timer_init(&daemon->loop, &daemon->watchdog);
    uv_timer_init(&daemon->loop, &daemon->expiry);
    uv_prepare_init(&daemon->loop, &daemon->prepare);
    daemon->terminate.data = daemon->interrupt.data = daemon->hangup.data = daemon->prepare.data = daemon;
    daemon->expiry.data = daemon;
    daemon->has_handles = true;
    uv_signal_start(&daemon->terminate, daemon_on_terminate, SIGTERM);
    uv_signal_start(&daemon->interrupt, daemon_on_terminate, SIGINT);
    uv_signal_start(&daemon->hangup, daemon_on_hangup, SIGHUP);
    uv_prepare_start(&daemon->prepare, daemon_on_prepare);
    uv_timer_start(&daemon->expiry, daemon_on_expiry, EXPIRY_MS, EXPIRY_MS);
    uint64_t watchdog = bypeer_notify_watchdog_ms();
    if (watchdog > 0)
        uv_timer_start(&daemon->watchdog, daemon_on_watchdog, watchdog, watchdog);
}

/* --- start --- */

/* Makes a directory whose parent is there; it may be there already, and is then left as it is. */
static int daemon_need_directory(const char *path, mode_t mode, struct bypeer_problem *problem)
{
    bool made = mkdir(path, mode) == 0;
    if ((made && chmod(path, mode) == 0) || (!made && errno == EEXIST))
        return 0;
    return bypeer_problem_set(problem, -errno, "directory", "%s\ncannot be made: %s\nmake it, owned by this user", path,
                              strerror(errno));
}

/*
 * One daemon per state directory. The lock goes with its process, which after a kill -9 takes a moment to give back its
 * memory: so a successor waits a little before it believes that there are two.
 */
static int daemon_lock(struct daemon *daemon, const char *state, struct bypeer_problem *problem)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/bypeerd.lock", state);
    daemon->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (daemon->lock < 0)
        return bypeer_problem_set(problem, -errno, "directory", "%s\ncannot be made: %s\nlet this user write to %s",
                                  path, strerror(errno), state);
    int locked = flock(daemon->lock, LOCK_EX | LOCK_NB);
    for (unsigned try = 0; locked < 0 && try < LOCK_TRIES; try++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        locked = flock(daemon->lock, LOCK_EX | LOCK_NB);
    }
    if (locked < 0)
        return bypeer_problem_set(problem, -EBUSY, "running",
                                  "%s\nanother bypeerd uses it\nend that one, or give this one another node.state",
                                  state);
    return 0;
}

static int daemon_open(struct daemon *daemon, struct bypeer_config *config, struct bypeer_problem *problem)
{
    char path[300];
    int result = daemon_need_directory(config->node.state, 0700, problem);
    if (result == 0)
        result = daemon_need_directory(config->node.run, 0755, problem);
    if (result == 0)
        result = daemon_lock(daemon, config->node.state, problem);
    if (result < 0)
        return result;

    uid_t user = daemon_find_user(config->dataplane.user);
    gid_t group = daemon_find_group(config->dataplane.group);
    result = bypeer_host_open(&daemon->host, &daemon->loop, config, user, group, problem);
    if (result < 0)
        return result;

    struct bypeer_node_hooks hooks = {
        .group_changed = daemon_on_group,
        .link_changed = daemon_on_link,
        .route_changed = daemon_on_route,
        .renewing = daemon_on_renewing,
        .renewed = daemon_on_renewed,
        .reclaim = daemon_on_reclaim,
        .reconfigured = daemon_on_reconfigured,
        .context = daemon,
    };
    snprintf(path, sizeof(path), "%s/bypeer.db", config->node.state);
    result = bypeer_node_open(&daemon->node, config, path, &hooks, problem);
    if (result < 0)
        return result;
    bypeer_host_use_model(daemon->host, daemon->node.model);

    const struct bypeer_wireguard_dataplane dataplane = {
        .status = daemon_status_view, .mapped = daemon_mapped, .sessions = daemon_sessions_view, .context = daemon};
    result = bypeer_wireguard_open(&daemon->wireguard, &daemon->loop, &daemon->node, &dataplane, problem);
    if (result < 0)
        return result;
    daemon->node.wireguard = daemon->wireguard;
    bypeer_host_settle(daemon->host);
    bypeer_writer_publish(daemon->node.generation->writer);

    struct bypeer_channel_hooks channel_hooks = {
        .attached = daemon_on_attached,
        .adopt = daemon_on_adopt,
        .ports = daemon_on_ports,
        .need_layout = daemon_on_need_layout,
        .context = daemon,
    };
    snprintf(path, sizeof(path), "%s/dataplane.sock", config->node.run);
    struct bypeer_channel_settings settings = {
        .path = path,
        .user = user,
        .group = group,
    };
    result = bypeer_channel_open(&daemon->channel, &daemon->loop, &settings, &channel_hooks, problem);
    if (result < 0)
        return result;
    daemon->node.channel = daemon->channel;
    bypeer_channel_use(daemon->channel, daemon->node.generation);

    daemon->node.loop = &daemon->loop;
    result = bypeer_names_open(&daemon->names, &daemon->loop, &daemon->node, problem);
    if (result < 0)
        return result;
    daemon->node.names = daemon->names;
    daemon->hosts.resolver = (struct bypeer_hosts_resolver){
        .names = daemon->names, .resolve = bypeer_names_resolve, .cancel = bypeer_names_cancel};
    daemon_follow_hosts(daemon, NULL, config);

    result = bypeer_groups_open(&daemon->groups, &daemon->loop, &daemon->node, problem);
    if (result < 0)
        return result;
    daemon->node.groups = daemon->groups;
    result = bypeer_attach_open(&daemon->attach, &daemon->loop, &daemon->node, daemon->groups, problem);
    if (result < 0)
        return result;
    daemon->node.attach = daemon->attach;

    snprintf(path, sizeof(path), "%s/control.sock", config->node.run);
    return bypeer_server_open(&daemon->server, &daemon->loop, &daemon->node, path,
                              daemon_find_group(config->tables.group), problem);
}

int bypeer_daemon_run(struct bypeer_config *config)
{
    struct daemon daemon = {.lock = -1};
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    int result = uv_loop_init(&daemon.loop);
    if (result < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "event loop: %s", uv_strerror(result));
        bypeer_config_free(config);
        return EXIT_FAILURE;
    }
    uint64_t began = uv_hrtime();
    result = daemon_open(&daemon, config, &problem);
    if (result < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "%s", bypeer_problem_text(&problem, text));
        daemon_close(&daemon);
    } else {
        daemon_start_handles(&daemon);
        bypeer_log(BYPEER_LOG_NOTICE,
                   "node %s, release %s: ready after %llu ms, %llu members; no data plane is attached yet",
                   daemon.node.config->node.name, BYPEER_RELEASE, (unsigned long long)((uv_hrtime() - began) / 1000000),
                   (unsigned long long)bypeer_model_count_members(daemon.node.model));
        bypeer_notify("READY=1");
        daemon_tell_status(&daemon);
    }
    uv_run(&daemon.loop, UV_RUN_DEFAULT);
    if (daemon.node.model)
        bypeer_node_close(&daemon.node);
    else
        bypeer_config_free(config);
    uv_loop_close(&daemon.loop);
    if (daemon.lock >= 0)
        close(daemon.lock);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
