/* cli/commands.h - the groups and commands that the root knows, one file each (cmd_*.c), and what
 * they share. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H
#include <jansson.h>
#include "cli/command.h"

extern const struct command cmd_secret, cmd_config, cmd_swarm, cmd_node, cmd_service, cmd_container,
    cmd_image, cmd_network, cmd_system, cmd_volume;
extern const struct command cmd_version, cmd_info, cmd_events, cmd_inspect;
/* Commands that stand both under a group and at the top. */
extern const struct command cmd_container_ls, cmd_ps, cmd_exec, cmd_attach, cmd_commit, cmd_cp,
    cmd_create, cmd_diff, cmd_kill, cmd_logs, cmd_pause, cmd_port, cmd_rename, cmd_restart, cmd_rm,
    cmd_run, cmd_start, cmd_stop, cmd_top, cmd_unpause, cmd_wait;
extern const struct command cmd_images, cmd_image_ls, cmd_image_rm, cmd_rmi, cmd_pull, cmd_push,
    cmd_load, cmd_save, cmd_import, cmd_tag, cmd_history;

#define FLAG_LIST_FORMAT                                                                           \
    {                                                                                              \
        .name = "format", .type = "string", .help = HELP_LIST_FORMAT_TEXT                          \
    }
#define HELP_LIST_FORMAT_TEXT                                                                      \
    "How to print each entry:\n"                                                                   \
    "'table':            A table with column titles (default)\n"                                   \
    "'table TEMPLATE':   A table whose columns the Go template names\n"                            \
    "'json':             One JSON object per line\n"                                               \
    "'TEMPLATE':         The given Go template, once per entry"
#define HELP_FORMAT_TEXT                                                                           \
    "How to print:\n"                                                                              \
    "'json':             As JSON\n"                                                                \
    "'TEMPLATE':         The given Go template"
#define FLAG_FORMAT                                                                                \
    {                                                                                              \
        .name = "format", .letter = 'f', .type = "string", .help = HELP_FORMAT_TEXT                \
    }
#define FLAG_FILTER                                                                                \
    {                                                                                              \
        .name = "filter", .letter = 'f', .type = "filter",                                         \
        .help = "Only show what these conditions match"                                            \
    }
#define FLAG_END                                                                                   \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* The whole list of `path` with the command's --filter words. */
int get_list(struct cli *c, const char *path, json_t **ret);
/* "ID:…" of the node that answers, from /info. Malloc'ed; NULL with c->err set. */
char *own_node_id(struct cli *c);
const char *format_setting(struct cli *c,
                           const char *key); /* of the client's config file; NULL when not set */
/* Reads FILE or, for "-", standard input into locked memory; at most `limit` bytes. */
struct secret_buf;
int read_payload(struct cli *c, const char *source, size_t limit, struct secret_buf **ret);

/* Names of nodes and services by id, asked once each. */
struct names;
struct names *names_new(void);
void names_free(struct names *n);
const char *name_of(struct cli *c, struct names *n, const char *kind,
                    const char *id); /* "node", "service" */

/* The rows of `service ps`, `node ps`: prints the tasks. */
struct task_view {
    bool no_resolve, no_trunc, quiet;
    const char *format;
};
int tasks_print(struct cli *c, json_t *tasks, const struct task_view *v);

json_t *client_object(struct cli *c); /* what `version` says of the client */

/* service create and update share these. */
int service_wait(struct cli *c, const char *id, bool quiet);
void warn_answer(json_t *answer);
#endif
