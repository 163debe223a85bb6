/* cli/cmd_container.c - the group `keep container`. */
#include <stdlib.h>
#include "base/mem.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/prune_impl.h"

static int get_container(struct cli *c, const char *ref, struct buf *ret)
{
    AUTO_FREE char *path = flag_bool(c, "size") ? api_path("/containers/%s/json?size=1", ref)
                                                : api_path("/containers/%s/json", ref);
    return api_text(c, "GET", path, NULL, ret);
}

static const struct inspection inspection = {.get = get_container};

static int run_inspect(struct cli *c)
{
    return inspect_run(c, &inspection, flag_str(c, "format"), c->args, c->nargs);
}

static const struct flag inspect_flags[] = {
    FLAG_FORMAT,
    {.name = "size", .letter = 's', .help = "Also show how much room it takes"},
    FLAG_END};
static const struct command inspect = {.name = "inspect",
                                       .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
                                       .about =
                                           "Display detailed information on one or more containers",
                                       .flags = inspect_flags,
                                       .run = run_inspect,
                                       .min = 1,
                                       .max = -1};

static const struct command *const subs[] = {&cmd_attach,
                                             &cmd_commit,
                                             &cmd_cp,
                                             &cmd_create,
                                             &cmd_diff,
                                             &cmd_exec,
                                             &inspect,
                                             &cmd_kill,
                                             &cmd_logs,
                                             &cmd_container_ls,
                                             &cmd_pause,
                                             &cmd_port,
                                             &cmd_container_prune,
                                             &cmd_rename,
                                             &cmd_restart,
                                             &cmd_rm,
                                             &cmd_run,
                                             &cmd_start,
                                             &cmd_stop,
                                             &cmd_top,
                                             &cmd_unpause,
                                             &cmd_wait,
                                             NULL};
const struct command cmd_container = {
    .name = "container", .about = "Manage containers", .subs = subs, .section = SEC_MANAGE};
