/* cli/cmd_image_io.c - images in and out: pull, push, load, save, import. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/image_impl.h"
#include "cli/js.h"
#include "cli/progress.h"
#include "cli/registry.h"
#include "cli/service_spec.h"

enum { MESSAGE_MAX = 4 << 20 };

struct messages {
    struct cli *c;
    struct lines lines;
    struct line_split split;
    int fd; /* what is sent, or -1 */
};

static int on_line(void *ctx, char *line, size_t n)
{
    struct messages *m = ctx;
    AUTO_JSON json_t *o = json_loadb(line, n, JSON_DISABLE_EOF_CHECK, NULL);
    return o ? lines_message(m->c, &m->lines, o) : 0;
}

static int on_data(void *ctx, const char *p, size_t n)
{
    struct messages *m = ctx;
    return line_split(&m->split, p, n);
}

static size_t from_fd(void *ctx, char *p, size_t n)
{
    struct messages *m = ctx;
    ssize_t got;
    while ((got = read(m->fd, p, n)) < 0 && errno == EINTR)
        continue;
    return got < 0 ? (size_t)-1 : (size_t)got;
}

static int message_stream(struct cli *c, struct api_stream *s, int fd, bool quiet, FILE *out)
{
    struct messages *m = NEW(struct messages);
    m->c = c;
    m->fd = fd;
    m->split = (struct line_split){.buf = BUF_INIT(MESSAGE_MAX), .on_line = on_line, .ctx = m};
    lines_init(&m->lines, out, quiet);
    s->on_data = on_data;
    s->read = fd >= 0 ? from_fd : NULL;
    s->ctx = m;
    int r = api_stream(c, s);
    if (!r && m->split.buf.len)
        r = on_line(m, m->split.buf.p, m->split.buf.len);
    buf_free(&m->split.buf);
    free(m);
    return r;
}

char *image_tagged(const char *image)
{
    return image_with_tag(image);
}

/* --- pull, push --- */

static int pull_quietly(struct cli *c, const char *image, const char *platform, bool all,
                        bool quiet, FILE *out)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_FREE char *tag = NULL, *name = image_full_name(image, &tag, &c->err);
    if (!name)
        return 1;
    AUTO_FREE char *auth = registry_auth(c, image), *line = mem_printf("X-Registry-Auth: %s", auth);
    const char *headers[] = {line, NULL};
    buf_str(&path, "/images/create");
    query_add(&path, "fromImage", name);
    if (!str_empty(platform))
        query_add(&path, "platform", platform);
    if (!all)
        query_add(&path, "tag", tag);
    struct api_stream s = {.method = "POST", .path = path.p, .headers = headers};
    return message_stream(c, &s, -1, quiet, out);
}

int image_pull(struct cli *c, const char *image, bool quiet, FILE *out)
{
    return pull_quietly(c, image, NULL, false, quiet, out);
}

static int run_pull(struct cli *c)
{
    const char *image = c->args[0];
    const char *last = strrchr(image, '/');
    bool quiet = flag_bool(c, "quiet"),
         bare = !strchr(image, '@') && !strchr(last ? last : image, ':');
    AUTO_FREE char *tag = NULL, *full = image_full_name(image, &tag, &c->err);
    if (!full)
        return 1;
    if (flag_bool(c, "all-tags") && !bare)
        return err_set(&c->err, -EINVAL, "tag can't be used with --all-tags/-a");
    if (bare && !flag_bool(c, "all-tags") && !quiet)
        printf("Using default tag: latest\n");
    fflush(stdout);
    int r =
        pull_quietly(c, image, flag_str(c, "platform"), flag_bool(c, "all-tags"), quiet, stdout);
    if (!r)
        printf("%s:%s\n", full, tag);
    return r;
}

static const struct flag pull_flags[] = {
    {.name = "all-tags", .letter = 'a', .help = "Fetch every tag of the repository"},
    {.name = "disable-content-trust", .help = "Do not check signatures", .def = "true"},
    {.name = "platform", .type = "string", .help = "Platform of the image"},
    {.name = "quiet", .letter = 'q', .help = "Show no progress"},
    FLAG_END,
};
const struct command cmd_pull = {.name = "pull",
                                 .paths = "keep image pull, keep pull",
                                 .usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
                                 .about = "Download an image from a registry",
                                 .flags = pull_flags,
                                 .run = run_pull,
                                 .min = 1,
                                 .max = 1,
                                 .section = SEC_COMMON};

static int run_push(struct cli *c)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_FREE char *tag = NULL, *full = image_full_name(c->args[0], &tag, &c->err);
    if (!full)
        return 1;
    AUTO_FREE char *auth = registry_auth(c, c->args[0]),
                   *line = mem_printf("X-Registry-Auth: %s", auth);
    AUTO_FREE char *name = api_path("/images/%s/push", full);
    const char *headers[] = {line, NULL};
    buf_str(&path, name);
    if (!flag_bool(c, "all-tags"))
        query_add(&path, "tag", tag);
    struct api_stream s = {.method = "POST", .path = path.p, .headers = headers};
    int r = message_stream(c, &s, -1, flag_bool(c, "quiet"), stdout);
    if (!r && flag_bool(c, "quiet"))
        printf("%s:%s\n", full, tag);
    return r;
}

static const struct flag push_flags[] = {
    {.name = "all-tags", .letter = 'a', .help = "Send every tag of the repository"},
    {.name = "disable-content-trust", .help = "Do not sign", .def = "true"},
    {.name = "quiet", .letter = 'q', .help = "Show no progress"},
    FLAG_END,
};
const struct command cmd_push = {.name = "push",
                                 .paths = "keep image push, keep push",
                                 .usage = "[OPTIONS] NAME[:TAG]",
                                 .about = "Upload an image to a registry",
                                 .flags = push_flags,
                                 .run = run_push,
                                 .min = 1,
                                 .max = 1,
                                 .section = SEC_COMMON};

/* --- load, import --- */

static int open_input(struct cli *c, const char *file, int *ret)
{
    if (str_empty(file) || str_eq(file, "-")) {
        *ret = fcntl(0, F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? err_sys(&c->err, errno, "standard input") : 0;
    }
    *ret = open(file, O_RDONLY | O_CLOEXEC);
    if (*ret >= 0)
        return 0;
    return err_set(&c->err, -errno, "open %s: %s", file,
                   errno == ENOENT   ? "no such file or directory"
                   : errno == EACCES ? "permission denied"
                                     : strerror(errno));
}

static int run_load(struct cli *c)
{
    const char *file = flag_str(c, "input");
    bool quiet = flag_bool(c, "quiet") || !isatty(1);
    AUTO_CLOSE int fd = -1;
    if (str_empty(file) && isatty(0))
        return err_set(&c->err, -EINVAL, "requested load from stdin, but stdin is empty");
    int r = open_input(c, file, &fd);
    if (r)
        return r;
    struct api_stream s = {.method = "POST",
                           .path = quiet ? "/images/load?quiet=1" : "/images/load?quiet=0"};
    return message_stream(c, &s, fd, false, stdout);
}

static const struct flag load_flags[] = {
    {.name = "input",
     .letter = 'i',
     .type = "string",
     .help = "Read this tar archive instead of STDIN"},
    {.name = "quiet", .letter = 'q', .help = "Show no progress"},
    FLAG_END,
};
const struct command cmd_load = {.name = "load",
                                 .paths = "keep image load, keep load",
                                 .usage = "[OPTIONS]",
                                 .about = "Load an image from a tar archive or STDIN",
                                 .flags = load_flags,
                                 .run = run_load};

static int run_import(struct cli *c)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    const char *from = c->args[0];
    bool url = str_starts(from, "http://") || str_starts(from, "https://");
    AUTO_CLOSE int fd = -1;
    int r = url ? 0 : open_input(c, from, &fd);
    if (r)
        return r;
    if (c->nargs == 2) {
        AUTO_FREE char *tag = NULL, *full = image_full_name(c->args[1], &tag, &c->err);
        if (!full)
            return 1;
    }
    buf_str(&path, "/images/create");
    for (const char *const *v = flag_list(c, "change"); *v; v++)
        query_add(&path, "changes", *v);
    query_add(&path, "fromSrc", url ? from : "-");
    if (!str_empty(flag_str(c, "message")))
        query_add(&path, "message", flag_str(c, "message"));
    if (!str_empty(flag_str(c, "platform")))
        query_add(&path, "platform", flag_str(c, "platform"));
    if (c->nargs == 2)
        query_add(&path, "repo", c->args[1]);
    struct api_stream s = {.method = "POST", .path = path.p, .content_type = "text/plain"};
    return message_stream(c, &s, fd, false, stdout);
}

static const struct flag import_flags[] = {
    {.name = "change",
     .letter = 'c',
     .type = "list",
     .help = "Dockerfile instruction for the new image"},
    {.name = "message", .letter = 'm', .type = "string", .help = "Why it was made"},
    {.name = "platform", .type = "string", .help = "Platform of the image"},
    FLAG_END,
};
const struct command cmd_import = {
    .name = "import",
    .paths = "keep image import, keep import",
    .usage = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    .about = "Import the contents from a tarball to create a filesystem image",
    .flags = import_flags,
    .run = run_import,
    .min = 1,
    .max = 2};

/* --- save --- */

static int to_file(void *ctx, const char *p, size_t n)
{
    return fwrite(p, 1, n, ctx) == n ? 0 : -EIO;
}

static int run_save(struct cli *c)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    const char *file = flag_str(c, "output");
    if (str_empty(file) && isatty(1))
        return err_set(&c->err, -EINVAL,
                       "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    buf_str(&path, "/images/get");
    for (size_t i = 0; i < c->nargs; i++)
        query_add(&path, "names", c->args[i]);
    /* the file gets its name only when it is complete */
    AUTO_FREE char *part = str_empty(file) ? NULL : mem_printf("%s.part-%d", file, (int)getpid());
    AUTO_FCLOSE FILE *f = part ? fopen(part, "wxe") : NULL;
    if (part && !f)
        return err_sys(&c->err, errno, "%s", file);
    struct api_stream s = {
        .method = "GET", .path = path.p, .on_data = to_file, .ctx = f ? f : stdout};
    int r = api_stream(c, &s);
    if (r == -EIO)
        r = err_set(&c->err, r, "write error");
    if (f && !r && (fflush(f) || rename(part, file)))
        r = err_sys(&c->err, errno, "%s", file);
    if (f && r)
        unlink(part);
    return r;
}

static const struct flag save_flags[] = {
    {.name = "output",
     .letter = 'o',
     .type = "string",
     .help = "Write to this file instead of STDOUT"},
    FLAG_END,
};
const struct command cmd_save = {
    .name = "save",
    .paths = "keep image save, keep save",
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .about = "Save one or more images to a tar archive (streamed to STDOUT by default)",
    .flags = save_flags,
    .run = run_save,
    .min = 1,
    .max = -1};
