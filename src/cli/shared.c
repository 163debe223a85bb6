/* cli/shared.c - what several commands need: lists, payloads, names by id, settings of the client.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/js.h"
#include "cli/term.h"

int get_list(struct cli *c, const char *path, json_t **ret)
{
    AUTO_BUF struct buf p = BUF_INIT(1 << 20);
    buf_str(&p, path);
    query_filters(&p, flag_list(c, "filter"));
    return api_get(c, p.p, ret);
}

char *own_node_id(struct cli *c)
{
    AUTO_JSON json_t *info = NULL;
    if (api_get(c, "/info", &info))
        return NULL;
    const char *id = js_str(info, "Swarm.NodeID");
    if (!*id) {
        /* outside a swarm the engine has the better sentence */
        AUTO_JSON json_t *none = NULL;
        if (!api_get(c, "/nodes", &none))
            (void)err_set(&c->err, -ENOENT, "node ID not found in /info");
        return NULL;
    }
    return mem_str(id);
}

const char *format_setting(struct cli *c, const char *key)
{
    static json_t *settings;
    static bool tried;
    if (!tried) {
        tried = true;
        const char *dir = str_or(global_str(c, "config"), getenv("DOCKER_CONFIG")),
                   *home = getenv("HOME");
        AUTO_FREE char *path = !str_empty(dir)
                                   ? mem_printf("%s/config.json", dir)
                                   : mem_printf("%s/.docker/config.json", str_or(home, ""));
        settings = json_load_file(path, 0, NULL);
    }
    const char *s = json_string_value(json_object_get(settings, key));
    return str_empty(s) ? NULL : s;
}

static int read_all(struct cli *c, int fd, const char *what, size_t limit, struct secret_buf *s)
{
    for (;;) {
        size_t have = secret_buf_len(s), want = limit - have < 65536 ? limit - have : 65536;
        uint8_t *room = want ? secret_buf_room(s, want) : NULL;
        if (!room)
            return 0; /* what is too long for the engine is refused by the engine */
        ssize_t n = read(fd, room, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(&c->err, -errno, "error reading from %s: read %s: %s", what, what,
                           errno == EISDIR ? "is a directory" : strerror(errno));
        if (n == 0)
            return 0;
        secret_buf_grown(s, (size_t)n);
    }
}

int read_payload(struct cli *c, const char *source, size_t limit, struct secret_buf **ret)
{
    bool in = str_eq(source, "-");
    const char *what = in ? "STDIN" : source;
    AUTO_CLOSE int fd = in ? -1 : open(source, O_RDONLY | O_CLOEXEC);
    if (!in && fd < 0)
        return err_set(&c->err, -errno, "error reading from %s: open %s: %s", source, source,
                       errno == ENOENT   ? "no such file or directory"
                       : errno == EACCES ? "permission denied"
                                         : strerror(errno));
    AUTO_SECRET struct secret_buf *s = secret_buf_new(limit);
    if (!s)
        return err_set(&c->err, -ENOMEM,
                       "out of locked memory: raise the limit of locked memory (ulimit -l)");
    int r = in && isatty(0) ? prompt_twice("Enter secret: ", "Repeat secret: ", s, &c->err)
                            : read_all(c, in ? 0 : fd, what, limit, s);
    if (r)
        return r;
    if (!secret_buf_len(s))
        return err_set(&c->err, -EINVAL, "error reading from %s: data is empty", what);
    *ret = TAKE(s);
    return 0;
}

/* --- names --- */

struct names {
    json_t *known;
};

struct names *names_new(void)
{
    struct names *n = NEW(struct names);
    n->known = js_own(json_object());
    return n;
}

void names_free(struct names *n)
{
    if (n)
        json_decref(n->known);
    free(n);
}

static char *ask_name(struct cli *c, const char *kind, const char *id)
{
    AUTO_JSON json_t *o = NULL;
    bool node = str_eq(kind, "node");
    AUTO_FREE char *path =
        node ? api_path("/nodes/%s", id) : api_path("/services/%s?insertDefaults=false", id);
    struct err keep = c->err;
    if (api_get(c, path, &o)) {
        c->err = keep; /* gone meanwhile: its id is all there is to show */
        return mem_str(id);
    }
    const char *name = js_str(o, "Spec.Name");
    if (node && !*name)
        name = js_str(o, "Description.Hostname");
    return mem_str(str_or(name, id));
}

const char *name_of(struct cli *c, struct names *n, const char *kind, const char *id)
{
    if (!*id)
        return "";
    if (!json_object_get(n->known, id)) {
        AUTO_FREE char *name = ask_name(c, kind, id);
        js_set_str(n->known, id, name);
    }
    return js_str(n->known, id);
}

void warn_answer(json_t *answer)
{
    json_t *w;
    size_t i;
    json_array_foreach(json_object_get(answer, "Warnings"), i, w)
        fprintf(stderr, "%s\n", str_or(json_string_value(w), ""));
}
