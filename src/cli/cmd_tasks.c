/* cli/cmd_tasks.c - the table of `service ps`, `node ps` and `stack ps`. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/js.h"

enum { ID_SHORT = 12, ERROR_SHORT = 30 };

static const struct column columns[] = {{"ID", "ID"},
                                        {"Name", "NAME"},
                                        {"Image", "IMAGE"},
                                        {"Node", "NODE"},
                                        {"DesiredState", "DESIRED STATE"},
                                        {"CurrentState", "CURRENT STATE"},
                                        {"Error", "ERROR"},
                                        {"Ports", "PORTS"},
                                        {NULL, NULL}};
static const struct listing listing = {
    .columns = columns,
    .table = "{{.ID}}\t{{.Name}}\t{{.Image}}\t{{.Node}}\t{{.DesiredState}}\t{{.CurrentState}}\t{{."
             "Error}}\t{{.Ports}}",
    .quiet = "{{.ID}}",
    .raw = "id: {{.ID}}\nname: {{.Name}}\nimage: {{.Image}}\nnode: {{.Node}}\ndesired_state: "
           "{{.DesiredState}}\n"
           "current_state: {{.CurrentState}}\nerror: {{.Error}}\nports: {{.Ports}}\n",
    .type = "*task.taskContext",
};

static char *task_name(struct cli *c, struct names *names, json_t *t, const struct task_view *v)
{
    const char *service = js_str(t, "ServiceID"),
               *sn = v->no_resolve ? service : name_of(c, names, "service", service);
    int64_t slot = js_int(t, "Slot");
    if (!*service)
        return mem_str(js_str(t, "ID"));
    return slot ? mem_printf("%s.%lld", sn, (long long)slot)
                : mem_printf("%s.%s", sn, js_str(t, "NodeID"));
}

static char *short_error(const char *error, bool full)
{
    if (!*error)
        return mem_str("");
    size_t n = 0, chars = 0, keep = 0;
    for (; error[n]; n++) {
        if (((unsigned char)error[n] & 0xc0) == 0x80)
            continue;
        if (chars++ == ERROR_SHORT - 1)
            keep = n;
    }
    return !full && chars > ERROR_SHORT ? mem_printf("\"%.*s…\"", (int)keep, error)
                                        : mem_printf("\"%s\"", error);
}

static char *host_ports(json_t *t)
{
    struct buf b = BUF_INIT(4096);
    json_t *p;
    size_t i;
    buf_str(&b, "");
    json_array_foreach(js_at(t, "Status.PortStatus.Ports"), i, p)
        buf_printf(&b, "%s*:%lld->%lld/%s", b.len ? "," : "", (long long)js_int(p, "PublishedPort"),
                   (long long)js_int(p, "TargetPort"), js_str(p, "Protocol"));
    return b.p ? buf_take(&b) : mem_str("");
}

static void set_capital(json_t *row, const char *key, const char *word, const char *rest)
{
    AUTO_FREE char *s = mem_printf("%s%s%s", word, *rest ? " " : "", rest);
    s[0] = (char)toupper((unsigned char)s[0]);
    js_set_str(row, key, s);
}

static json_t *task_row(struct cli *c, struct names *names, json_t *t, const struct task_view *v,
                        int64_t now)
{
    char age[AGE_SIZE];
    json_t *row = row_new(NULL);
    const char *image = js_str(t, "Spec.ContainerSpec.Image"), *id = js_str(t, "ID");
    AUTO_FREE char *name = task_name(c, names, t, v),
                   *error = short_error(js_str(t, "Status.Err"), v->no_trunc);
    AUTO_FREE char *ports = host_ports(t),
                   *cut = mem_strn(id, v->no_trunc || v->quiet ? strlen(id) : ID_SHORT);
    AUTO_FREE char *plain = mem_strn(image, v->no_trunc ? strlen(image) : strcspn(image, "@"));
    js_set_str(row, "ID", cut);
    js_set_str(row, "Name", name);
    js_set_str(row, "Image", plain);
    js_set_str(row, "Node",
               v->no_resolve ? js_str(t, "NodeID")
                             : name_of(c, names, "node", js_str(t, "NodeID")));
    set_capital(row, "DesiredState", js_str(t, "DesiredState"), "");
    set_capital(row, "CurrentState", js_str(t, "Status.State"),
                ago_lower(js_time(t, "Status.Timestamp"), now, age));
    js_set_str(row, "Error", error);
    js_set_str(row, "Ports", ports);
    js_set_str(row, "%created", js_str(t, "CreatedAt"));
    return row;
}

static int by_name_then_newest(const void *a, const void *b)
{
    json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int r = str_natural_cmp(js_str(x, "Name"), js_str(y, "Name"));
    int64_t tx = js_time(x, "%created"), ty = js_time(y, "%created");
    return r ? r : tx < ty ? 1 : tx > ty ? -1 : 0;
}

int tasks_print(struct cli *c, json_t *tasks, const struct task_view *v)
{
    size_t n = json_array_size(tasks);
    AUTO_FREE json_t **rows = mem_array(n + 1, sizeof *rows);
    AUTO_JSON json_t *list = js_own(json_array());
    struct names *names = names_new();
    const char *format = v->format, *setting = v->quiet ? NULL : format_setting(c, "tasksFormat");
    if (str_empty(format) && setting)
        format = setting;
    bool table = !v->quiet && (str_empty(format) || str_starts(format, "table"));
    for (size_t i = 0; i < n; i++)
        rows[i] = task_row(c, names, json_array_get(tasks, i), v, clock_wall_ns());
    names_free(names);
    qsort(rows, n, sizeof *rows, by_name_then_newest);
    AUTO_FREE char *before = mem_str("");
    for (size_t i = 0; i < n; i++) {
        AUTO_FREE char *name = mem_str(js_str(rows[i], "Name"));
        if (table && str_eq(name, before)) {
            AUTO_FREE char *older = mem_printf(" \\_ %s", name);
            js_set_str(rows[i], "Name", older);
        }
        free(before);
        before = TAKE(name);
        json_object_del(rows[i], "%created");
        json_array_append_new(list, rows[i]);
    }
    return list_print(c, &listing, format, v->quiet, list);
}
