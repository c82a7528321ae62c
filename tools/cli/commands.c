#include "tools/cli/command.h"

#include <stdio.h>
#include <string.h>

const struct cli_option cli_options[CLI_OPTIONS] = {
    [CLI_OPTION_CONFIG] = {"config", 'c', "FILE", CLI_VALUES_FILE,
                           "Configuration file (default /etc/bypeer/bypeer.yaml); it names the socket too"},
    [CLI_OPTION_SOCKET] = {"socket", 's', "PATH", CLI_VALUES_FILE,
                           "Socket of bypeerd (default: BYPEER_SOCKET, then control.sock in the node's run directory)"},
    [CLI_OPTION_OUTPUT] = {"output", 'o', "FORMAT", CLI_VALUES_FORMAT, "table, or json with the keys of bypeer-api(7)"},
    [CLI_OPTION_HELP] = {"help", 'h', NULL, CLI_VALUES_ANY, "Show help, also of one command, and exit"},
    [CLI_OPTION_ADDRESS] = {"address", 0, "ADDRESS", CLI_VALUES_ANY,
                            "Overlay address in the group: of a group, this node's own; of a peer, its own (default: "
                            "one made of its key), or none"},
    [CLI_OPTION_ALL] = {"all", 'a', NULL, CLI_VALUES_ANY, "Counters that are 0 too"},
    [CLI_OPTION_BURST] = {"burst", 0, "BYTES", CLI_VALUES_ANY,
                          "What may pass at once after a pause, as 256k (default: a tenth of a second)"},
    [CLI_OPTION_BYTES] = {"bytes", 'b', NULL, CLI_VALUES_ANY, "The packet's first bytes at every stage"},
    [CLI_OPTION_CLOUD] = {"cloud", 0, "CLOUD", CLI_VALUES_CLOUD,
                          "Name of a cloud, or several with commas (default: all)"},
    [CLI_OPTION_COMMENT] = {"comment", 0, "TEXT", CLI_VALUES_ANY, "For people, at most 39 characters"},
    [CLI_OPTION_CRITERION] = {"criterion", 0, "CRITERION", CLI_VALUES_CRITERION,
                              "any (default), nearest, or nearest64, of several registrations"},
    [CLI_OPTION_DIRECTORY] = {"directory", 'd', "DIRECTORY", CLI_VALUES_FILE,
                              "Where members' files are (default: the present one)"},
    [CLI_OPTION_ENDPOINT] =
        {"endpoint", 0, "ENDPOINT", CLI_VALUES_ANY,
         "[ADDRESS]:PORT; of a name, with /udp if it is not TCP, up to 10 with commas (default: own addresses); of a "
         "peer, where it is at first (default: it begins)"},
    [CLI_OPTION_EXPIRES] = {"expires", 0, "TIME", CLI_VALUES_ANY,
                            "After this long they no longer reach each other: 30d, 12h, 90m or never (default)"},
    [CLI_OPTION_GROUP] = {"group", 'g', "GROUP", CLI_VALUES_GROUP, "Name of a group"},
    [CLI_OPTION_INTERVAL] = {"interval", 0, "SECONDS", CLI_VALUES_ANY,
                             "What rates are measured over (default 1); 0: show none"},
    [CLI_OPTION_KEEPALIVE] = {"keepalive", 0, "SECONDS", CLI_VALUES_ANY,
                              "How often something is sent to keep the way through NATs (default 25); 0: never"},
    [CLI_OPTION_IPV4] = {"ipv4", '4', NULL, CLI_VALUES_ANY,
                         "By ports of the node's IPv4 address; all must be WireGuard peers of it"},
    [CLI_OPTION_LIMIT] = {"limit", 'n', "NUMBER", CLI_VALUES_ANY, "Stop after this many (default: all)"},
    [CLI_OPTION_LINK] = {"link", 'l', "LINK", CLI_VALUES_LINK, "Name of a link"},
    [CLI_OPTION_LOCAL] = {"local", 0, "ADDRESS", CLI_VALUES_ANY,
                          "Underlay address of this end (default: the kernel chooses)"},
    [CLI_OPTION_MTU] = {"mtu", 0, "BYTES", CLI_VALUES_ANY, "Largest overlay packet (default: what the port carries)"},
    [CLI_OPTION_NEW_KEY] = {"new-key", 'k', NULL, CLI_VALUES_ANY,
                            "Make a key for whoever has none, which is shown once and kept nowhere"},
    [CLI_OPTION_NEW_PRESHARED_KEY] = {"new-preshared-key", 0, NULL, CLI_VALUES_ANY,
                                      "Make a secret that both sides share, too"},
    [CLI_OPTION_OPENMETRICS] = {"openmetrics", 0, NULL, CLI_VALUES_ANY,
                                "In the format that Prometheus reads, for its textfile collector"},
    [CLI_OPTION_OWN] = {"own", 0, NULL, CLI_VALUES_ANY, "What this node publishes counts, too"},
    [CLI_OPTION_PAYLOAD] = {"payload", 0, "TEXT", CLI_VALUES_ANY, "Comes with the answer; at most 4096 bytes"},
    [CLI_OPTION_PAYLOAD_FILE] = {"payload-file", 0, "FILE", CLI_VALUES_FILE, "The same, as bytes from a file"},
    [CLI_OPTION_PEER] = {"peer", 'p', "ADDRESS", CLI_VALUES_ANY, "Underlay address of the other end"},
    [CLI_OPTION_PER] = {"per", 0, "PERIOD", CLI_VALUES_PERIOD,
                        "all (default: since it was added), day or month, of UTC: when a quota begins anew"},
    [CLI_OPTION_PORT] = {"port", 0, "PORT", CLI_VALUES_ANY, "Port at the node's own addresses"},
    [CLI_OPTION_PREFIX] = {"prefix", 0, "PREFIX", CLI_VALUES_ANY, "The group's /48, from fd00::/8"},
    [CLI_OPTION_PRESHARED_KEY_FILE] = {"preshared-key-file", 0, "FILE", CLI_VALUES_FILE,
                                       "Secret that both sides share, as `wg genpsk` writes it"},
    [CLI_OPTION_PRIVATE_KEY_FILE] = {"private-key-file", 0, "FILE", CLI_VALUES_FILE,
                                     "The peer's private key, as `wg genkey` writes it; not sent"},
    [CLI_OPTION_PROTOCOL] = {"protocol", 0, "PROTOCOL", CLI_VALUES_PROTOCOL, "tcp (default) or udp, with --port"},
    [CLI_OPTION_PUBLIC_KEY] = {"public-key", 0, "KEY", CLI_VALUES_ANY,
                               "The peer's public key, as `wg pubkey` or its client shows it"},
    [CLI_OPTION_QR] = {"qr", 0, NULL, CLI_VALUES_ANY, "The file as a QR code, for the camera of a phone"},
    [CLI_OPTION_QUOTA] = {"quota", 0, "BYTES", CLI_VALUES_ANY,
                          "What may be carried for it in a period, both directions together, as 100G"},
    [CLI_OPTION_RATE] = {"rate", 0, "BITS", CLI_VALUES_ANY, "Bits a second, as 10M"},
    [CLI_OPTION_RESULTS] = {"results", 0, "NUMBER", CLI_VALUES_ANY, "Stop after so many (default 1, at most 64)"},
    [CLI_OPTION_RUNNING] = {"running", 'r', NULL, CLI_VALUES_ANY,
                            "What bypeerd uses, instead of the file as it is now"},
    [CLI_OPTION_TIMEOUT] = {"timeout", 't', "SECONDS", CLI_VALUES_ANY,
                            "How long to wait (default: 5 for packets, 30 for names)"},
    [CLI_OPTION_UDP_PORT] = {"udp-port", 0, "PORT", CLI_VALUES_ANY, "UDP port of VXLAN-GPE (default 4790)"},
    [CLI_OPTION_UNSECURED] = {"unsecured", 0, NULL, CLI_VALUES_ANY, "A name that anybody may publish, too"},
    [CLI_OPTION_VNI] = {"vni", 'v', "VNI", CLI_VALUES_ANY,
                        "VXLAN network identifier (of a link, default: the group's)"},
    [CLI_OPTION_WITH] = {"with", 0, "MEMBERS", CLI_VALUES_RELAY, "Only with these, with commas between them"},
    [CLI_OPTION_WORKERS] = {"workers", 'w', NULL, CLI_VALUES_ANY, "One column for each worker"},
};

const struct cli_command cli_commands[] = {
    {.word = "status",
     .run = cli_run_status,
     .help = "How the node is",
     .details =
         "Shows the daemon and the data plane, how full the tables are, and the packet sum: whatever came in went "
         "out, or is in flight."},

    {.word = "links",
     .verb = "list",
     .implied = true,
     .run = cli_run_links_list,
     .help = "List the links to other nodes"},
    {.word = "links",
     .verb = "add",
     .run = cli_run_links_add,
     .help = "Add a link to another node",
     .arguments = {{"NAME"}},
     .required = {CLI_OPTION_GROUP, CLI_OPTION_PEER},
     .options = {CLI_OPTION_LOCAL, CLI_OPTION_VNI, CLI_OPTION_UDP_PORT, CLI_OPTION_MTU},
     .details = "The other node needs a link back, with the same VNI."},
    {.word = "links",
     .verb = "remove",
     .run = cli_run_links_remove,
     .help = "Remove links that were added by API",
     .arguments = {{"LINK", CLI_VALUES_LINK, .repeats = true}},
     .details = "A link that still has members or routes is refused."},

    {.word = "peer",
     .verb = "list",
     .implied = true,
     .run = cli_run_peer_list,
     .help = "List WireGuard peers, how they are and how fast",
     .options = {CLI_OPTION_GROUP, CLI_OPTION_INTERVAL},
     .details = "Below the list: how many packets of peers were dropped, and why."},
    {.word = "peer",
     .verb = "show",
     .run = cli_run_peer_show,
     .help = "Show one peer",
     .arguments = {{"PEER", CLI_VALUES_PEER}}},
    {.word = "peer",
     .verb = "add",
     .run = cli_run_peer_add,
     .help = "Let a WireGuard client, or another node, join a group",
     .arguments = {{"NAME"}},
     .required = {CLI_OPTION_GROUP},
     .options = {CLI_OPTION_PUBLIC_KEY, CLI_OPTION_NEW_KEY, CLI_OPTION_ADDRESS, CLI_OPTION_ENDPOINT,
                 CLI_OPTION_KEEPALIVE, CLI_OPTION_PRESHARED_KEY_FILE, CLI_OPTION_NEW_PRESHARED_KEY, CLI_OPTION_QR},
     .details =
         "Give --public-key if the client made its own key, which is best; or --new-key: then the file that the client "
         "imports is printed, with its private key, or with --qr shown as a code. Members and routes may be behind a "
         "peer as behind any link: for another node, use --endpoint and --address none."},
    {.word = "peer",
     .verb = "config",
     .run = cli_run_peer_config,
     .help = "Print the file that configures a peer's WireGuard",
     .arguments = {{"PEER", CLI_VALUES_PEER}},
     .options = {CLI_OPTION_QR, CLI_OPTION_PRIVATE_KEY_FILE, CLI_OPTION_NEW_KEY},
     .details = "As wg-quick(8) and the clients of phones and desktops read it. The private key is the peer's: without "
                "one of the options its line is left to him. --new-key replaces the key that the peer has."},
    {.word = "peer",
     .verb = "remove",
     .run = cli_run_peer_remove,
     .help = "Remove peers that were added by API",
     .arguments = {{"PEER", CLI_VALUES_PEER, .repeats = true}},
     .details = "With the members that they are. A peer that has others behind it is refused."},
    {.word = "peer",
     .verb = "load",
     .run = cli_run_peer_load,
     .help = "Add many peers from a file",
     .arguments = {{"FILE", CLI_VALUES_FILE}},
     .required = {CLI_OPTION_GROUP},
     .details = "One peer a line: its name, its public key, and, unless it is to have one made of its key, its address "
                "or none. Empty lines, and what follows a #, are skipped. - reads standard input. They go in durable "
                "batches of 5000."},

    {.word = "members",
     .verb = "list",
     .implied = true,
     .run = cli_run_members_list,
     .help = "List members by address",
     .options = {CLI_OPTION_GROUP, CLI_OPTION_LINK, CLI_OPTION_LIMIT}},
    {.word = "members",
     .verb = "count",
     .run = cli_run_members_count,
     .help = "Count members",
     .options = {CLI_OPTION_GROUP, CLI_OPTION_LINK}},
    {.word = "members",
     .verb = "add",
     .run = cli_run_members_add,
     .help = "Make an address a member behind a link",
     .arguments = {{"ADDRESS"}, {"LINK", CLI_VALUES_LINK}},
     .details = "A member that is there already moves to the link."},
    {.word = "members",
     .verb = "remove",
     .run = cli_run_members_remove,
     .help = "Remove members that were added by API",
     .arguments = {{"ADDRESS", .repeats = true}}},
    {.word = "members",
     .verb = "load",
     .run = cli_run_members_load,
     .help = "Add many members from a file",
     .arguments = {{"FILE", CLI_VALUES_FILE}},
     .options = {CLI_OPTION_LINK},
     .details =
         "One member a line: its address, and after a space the name of its link, which may be left out where "
         "--link names one for all. Empty lines, and what follows a #, are skipped. - reads standard input. Each "
         "address should be there once. A file is checked before anything is sent; of a stream, what came before "
         "a wrong line may be loaded by then. Members go in durable batches of up to 50000; after a failure the "
         "same file can be loaded again."},
    {.word = "members",
     .verb = "unload",
     .run = cli_run_members_unload,
     .help = "Remove many members from a file",
     .arguments = {{"FILE", CLI_VALUES_FILE}},
     .details = "A file as for members load; names of links in it are not looked at. Addresses that are no members are "
                "skipped."},

    {.word = "groups", .verb = "list", .implied = true, .run = cli_run_groups_list, .help = "List the groups"},
    {.word = "groups",
     .verb = "add",
     .run = cli_run_groups_add,
     .help = "Add a group",
     .arguments = {{"NAME"}},
     .required = {CLI_OPTION_PREFIX, CLI_OPTION_VNI},
     .options = {CLI_OPTION_ADDRESS}},
    {.word = "groups",
     .verb = "remove",
     .run = cli_run_groups_remove,
     .help = "Remove groups that were added by API",
     .arguments = {{"GROUP", CLI_VALUES_GROUP, .repeats = true}},
     .details = "A group that still has links is refused."},

    {.word = "routes",
     .verb = "list",
     .implied = true,
     .run = cli_run_routes_list,
     .help = "List the networks behind members"},
    {.word = "routes",
     .verb = "add",
     .run = cli_run_routes_add,
     .help = "Route a prefix to a link",
     .arguments = {{"PREFIX"}, {"LINK", CLI_VALUES_LINK}}},
    {.word = "routes",
     .verb = "remove",
     .run = cli_run_routes_remove,
     .help = "Remove routes that were added by API",
     .arguments = {{"PREFIX", .repeats = true}}},

    {.word = "name",
     .verb = "publish",
     .run = cli_run_name_publish,
     .help = "Publish a name",
     .arguments = {{"NAME"}},
     .options = {CLI_OPTION_PORT, CLI_OPTION_PROTOCOL, CLI_OPTION_ENDPOINT, CLI_OPTION_UNSECURED, CLI_OPTION_CLOUD,
                 CLI_OPTION_COMMENT, CLI_OPTION_PAYLOAD, CLI_OPTION_PAYLOAD_FILE},
     .details =
         "NAME is a classifier such as web, which is published under this node's own identity or --unsecured, or "
         "a whole peer name: 0.web, or AUTHORITY.web. It is published again after every restart, until it is "
         "unpublished. Without --endpoint it stands for the node's own addresses, followed as they change."},
    {.word = "name",
     .verb = "update",
     .run = cli_run_name_update,
     .help = "Replace what a name stands for",
     .arguments = {{"NAME", CLI_VALUES_NAME}},
     .options = {CLI_OPTION_PORT, CLI_OPTION_PROTOCOL, CLI_OPTION_ENDPOINT, CLI_OPTION_COMMENT, CLI_OPTION_PAYLOAD,
                 CLI_OPTION_PAYLOAD_FILE},
     .details = "All of it is replaced: what is not given is gone."},
    {.word = "name",
     .verb = "unpublish",
     .run = cli_run_name_unpublish,
     .help = "Revoke names",
     .arguments = {{"NAME", CLI_VALUES_NAME, .repeats = true}},
     .options = {CLI_OPTION_CLOUD}},
    {.word = "name",
     .verb = "list",
     .implied = true,
     .run = cli_run_name_list,
     .help = "List what this node publishes"},
    {.word = "name",
     .verb = "resolve",
     .run = cli_run_name_resolve,
     .help = "Find what a name stands for",
     .arguments = {{"NAME"}},
     .options = {CLI_OPTION_CLOUD, CLI_OPTION_RESULTS, CLI_OPTION_TIMEOUT, CLI_OPTION_CRITERION, CLI_OPTION_OWN},
     .details = "NAME is a peer name, or its host name below pnrp.net. All clouds are asked at once."},
    {.word = "name",
     .verb = "lookup-path",
     .run = cli_run_name_lookup_path,
     .help = "Show every node that is asked on the way to a name",
     .arguments = {{"NAME"}},
     .options = {CLI_OPTION_CLOUD, CLI_OPTION_TIMEOUT}},

    {.word = "cloud", .verb = "list", .implied = true, .run = cli_run_cloud_list, .help = "List the clouds"},
    {.word = "cloud",
     .verb = "stats",
     .run = cli_run_cloud_stats,
     .help = "Show what happened in a cloud",
     .arguments = {{"CLOUD", CLI_VALUES_CLOUD}},
     .options = {CLI_OPTION_ALL}},
    {.word = "cloud",
     .verb = "cache",
     .run = cli_run_cloud_cache,
     .help = "List the route entries that are known of a cloud",
     .arguments = {{"CLOUD", CLI_VALUES_CLOUD}},
     .options = {CLI_OPTION_LIMIT}},
    {.word = "cloud",
     .verb = "load",
     .run = cli_run_cloud_load,
     .help = "Take in route entries from a trusted file",
     .arguments = {{"CLOUD", CLI_VALUES_CLOUD}, {"FILE", CLI_VALUES_FILE}},
     .details =
         "One route entry a line: its ID of 64 hex digits, and after a space its endpoints, [ADDRESS]:PORT, with "
         "commas between them. Empty lines, and what follows a #, are skipped. - reads standard input. The nodes "
         "are not asked, so what is wrong in the file misleads this node."},
    {.word = "cloud",
     .verb = "contact",
     .run = cli_run_cloud_contact,
     .help = "Begin a conversation with a node",
     .arguments = {{"CLOUD", CLI_VALUES_CLOUD}, {"NODE"}},
     .details = "NODE is [ADDRESS]:PORT. Others are learnt from it."},

    {.word = "relay",
     .verb = "mesh",
     .run = cli_run_relay_mesh,
     .help = "Let members reach each other, each with each, by this node that cannot read what they say",
     .arguments = {{"MEMBER", CLI_VALUES_RELAY, .repeats = true}},
     .options = {CLI_OPTION_GROUP, CLI_OPTION_NEW_KEY, CLI_OPTION_DIRECTORY, CLI_OPTION_EXPIRES, CLI_OPTION_IPV4},
     .details =
         "MEMBER is NAME, NAME=KEY or NAME=KEY@ADDRESS, with his WireGuard public key and his address in the group. "
         "Each one who is new gets a file NAME.conf for wg-quick; of the others is shown what they add to theirs, as a "
         "diff and for wg addconf. WireGuard peers of this node are known by their names, and add to the file that "
         "they have."},
    {.word = "relay",
     .verb = "add",
     .run = cli_run_relay_add,
     .help = "Let one more member reach those of the group that are there",
     .arguments = {{"MEMBER", CLI_VALUES_RELAY}},
     .options = {CLI_OPTION_GROUP, CLI_OPTION_WITH, CLI_OPTION_NEW_KEY, CLI_OPTION_DIRECTORY, CLI_OPTION_EXPIRES,
                 CLI_OPTION_IPV4},
     .details = "MEMBER and what is written are as of relay mesh."},
    {.word = "relay",
     .verb = "list",
     .implied = true,
     .run = cli_run_relay_list,
     .help = "List who reaches whom by this node's relay",
     .arguments = {{"MEMBER", CLI_VALUES_RELAY, .optional = true}},
     .options = {CLI_OPTION_GROUP, CLI_OPTION_LIMIT},
     .details = "One line for each member of a pair: the relay address that he sends to, and where he was heard. His "
                "endpoint is confirmed when he has answered what was sent to it."},
    {.word = "relay",
     .verb = "members",
     .run = cli_run_relay_members,
     .help = "List the members of relay links",
     .options = {CLI_OPTION_GROUP, CLI_OPTION_LIMIT}},
    {.word = "relay",
     .verb = "config",
     .run = cli_run_relay_config,
     .help = "Print a member's file for wg-quick, without his private key",
     .arguments = {{"MEMBER", CLI_VALUES_RELAY}}},
    {.word = "relay",
     .verb = "remove",
     .run = cli_run_relay_remove,
     .help = "Remove members, whom nobody reaches by the relay from then on",
     .arguments = {{"MEMBER", CLI_VALUES_RELAY, .repeats = true}},
     .options = {CLI_OPTION_WITH},
     .details = "With --with only the pair with that member."},

    {.word = "usage",
     .run = cli_run_usage,
     .help = "Show what was carried for whom",
     .options = {CLI_OPTION_GROUP, CLI_OPTION_OPENMETRICS},
     .details = "Packets of the overlay and their bytes, received from each peer or link and sent to it, since it was "
                "added. The counts go on over restarts."},
    {.word = "limits", .verb = "list", .implied = true, .run = cli_run_limits_list, .help = "List rates and quotas"},
    {.word = "limits",
     .verb = "set",
     .run = cli_run_limits_set,
     .help = "Limit a peer, a link or a group, at once",
     .arguments = {{"NAME", CLI_VALUES_LINK, .optional = true}},
     .options = {CLI_OPTION_GROUP, CLI_OPTION_RATE, CLI_OPTION_BURST, CLI_OPTION_QUOTA, CLI_OPTION_PER},
     .details =
         "NAME is a peer or link: its rate holds for what it sends and for what it receives, each by itself. The "
         "rate of a --group is for all that its members send, and is shared fairly: who wants less than his part "
         "gets all that he wants, and the others the rest in equal parts. All of the limit is replaced."},
    {.word = "limits",
     .verb = "remove",
     .run = cli_run_limits_remove,
     .help = "Lift the limit of a peer, a link or a group",
     .arguments = {{"NAME", CLI_VALUES_LINK, .optional = true}},
     .options = {CLI_OPTION_GROUP}},
    {.word = "counters",
     .run = cli_run_counters,
     .help = "Show what the data plane counted, and the packet sum",
     .options = {CLI_OPTION_ALL, CLI_OPTION_WORKERS},
     .details = "The sum is received + injected + generated + copied = sent + punted + consumed + dropped + in flight; "
                "every packet is counted once on either side."},
    {.word = "trace",
     .run = cli_run_trace,
     .help = "Follow the next packets through the data plane",
     .arguments = {{"NUMBER", .optional = true}},
     .options = {CLI_OPTION_TIMEOUT, CLI_OPTION_BYTES},
     .details =
         "Shows every stage of the next NUMBER packets (default 1, at most 1000), with the time since the first."},

    {.word = "config",
     .verb = "check",
     .run = cli_run_config_check,
     .help = "Check a configuration file",
     .arguments = {{"FILE", CLI_VALUES_FILE, .optional = true}},
     .details = "Tells everything that is wrong with it, with file and line. Needs no daemon."},
    {.word = "config",
     .verb = "show",
     .run = cli_run_config_show,
     .help = "Show every value in effect and where it comes from",
     .arguments = {{"FILE", CLI_VALUES_FILE, .optional = true}},
     .options = {CLI_OPTION_RUNNING},
     .details = "Reads the file, without the daemon; with --running asks the daemon what it uses."},
    {.word = "config",
     .verb = "explain",
     .run = cli_run_config_explain,
     .help = "Explain a key of the configuration, or list all",
     .arguments = {{"KEY", CLI_VALUES_KEY, .optional = true}}},
    {.word = "config",
     .verb = "reload",
     .run = cli_run_config_reload,
     .help = "Make the daemon follow its changed configuration",
     .details = "A file with any error is refused whole. Also tells which changes wait for a restart, and of what."},

    {.word = "version", .run = cli_run_version, .help = "Show the releases of this program and of the daemon"},
    {.word = "help",
     .run = cli_run_help,
     .help = "Show help, also of one command",
     .arguments = {{"COMMAND", CLI_VALUES_COMMAND, .optional = true}, {"WORD", .optional = true}}},
    {.word = "names",
     .run = cli_run_names,
     .hidden = true,
     .help = "Print names for completion",
     .arguments = {{"WHAT"}}},
};

const unsigned cli_command_count = sizeof(cli_commands) / sizeof(cli_commands[0]);

const struct cli_command *cli_command_find(const char *word, const char *verb)
{
    for (unsigned i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        if (strcmp(command->word, word) != 0)
            continue;
        if (!command->verb || (verb ? strcmp(command->verb, verb) == 0 : command->implied))
            return command;
    }
    return NULL;
}

const char *cli_command_word(const void *unused, unsigned wanted)
{
    (void)unused;
    for (unsigned i = 0; i < cli_command_count; i++) {
        bool again = i > 0 && strcmp(cli_commands[i].word, cli_commands[i - 1].word) == 0;
        if (!again && !cli_commands[i].hidden && wanted-- == 0)
            return cli_commands[i].word;
    }
    return NULL;
}

const char *cli_command_verb(const void *word, unsigned wanted)
{
    for (unsigned i = 0; i < cli_command_count; i++)
        if (strcmp(cli_commands[i].word, word) == 0 && cli_commands[i].verb && wanted-- == 0)
            return cli_commands[i].verb;
    return NULL;
}

const char *cli_command_name(const struct cli_command *command, char name[static CLI_COMMAND_NAME])
{
    snprintf(name, CLI_COMMAND_NAME, "%s%s%s", command->word, command->verb ? " " : "",
             command->verb ? command->verb : "");
    return name;
}
