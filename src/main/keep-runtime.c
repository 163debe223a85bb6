/* main/keep-runtime.c - what conmon calls as the runtime: makes a hybrid cgroup layout look plain,
 * then becomes the real runtime.
 *
 * Usage: keep-runtime /absolute/path/of/crun ARGUMENT...
 *
 * crun refuses a machine where cgroup v1 controllers and a cgroup2 mount at /sys/fs/cgroup/unified
 * live side by side. In a mount namespace of this one process the second mount is taken away; it
 * lives exactly as long as the runtime's call, so that it pins nobody's mounts. Everything else
 * stays as it was: environment, descriptors, arguments. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

static const char unified[] = "/sys/fs/cgroup/unified";

static int fail(const char *what)
{
    fprintf(stderr, "keep-runtime: %s: %s\n", what, strerror(errno));
    return 125;
}

static int is_hybrid(void)
{
    struct statfs fs;
    return statfs(unified, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int leave_hybrid(void)
{
    if (unshare(CLONE_NEWNS) != 0)
        return fail("unshare mount namespace");
    if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
        return fail("make mounts slave");
    if (umount2(unified, MNT_DETACH) != 0)
        return fail(unified);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] != '/') {
        fprintf(stderr, "usage: keep-runtime /path/of/runtime ARGUMENT...\n");
        return 125;
    }
    if (is_hybrid()) {
        int r = leave_hybrid();
        if (r != 0)
            return r;
    }
    execv(argv[1], argv + 1);
    return fail(argv[1]);
}
