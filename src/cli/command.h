/* cli/command.h - the commands of `keep` as data: one table drives parsing, help and completion.
 *
 * A command is a group (subs set) or a leaf (run set). A flag is described by its name, the word
 * that help shows for its value and, where the value has a grammar, a check. Values stay strings;
 * flag_* getters read them. Which values are legal is decided while parsing, so that a getter
 * cannot fail.
 *
 * Exit codes: 0, the command's own, 1 for a refused command or argument count, 125 for a flag that
 * is not understood. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

struct cli;

struct flag {
    const char *name;
    char letter;
    const char *type; /* NULL: a switch. "list" and its like may be given several times */
    const char *help;
    const char *def; /* as help shows it */
    const char *api; /* lowest API version that knows it */
    int (*check)(const char *value, struct err *e);
};

enum section { SEC_PLAIN, SEC_COMMON, SEC_MANAGE, SEC_SWARM, SEC_HIDDEN };

struct command {
    const char *name;
    const char *aliases; /* other words for it, separated by blanks */
    const char *paths;   /* what help says under "Aliases:" */
    const char *usage;   /* what follows the path: "[OPTIONS] SECRET [file|-]" */
    const char *about;
    const char *more;
    const char *api;
    const struct flag *flags; /* ends with a NULL name */
    const struct command *const *subs;
    int (*run)(struct cli *c);
    short min, max; /* arguments; max -1: any number */
    bool greedy;    /* flags end at the first argument: the rest is a command line */
    bool locked;    /* takes a secret in: wants locked memory */
    enum section section;
};

struct flag_value {
    char **v;
    bool changed;
};

struct api;
struct cli {
    const struct command *root, *cmd;
    char *path; /* "keep secret create" */
    char **args;
    size_t nargs;
    struct flag_value *values;
    struct flag_value *globals;
    struct api *api;
    struct err err;
    int status; /* of the last HTTP answer; 0 when there was none */
};

extern const struct command cmd_root;

int cli_main(int argc, char **argv);
/* Prints the error that the command left behind, if it left one. */
void cli_flush_error(struct cli *c);
/* "keep: 'keep x' requires …" and the usage lines, on stderr. */
void help_print(const struct cli *c, const struct command *cmd, const char *path, bool to_stderr);
void usage_hint(const struct command *cmd, const char *path);

/* Getters; the name must be one of the command's flags. */
bool flag_set(const struct cli *c, const char *name); /* given on the command line */
bool flag_bool(const struct cli *c, const char *name);
const char *flag_str(const struct cli *c, const char *name); /* NULL when not given */
int64_t flag_int(const struct cli *c, const char *name, int64_t otherwise);
uint64_t flag_uint(const struct cli *c, const char *name, uint64_t otherwise);
int64_t flag_duration(const struct cli *c, const char *name, int64_t otherwise);
double flag_float(const struct cli *c, const char *name);
int64_t flag_bytes(const struct cli *c, const char *name);
int64_t flag_cpus(const struct cli *c, const char *name); /* in billionths */
const char *const *flag_list(const struct cli *c,
                             const char *name); /* NULL-terminated, never NULL */
const char *global_str(const struct cli *c, const char *name);
bool global_bool(const struct cli *c, const char *name);

/* parse.c */
int parse_line(struct cli *c, int argc, char **argv,
               int *ret_exit); /* 1: run it; 0: done with *ret_exit */
bool flag_repeats(const struct flag *f);
#endif
