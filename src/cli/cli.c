/* cli/cli.c - the life of one run: locked memory, the line, the command, its error and exit code.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/secret.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/term.h"

enum {
    /* the largest payload that is read (1 MB), its base64 form, and a typed secret twice */
    ARENA_BYTES = 4 << 20,
};

void cli_flush_error(struct cli *c)
{
    fflush(stdout);
    if (c->err.text[0])
        fprintf(stderr, "%s\n", c->err.text);
    c->err.text[0] = 0;
}

static int bad_log_level(const struct cli *c)
{
    const char *level = global_str(c, "log-level");
    static const char *const known[] = {"debug", "info",  "warn",  "warning",
                                        "error", "fatal", "panic", "trace"};
    if (!level)
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_ieq(level, known[i]))
            return 0;
    fprintf(stderr, "Unable to parse logging level: %s\n", level);
    return 1;
}

/* A flag that the engine's API does not know is refused here: the engine would drop it without a
 * word. */
static int check_versions(struct cli *c)
{
    const char *context = global_str(c, "context");
    if (!str_empty(context) && !str_eq(context, "default"))
        return err_set(&c->err, -EINVAL, "context \"%s\": context not found", context);
    for (const struct flag *f = c->cmd->flags; f && f->name; f++) {
        if (!f->api || !c->values[f - c->cmd->flags].changed)
            continue;
        char what[80];
        snprintf(what, sizeof what, "\"--%s\"", f->name);
        int r = api_needs(c, what, f->api);
        if (r)
            return r;
    }
    return 0;
}

int cli_main(int argc, char **argv)
{
    static struct cli c; /* lives as long as the program; handed to signal-free code only */
    int code = 0;
    c.root = &cmd_root;
    term_signals();
    bool locked = secret_arena_open(ARENA_BYTES, &c.err) == 0;
    struct err why = c.err;
    c.err.text[0] = 0;
    if (!parse_line(&c, argc, argv, &code))
        return code;
    if (!locked && c.cmd->locked)
        fprintf(stderr, "keep: %s\n", why.text);
    if (bad_log_level(&c))
        return 1;
    code = check_versions(&c);
    if (!code)
        code = c.cmd->run(&c);
    term_restore();
    bool told = !c.err.text[0];
    cli_flush_error(&c);
    /* an error of the engine or our own ends with 1; a command that has printed its say chose its
     * code */
    if (code < 0 || (code && !told))
        code = 1;
    return fflush(stdout) ? 1 : code;
}
