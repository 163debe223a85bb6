/* cli/root.c - the top of the command tree and the flags that stand before every command. */
#include "cli/commands.h"

static const struct flag flags[] = {
    {.name = "config",
     .type = "string",
     .help = "Directory of the client's settings",
     .def = "\"~/.docker\""},
    {.name = "context",
     .letter = 'c',
     .type = "string",
     .help = "Only \"default\": contexts are not kept"},
    {.name = "debug", .letter = 'D', .help = "Print more while working"},
    {.name = "host",
     .letter = 'H',
     .type = "string",
     .help = "Socket of the daemon: unix://PATH or tcp://HOST:PORT"},
    {.name = "log-level",
     .letter = 'l',
     .type = "string",
     .help = "How much to log (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")",
     .def = "\"info\""},
    {.name = "tls", .help = "Use TLS; --tlsverify implies it"},
    {.name = "tlscacert", .type = "string", .help = "Authority whose certificates are trusted"},
    {.name = "tlscert", .type = "string", .help = "Certificate to show to the daemon"},
    {.name = "tlskey", .type = "string", .help = "Key of that certificate"},
    {.name = "tlsverify", .help = "Use TLS and check the daemon's certificate"},
    {.name = "version", .letter = 'v', .help = "Print the version and quit"},
    FLAG_END,
};

static const struct command *const subs[] = {
    &cmd_run,     &cmd_exec,   &cmd_ps,        &cmd_pull,    &cmd_push,    &cmd_images,
    &cmd_version, &cmd_info,   &cmd_container, &cmd_image,   &cmd_network, &cmd_system,
    &cmd_volume,  &cmd_config, &cmd_node,      &cmd_secret,  &cmd_service, &cmd_swarm,
    &cmd_attach,  &cmd_commit, &cmd_cp,        &cmd_create,  &cmd_diff,    &cmd_events,
    &cmd_history, &cmd_import, &cmd_inspect,   &cmd_kill,    &cmd_load,    &cmd_logs,
    &cmd_pause,   &cmd_port,   &cmd_rename,    &cmd_restart, &cmd_rm,      &cmd_rmi,
    &cmd_save,    &cmd_start,  &cmd_stop,      &cmd_tag,     &cmd_top,     &cmd_unpause,
    &cmd_wait,    NULL,
};

const struct command cmd_root = {.name = "keep",
                                 .about =
                                     "Secrets for containers, in a swarm of one machine or many",
                                 .flags = flags,
                                 .subs = subs};
