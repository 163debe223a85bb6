/* image/unpack.c - the unpacking child: its jail, its two processes, its report. */
#include "image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/disk.h"
#include "image/image.h"

enum { FD_ARCHIVE = 0, FD_REPORT = 1, FD_DIR = 3 };
enum {
    WORKER_MEMORY_MAX = 1536 << 20, /* xz and zstd windows, names of directories */
    WORKER_SECONDS_MAX = 3600,
    WORKER_FILES_MAX = 64,
};

/* ---- the report ---- */

void unpack_report(const char *fmt, ...)
{
    char line[2 * (3 * UNPACK_PATH_MAX + 1) + 128]; /* two encoded names */
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line - 1, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line - 1)
        _exit(3);
    for (int i = 0; i < n; i++) /* an error may quote a name of the archive */
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '?';
    line[n++] = '\n';
    for (const char *p = line; n > 0;) {
        ssize_t w = write(FD_REPORT, p, (size_t)n);
        if (w < 0 && errno != EINTR)
            _exit(3); /* nobody reads: the job was given up */
        if (w > 0)
            p += w, n -= (int)w;
    }
}

void unpack_encode(const char *name, char *ret, size_t size)
{
    char *p = ret, *end = ret + size - 4;
    for (; *name && p < end; name++) {
        unsigned char c = (unsigned char)*name;
        if (c > ' ' && c < 127 && c != '%')
            *p++ = (char)c;
        else
            p += snprintf(p, 4, "%%%02x", c);
    }
    *p = '\0';
}

/* ---- the jail ---- */

/* The directory becomes the root, alone: what is above it is unmounted, so that no descriptor or
 * path leads there. */
static int enter_jail(struct err *e)
{
    char path[UNPACK_PATH_MAX + 1];
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) < 0)
        return err_sys(e, errno, "cannot isolate the unpacking (root is needed)");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(e, errno, "cannot isolate the unpacking: private mounts");
    if (fchdir(FD_DIR) < 0 || !getcwd(path, sizeof path))
        return err_sys(e, errno, "cannot enter the directory to unpack into");
    close(FD_DIR);
    if (mount(path, path, NULL, MS_BIND, NULL) < 0 || chdir(path) < 0)
        return err_sys(e, errno, "cannot isolate the unpacking: bind");
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount(NULL, ".", NULL, flags, NULL) < 0)
        return err_sys(e, errno, "cannot isolate the unpacking: remount");
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return err_sys(e, errno, "cannot isolate the unpacking: pivot_root");
    return 0;
}

static int limit(int what, rlim_t max)
{
    struct rlimit r = {.rlim_cur = max, .rlim_max = max}, now;
    if (getrlimit((__rlimit_resource_t)what, &now) < 0)
        return -errno;
    if (now.rlim_max < max) /* lower already */
        return 0;
    return setrlimit((__rlimit_resource_t)what, &r) < 0 ? -errno : 0;
}

static int drop_rights(uint64_t keep, struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
        {.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)},
    };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, errno, "cannot drop rights");
    for (unsigned long c = 0; c <= CAP_LAST_CAP; c++)
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL)
            return err_sys(e, errno, "cannot drop rights");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        syscall(SYS_capset, &head, data) < 0)
        return err_sys(e, errno, "cannot drop rights");
    return 0;
}

static int confine_worker(bool layer, uint64_t bytes_max, struct err *e)
{
    uint64_t keep = 0;
    if (layer)
        keep = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER |
               1ULL << CAP_FSETID | 1ULL << CAP_SETFCAP;
    int r = limit(RLIMIT_CORE, 0);
    if (r == 0)
        r = limit(RLIMIT_FSIZE, bytes_max);
    if (r == 0)
        r = limit(RLIMIT_CPU, WORKER_SECONDS_MAX);
    if (r == 0)
        r = limit(RLIMIT_NOFILE, WORKER_FILES_MAX);
#ifndef __SANITIZE_ADDRESS__ /* which reserves terabytes of addresses */
    if (r == 0)
        r = limit(RLIMIT_AS, WORKER_MEMORY_MAX);
#endif
    if (r < 0)
        return err_sys(e, -r, "cannot limit the unpacking");
    return drop_rights(keep, e);
}

/* ---- the worker ---- */

static int layer_entries(struct feed *f, struct tree *t, struct err *e)
{
    struct archive *a = NULL;
    struct archive_entry *en;
    int r = feed_tar(f, &a, e);
    while (r == 0) {
        int x = archive_read_next_header(a, &en);
        if (x == ARCHIVE_EOF)
            break;
        if (x != ARCHIVE_OK && x != ARCHIVE_WARN)
            r = feed_error(f, a, e);
        else
            r = tree_add(t, a, en, e);
    }
    archive_read_free(a);
    return r;
}

static int layer_unpack(struct feed *f, int root, int opaque_fd, uint64_t max, uint64_t *ret_bytes,
                        struct err *e)
{
    struct tree *t = tree_new(root, opaque_fd, max);
    int r = layer_entries(f, t, e);
    if (r == 0)
        r = feed_drain(f, e);
    if (r == 0)
        r = tree_finish(t, e);
    *ret_bytes = tree_bytes(t);
    tree_free(t);
    return r;
}

/* What the worker tells the process above it: paths to be made opaque, and at the end "\n<bytes>
 * <hex>". */
static int worker_run(bool layer, uint64_t max, int to_parent, struct err *e)
{
    struct feed f;
    char hex[DIGEST_HEX_SIZE] = "-";
    uint64_t bytes = 0;
    int root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_sys(e, errno, "cannot open the directory to unpack into");
    int r = confine_worker(layer, max, e);
    if (r < 0)
        return r;
    /* an uncompressed tar has up to a kilobyte of headers for each file */
    r = feed_open(&f, FD_ARCHIVE, max + (uint64_t)IMAGE_ENTRIES_MAX * 1024, layer);
    if (r < 0)
        err_set(e, r, "%s", err_text(&f.err));
    else if (layer)
        r = layer_unpack(&f, root, to_parent, max, &bytes, e);
    else
        r = outer_unpack(&f, root, max, &bytes, e);
    if (r == 0 && f.hash)
        digest_end(TAKE(f.hash), hex);
    feed_close(&f);
    if (r < 0)
        return r;
    char end[128];
    int n = snprintf(end, sizeof end, "\n%llu %s", (unsigned long long)bytes, hex);
    if (write(to_parent, end, (size_t)n + 1) != n + 1)
        return err_sys(e, errno, "cannot report");
    return 0;
}

/* ---- the process above the worker ---- */

static int mark_opaque(int root, const char *path, struct err *e)
{
    AUTO_CLOSE int fd = disk_open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return err_sys(e, -fd, "cannot mark %.200s", path);
    if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
        return err_sys(e, errno, "cannot mark %.200s", path);
    return 0;
}

static int serve_worker(FILE *from, char *end, size_t size, struct err *e)
{
    AUTO_FREE char *path = NULL;
    size_t cap = 0;
    AUTO_CLOSE int root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = root < 0 ? err_sys(e, errno, "cannot open the root") : 0;
    *end = '\0';
    while (r == 0 && getdelim(&path, &cap, '\0', from) > 0) {
        if (*path == '\n')
            str_copy(end, size, path + 1);
        else
            r = mark_opaque(root, path, e);
    }
    return r;
}

/* The files must be on the disk before the layer gets its name. */
static int make_durable(struct err *e)
{
    AUTO_CLOSE int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) < 0)
        return err_sys(e, errno, "cannot write the layer to the disk");
    return 0;
}

static int await_worker(pid_t pid, struct err *e)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, errno, "cannot wait for the unpacking");
    if (WIFSIGNALED(status))
        return err_set(e, -EPROTO, "the unpacking passed its limits (signal %d)", WTERMSIG(status));
    return WEXITSTATUS(status) == 0 ? 0 : -ECANCELED; /* the worker said why */
}

static int supervise(bool layer, uint64_t max, struct err *e)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid < 0)
        return err_sys(e, errno, "cannot start the unpacking");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        close(p[0]);
        int r = worker_run(layer, max, p[1], e);
        if (r < 0)
            unpack_report("error %s", err_text(e));
        _exit(r < 0 ? 1 : 0);
    }
    close(p[1]);
    char end[128];
    AUTO_FCLOSE FILE *from = fdopen(p[0], "r");
    if (!from)
        return err_sys(e, errno, "cannot read the report");
    int r = serve_worker(from, end, sizeof end, e);
    if (r < 0)
        kill(pid, SIGKILL);
    int w = await_worker(pid, r < 0 ? NULL : e);
    if (r == 0)
        r = w;
    if (r == 0 && layer)
        r = make_durable(e);
    if (r == 0)
        unpack_report("done %s", end);
    return r;
}

int image_unpack_main(int argc, char **argv)
{
    struct err e = {0};
    uint64_t max = 0;
    char hex[DIGEST_HEX_SIZE];
    bool layer = argc == 4 && str_eq(argv[2], "layer");
    log_init("image-unpack", LOG_WARN);
    if (argc != 4 || (!layer && !str_eq(argv[2], "archive")) ||
        str_to_u64(argv[3], IMAGE_BYTES_MAX, &max) != 0) {
        fprintf(stderr, "image-unpack is started by the daemon, not by hand\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    umask(0);
    if (!setlocale(LC_CTYPE,
                   "C.UTF-8")) /* names are bytes; libarchive would drop what its locale lacks */
        log_warn("locale C.UTF-8 is missing: names that are not ASCII may be refused");
    digest_of("", 0, hex); /* libcrypto reads its configuration now, not in the jail */
    int r = enter_jail(&e);
    if (r == 0)
        r = supervise(layer, max, &e);
    if (r < 0 && e.text[0])
        unpack_report("error %s", err_text(&e));
    fflush(NULL);
    _exit(r < 0 ? 1 : 0);
}
