/* image/disk.c - openat2, whole reads, and removal from the pool. */
#include "image/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "loop/file.h"

int disk_open_beneath(int dirfd, const char *path, int flags, unsigned mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

int disk_mkdir(const char *path, unsigned mode, struct err *e)
{
    if (mkdir(path, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return err_sys(e, errno, "cannot make %s", path);
    AUTO_CLOSE int fd = open(path, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_RDONLY);
    if (fd < 0 || fchmod(fd, mode) < 0) /* a directory that was left too open is closed again */
        return err_sys(e, errno, "cannot use %s", path);
    return 0;
}

int disk_sync_dir(const char *path, struct err *e)
{
    AUTO_CLOSE int fd = open(path, O_DIRECTORY | O_CLOEXEC | O_RDONLY);
    if (fd < 0 || fsync(fd) < 0)
        return err_sys(e, errno, "cannot make %s durable", path);
    return 0;
}

int disk_read(int fd, struct buf *b)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        buf_append(b, chunk, (size_t)n);
        if (b->failed)
            return -EFBIG;
    }
}

struct removal {
    uv_work_t work;
    char *path;
};

static void removal_run(uv_work_t *w)
{
    struct removal *x = w->data;
    struct err e = {0};
    if (file_remove_tree(x->path, &e) < 0)
        log_warn("%s", err_text(&e));
}

static void removal_done(uv_work_t *w, int status)
{
    struct removal *x = w->data;
    (void)status;
    free(x->path);
    free(x);
}

void disk_remove_later(uv_loop_t *loop, const char *path)
{
    struct removal *x = NEW(struct removal);
    x->path = mem_str(path);
    x->work.data = x;
    if (uv_queue_work(loop, &x->work, removal_run, removal_done) < 0) {
        removal_run(&x->work);
        removal_done(&x->work, 0);
    }
}
