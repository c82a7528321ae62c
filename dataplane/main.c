/*
 * bypeer-dataplane: the process that moves packets.
 *
 *   main thread    this file: starts everything, then one poll loop: control's channel, the broker's answers, signals,
 *                  the heartbeat
 *   broker         waits for grace periods (broker.h)
 *   workers        walk the graph (workers.h)
 *   host thread    the TAP and TUN devices (host.h)
 *
 * One more sets up the ports and ends (privilege.h).
 *
 * It ends on SIGTERM, SIGINT or SIGHUP: first the workers, then the host thread, then the devices; what was between two
 * of them is counted as dropped at shutdown, so that the packet sum holds to the end.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_version.h>

#include "config/config.h"
#include "dataplane/broker.h"
#include "dataplane/channel.h"
#include "dataplane/eal.h"
#include "dataplane/host.h"
#include "dataplane/log.h"
#include "dataplane/packet.h"
#include "dataplane/ports.h"
#include "dataplane/privilege.h"
#include "dataplane/report.h"
#include "dataplane/telemetry.h"
#include "dataplane/tracing.h"
#include "dataplane/workers.h"

#define HEARTBEAT_MS 200
#define CONNECT_MS   50
#define TRACE_MS     1

struct dataplane {
    struct bypeer_config *config;
    struct bypeer_privilege privilege;
    struct bypeer_ports ports;
    struct bypeer_report report;
    struct bypeer_host host;
    struct bypeer_workers workers;
    struct bypeer_tracing tracing;
    struct bypeer_broker broker;
    struct bypeer_channel channel;
    int signals; /* signalfd */
};

/* Large, and there is one process. */
static struct dataplane dataplane;

static int usage(FILE *stream)
{
    fprintf(stream, "Usage: bypeer-dataplane [--config FILE]\n"
                    "Moves packets between the ports and the overlay, by the tables that bypeerd hands over.\n\n"
                    "  -c, --config FILE   configuration (default " BYPEER_CONFIG_FILE ")\n"
                    "  -h, --help          this text\n"
                    "  -V, --version       release and table layouts\n");
    return stream == stderr ? 2 : 0;
}

static int show_version(void)
{
    printf("bypeer-dataplane %s, table layouts %u to %u, %s\n", BYPEER_RELEASE, BYPEER_LAYOUT_OLDEST,
           BYPEER_LAYOUT_NEWEST, rte_version());
    return 0;
}

/* --- start -------------------------------------------------------------------------------------------------------- */

/* Before any thread is started, so that all inherit the mask and only the signalfd sees the signals. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP); /* of a terminal: end as cleanly */
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static int load_config(struct bypeer_config **ret_config, const char *file)
{
    struct bypeer_config_errors errors = {0};
    int status = bypeer_config_load(ret_config, file, &errors);
    for (size_t i = 0; i < errors.count; i++)
        bypeer_log(BYPEER_LOG_ERROR, "%s", errors.messages[i]);
    if (status < 0 && errors.count == 0)
        bypeer_log(BYPEER_LOG_ERROR, "%s: %s", file, strerror(-status));
    bypeer_config_errors_free(&errors);
    return status;
}

static int start_eal(const struct bypeer_config *config)
{
    static struct bypeer_eal_machine machine;
    static struct bypeer_eal_arguments arguments; /* EAL keeps pointers into it */
    char why[256];
    bypeer_eal_look(&machine);
    int status = bypeer_eal_arguments(&arguments, config, &machine, why);
    if (status < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "%s: %s", config->file, why);
        return status;
    }
    if (rte_eal_init(arguments.count, arguments.list) < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "DPDK does not start: %s; see its message above, and dataplane in %s",
                   rte_strerror(rte_errno), config->file);
        return -rte_errno;
    }
    bypeer_log(BYPEER_LOG_INFO, "%u worker%s, %u MB of packet memory in %s", config->dataplane.workers,
               config->dataplane.workers == 1 ? "" : "s", config->dataplane.megabytes,
               arguments.hugepages ? "hugepages" : "normal pages");
    return 0;
}

static int start_failed(const char *what, int status)
{
    bypeer_log(BYPEER_LOG_ERROR, "%s: %s", what, strerror(-status));
    return status;
}

static void say_idle_mode(const struct dataplane *d)
{
    for (uint16_t i = 0; i < d->workers.count; i++)
        if (d->config->dataplane.idle == BYPEER_IDLE_INTERRUPT && d->workers.threads[i].idle.mode == BYPEER_IDLE_SLEEP)
            bypeer_log(
                BYPEER_LOG_WARNING,
                "dataplane.idle: interrupt: worker %u naps instead (up to %u us), because a device of its has no "
                "descriptor to wait on",
                i, d->config->dataplane.idle_max_us);
}

static int start_ports(void *argument)
{
    struct dataplane *d = argument;
    char why[BYPEER_PORTS_WHY_BYTES];
    int status = bypeer_ports_start(&d->ports, d->config, why);
    if (status < 0)
        bypeer_log(BYPEER_LOG_ERROR, "%s: %s", d->config->file, why);
    return status;
}

static int start(struct dataplane *d)
{
    char why[256];
    int status = bypeer_packet_register();
    if (status < 0)
        return start_failed("no room for our field in mbufs", status);
    status = bypeer_privilege_use(&d->privilege, start_ports, d);
    if (status < 0)
        return status;
    status = bypeer_report_create(&d->report, d->config, &d->ports);
    if (status < 0)
        return start_failed("no memory for the status region", status);
    status = bypeer_host_create(&d->host, d->config, &d->ports, &d->report.status);
    if (status < 0)
        return start_failed("no descriptors for the host thread", status);
    status = bypeer_workers_create(&d->workers, d->config, &d->ports, &d->report.status, &d->host.wakeup, why);
    if (status < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "%s", why);
        return status;
    }
    bypeer_tracing_init(&d->tracing, &d->workers);
    status = bypeer_channel_create(&d->channel, d->config->node.run, &d->ports, &d->report, &d->broker, &d->tracing,
                                   d->config->dataplane.workers);
    if (status < 0)
        return start_failed("node.run", status);
    status = bypeer_broker_start(&d->broker, d->report.status.header);
    if (status < 0)
        return start_failed("no thread for the broker", status);
    status = bypeer_host_start(&d->host, &d->workers);
    if (status < 0)
        return start_failed("no thread for the host's devices", status);
    status = bypeer_workers_start(&d->workers);
    if (status < 0)
        return start_failed("no thread for a worker", status);
    if (bypeer_telemetry_start(&d->report, &d->tracing) < 0)
        bypeer_log(BYPEER_LOG_WARNING, "no telemetry commands");
    say_idle_mode(d);
    return 0;
}

/* --- run ---------------------------------------------------------------------------------------------------------- */

static int loop_timeout(const struct dataplane *d)
{
    if (d->tracing.runs)
        return TRACE_MS;
    return d->channel.fd < 0 ? CONNECT_MS : HEARTBEAT_MS;
}

static void start_asked_trace(struct bypeer_tracing *tracing)
{
    pthread_mutex_lock(&tracing->mutex);
    uint32_t packets = tracing->asked;
    tracing->asked = 0;
    pthread_mutex_unlock(&tracing->mutex);
    if (packets > 0)
        bypeer_tracing_start(tracing, packets);
}

static void run(struct dataplane *d)
{
    for (;;) {
        bypeer_channel_connect(&d->channel);
        struct pollfd polls[] = {
            {.fd = d->signals, .events = POLLIN},
            {.fd = d->broker.done, .events = POLLIN},
            {.fd = bypeer_channel_listens(&d->channel) ? d->channel.fd : -1, .events = POLLIN},
        };
        if (poll(polls, 3, loop_timeout(d)) < 0 && errno != EINTR)
            return;
        struct signalfd_siginfo signal;
        if (read(d->signals, &signal, sizeof(signal)) == sizeof(signal)) {
            bypeer_log(BYPEER_LOG_INFO, "%s: stopping", strsignal((int)signal.ssi_signo));
            return;
        }
        bypeer_channel_changed(&d->channel);
        bypeer_channel_read(&d->channel);
        start_asked_trace(&d->tracing);
        if (d->tracing.runs)
            bypeer_channel_trace(&d->channel);
        bypeer_broker_wake(&d->broker); /* GRACE only hurries it */
        bypeer_broker_watch(&d->broker, &d->workers);
        bypeer_report_beat(&d->report, &d->ports);
    }
}

/* --- stop --------------------------------------------------------------------------------------------------------- */

/* Undoes as much of start() as was done. */
static void stop(struct dataplane *d)
{
    bypeer_telemetry_stop();
    if (d->report.memory.base != NULL) {
        bypeer_workers_stop(&d->workers);
        bypeer_host_stop(&d->host);
        if (d->broker.running)
            bypeer_broker_stop(&d->broker);
        bypeer_workers_destroy(&d->workers, d->report.status.workers[d->config->dataplane.workers].counters);
        bypeer_ports_report(&d->ports, d->report.status.ports);
    }
    bypeer_channel_destroy(&d->channel);
    bypeer_privilege_end(&d->privilege);
    bypeer_ports_stop(&d->ports);
    bypeer_report_free(&d->report);
}

static void leave_no_directory(const char *runtime_directory)
{
    char path[4096 + 32];
    snprintf(path, sizeof(path), "%s/dpdk_telemetry.v2", runtime_directory);
    unlink(path);
    rmdir(runtime_directory); /* fails when another process has something there */
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    const char *file = BYPEER_CONFIG_FILE;
    for (int option; (option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1;) {
        if (option == 'c')
            file = optarg;
        else if (option == 'V')
            return show_version();
        else
            return usage(option == 'h' ? stdout : stderr);
    }
    if (optind < argc)
        return usage(stderr);

    struct dataplane *d = &dataplane;
    if (load_config(&d->config, file) < 0)
        return 1;
    /* libxdp's dispatcher, for several programs on one interface, would take pinned files and CAP_PERFMON. */
    setenv("LIBXDP_SKIP_DISPATCHER", "1", 0);
    d->signals = open_signals();
    int status = d->signals < 0 ? d->signals : bypeer_privilege_set_apart(&d->privilege);
    if (status < 0) {
        start_failed("no thread for the ports", status);
        return 1;
    }
    if (start_eal(d->config) < 0)
        return 1;
    char runtime_directory[4096];
    snprintf(runtime_directory, sizeof(runtime_directory), "%s", rte_eal_get_runtime_dir());
    status = start(d);
    if (status == 0)
        run(d);
    stop(d);
    rte_eal_cleanup();
    leave_no_directory(runtime_directory);
    bypeer_config_free(d->config);
    return status == 0 ? 0 : 1;
}
