/* cli/cmd_prune.c - `keep image prune` and its like: removes what nothing uses, after asking. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/js.h"
#include "cli/prune_impl.h"
#include "cli/term.h"

struct prune {
    const char *path, *warning, *title, *list;
    bool sizes;
};

static void print_removed(json_t *answer, const struct prune *p)
{
    json_t *v;
    size_t i;
    json_t *list = json_object_get(answer, p->list);
    if (!json_array_size(list))
        return;
    printf("%s:\n", p->title);
    json_array_foreach(list, i, v)
    {
        if (json_is_string(v))
            printf("%s\n", json_string_value(v));
        else if (*js_str(v, "Untagged"))
            printf("untagged: %s\n", js_str(v, "Untagged"));
        else
            printf("deleted: %s\n", js_str(v, "Deleted"));
    }
    printf("\n");
}

static int prune(struct cli *c, const struct prune *p, const char *const *filters)
{
    char size[AGE_SIZE];
    AUTO_JSON json_t *answer = NULL;
    AUTO_BUF struct buf path = BUF_INIT(1 << 20);
    AUTO_FREE char *question =
        mem_printf("WARNING! %s\nAre you sure you want to continue?", p->warning);
    if (!flag_bool(c, "force") && !prompt_yes(question))
        return 0;
    buf_str(&path, p->path);
    query_filters(&path, filters);
    int r = api_call(c, "POST", path.p, NULL, &answer);
    if (r)
        return r;
    print_removed(answer, p);
    if (p->sizes)
        printf("Total reclaimed space: %s\n",
               size_decimal((double)js_int(answer, "SpaceReclaimed"), 4, size));
    return 0;
}

static int run_image(struct cli *c)
{
    AUTO_STRV char **filters = strv_dup(flag_list(c, "filter"));
    bool all = flag_bool(c, "all");
    static const char all_text[] =
        "This will remove all images without at least one container associated to them.";
    struct prune p = {"/images/prune", all ? all_text : "This will remove all dangling images.",
                      "Deleted Images", "ImagesDeleted", true};
    strv_push(&filters, mem_str(all ? "dangling=false" : "dangling=true"));
    return prune(c, &p, (const char *const *)filters);
}

static int run_container(struct cli *c)
{
    static const struct prune p = {"/containers/prune", "This will remove all stopped containers.",
                                   "Deleted Containers", "ContainersDeleted", true};
    return prune(c, &p, flag_list(c, "filter"));
}

static int run_network(struct cli *c)
{
    static const struct prune p = {
        "/networks/prune",
        "This will remove all custom networks not used by at least one container.",
        "Deleted Networks", "NetworksDeleted", false};
    return prune(c, &p, flag_list(c, "filter"));
}

static int run_volume(struct cli *c)
{
    static const struct prune p = {
        "/volumes/prune",
        "This will remove anonymous local volumes not used by at least one container.",
        "Deleted Volumes", "VolumesDeleted", true};
    return prune(c, &p, flag_list(c, "filter"));
}

#define FLAG_FORCE                                                                                 \
    {                                                                                              \
        .name = "force", .letter = 'f', .help = "Do not ask"                                       \
    }
#define FLAG_WHICH                                                                                 \
    {                                                                                              \
        .name = "filter", .type = "filter", .help = "Only remove what these conditions match"      \
    }
static const struct flag image_flags[] = {
    {.name = "all", .letter = 'a', .help = "Also images that have a name"},
    FLAG_WHICH,
    FLAG_FORCE,
    FLAG_END};
static const struct flag flags[] = {FLAG_WHICH, FLAG_FORCE, FLAG_END};

const struct command cmd_image_prune = {.name = "prune",
                                        .usage = "[OPTIONS]",
                                        .about = "Remove unused images",
                                        .flags = image_flags,
                                        .run = run_image};
const struct command cmd_container_prune = {.name = "prune",
                                            .usage = "[OPTIONS]",
                                            .about = "Remove all stopped containers",
                                            .flags = flags,
                                            .run = run_container};
const struct command cmd_network_prune = {.name = "prune",
                                          .usage = "[OPTIONS]",
                                          .about = "Remove all unused networks",
                                          .flags = flags,
                                          .run = run_network};
const struct command cmd_volume_prune = {.name = "prune",
                                         .usage = "[OPTIONS]",
                                         .about = "Remove unused local volumes",
                                         .flags = flags,
                                         .run = run_volume};
