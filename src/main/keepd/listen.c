/* main/keepd/listen.c - see listen.h. */
#include "main/keepd/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"

enum { BACKLOG = 1024, INHERITED_FIRST = 3 };

static int take_group(const char *path, const char *group, struct err *e)
{
    if (!group)
        return 0;
    errno = 0;
    const struct group *gr = getgrnam(group);
    if (!gr)
        return err_set(e, -ENOENT,
                       "--group %s: there is no such group; create it with 'groupadd --system %s'",
                       group, group);
    if (chown(path, 0, gr->gr_gid) < 0 || chmod(path, 0660) < 0)
        return err_sys(e, errno, "'%s'", path);
    return 0;
}

/* Somebody answers there; or what lies there is no socket. */
static int refuse_if_used(const struct sockaddr_un *sa, struct err *e)
{
    struct stat st;
    if (lstat(sa->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "'%s'", sa->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, -EEXIST,
                       "'%s' is there and is no socket: remove it, or give another --host",
                       sa->sun_path);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
        return err_set(e, -EADDRINUSE,
                       "another program listens on '%s': stop it, or give another --host",
                       sa->sun_path);
    if (unlink(sa->sun_path) < 0)
        return err_sys(e, errno, "remove the old socket '%s'", sa->sun_path);
    return 0;
}

static int make_parent(const char *path, struct err *e)
{
    AUTO_FREE char *dir = mem_str(path);
    char *slash = strrchr(dir, '/');
    if (!slash || slash == dir)
        return 0;
    *slash = '\0';
    return file_mkdirs(dir, 0755, e);
}

int listen_unix(const char *host, const char *group, int *ret_fd, struct err *e)
{
    const char *path = host + strlen("unix://");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (str_copy(sa.sun_path, sizeof(sa.sun_path), path) >= sizeof(sa.sun_path))
        return err_set(e, -ENAMETOOLONG, "--host %s: longer than a socket address can be", host);
    int r = make_parent(path, e);
    if (r == 0)
        r = refuse_if_used(&sa, e);
    if (r < 0)
        return r;
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    mode_t mask = umask(0177);
    r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
    int bind_errno = errno;
    umask(mask);
    if (r < 0)
        return err_sys(e, bind_errno, "listen on '%s'", path);
    r = take_group(path, group, e);
    if (r < 0) {
        unlink(path);
        return r;
    }
    if (listen(fd, BACKLOG) < 0)
        return err_sys(e, errno, "listen on '%s'", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int listen_inherited(int *ret_fds, int max, int *ret_n, struct err *e)
{
    uint64_t n, pid;
    const char *fds = getenv("LISTEN_FDS"), *who = getenv("LISTEN_PID");
    if (!fds || !who || str_to_u64(who, INT32_MAX, &pid) != 0 || (pid_t)pid != getpid() ||
        str_to_u64(fds, (uint64_t)max, &n) != 0 || n == 0)
        return err_set(e, -ENOENT,
                       "--host fd://: no service manager handed over a socket (LISTEN_FDS); start "
                       "the .socket unit");
    for (int i = 0; i < (int)n; i++) {
        if (fcntl(INHERITED_FIRST + i, F_SETFD, FD_CLOEXEC) < 0)
            return err_sys(e, errno, "--host fd://: descriptor %d", INHERITED_FIRST + i);
        ret_fds[i] = INHERITED_FIRST + i;
    }
    *ret_n = (int)n;
    return 0;
}

int lock_dir(const char *dir, const char *flag, struct err *e)
{
    AUTO_FREE char *path = mem_printf("%s/lock", dir);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, errno, "'%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(e, -EBUSY, "another keepd uses %s: give this one another --%s", dir,
                             flag)
                   : err_sys(e, errno, "lock '%s'", path);
    (void)TAKE_FD(fd); /* held until the process ends */
    return 0;
}

int write_pidfile(const char *path, struct err *e)
{
    AUTO_FREE char *text = mem_printf("%d\n", (int)getpid());
    int r = make_parent(path, e);
    if (r == 0)
        r = file_replace(path, text, strlen(text), 0644, e);
    return r;
}
