/* network/netns.c - unshare, bind mount, back. */
#include "network/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"

#define OWN_NETNS "/proc/thread-self/ns/net"

bool netns_is_pinned(const char *path)
{
    struct statfs st;
    return statfs(path, &st) == 0 && st.f_type == NSFS_MAGIC;
}

void netns_release(const char *path)
{
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    unlink(path);
}

/* Called in the new namespace. */
static int pin_and_open(const char *path, int *ret_fd, struct rtnl **ret_inside, struct err *e)
{
    if (mount(OWN_NETNS, path, NULL, MS_BIND, NULL) < 0)
        return err_sys(e, errno, "cannot pin the namespace at %s", path);
    AUTO_CLOSE int fd = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "cannot open the namespace");
    int r = rtnl_open(ret_inside, e);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

int netns_create(const char *path, int *ret_fd, struct rtnl **ret_inside, struct err *e)
{
    netns_release(path);
    AUTO_CLOSE int own = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (own < 0 || file < 0)
        return err_sys(e, errno, "cannot make %s", path);
    if (unshare(CLONE_NEWNET) < 0) {
        int x = errno;
        unlink(path);
        return err_sys(e, x, "cannot make a network namespace (root is needed)");
    }
    int r = pin_and_open(path, ret_fd, ret_inside, e);
    if (setns(own, CLONE_NEWNET) < 0) {
        log_error("cannot return to the network namespace: %s", strerror(errno));
        abort();
    }
    if (r < 0)
        netns_release(path);
    return r;
}
