/* main/keep-manager/drop.c - see drop.h. Order matters: the bounding set goes while CAP_SETPCAP is
 * still there, the ids while CAP_SETUID is. */
#include "main/keep-manager/drop.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int empty_bounding_set(struct err *e)
{
    for (unsigned long cap = 0; cap < 64; cap++) {
        int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (has < 0)
            break; /* past the last one that this kernel knows */
        if (has && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return err_sys(e, errno, "drop capability %lu from the bounding set", cap);
    }
    return 0;
}

static int find(const char *user, const struct passwd **ret, struct err *e)
{
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (!pw)
        return err_set(e, -ENOENT, "there is no user '%s'", user);
    if (pw->pw_uid == 0 || pw->pw_gid == 0)
        return err_set(e, -EINVAL, "user '%s' is root or of root's group", user);
    *ret = pw;
    return 0;
}

static int enclose(const char *dir, struct err *e)
{
    if (chdir(dir) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return err_sys(e, errno, "'%s'", dir);
    return 0;
}

static int become(const struct passwd *pw, struct err *e)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_sys(e, errno, "keep capabilities");
    if (setgroups(0, NULL) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
        return err_sys(e, errno, "become user '%s'", pw->pw_name);
    return 0;
}

/* Only what remains of `wanted` in the permitted set is asked for: an ordinary user has none. */
static int keep_capabilities(uint64_t wanted, struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &head, data) < 0)
        return err_sys(e, errno, "capget");
    for (int i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(wanted >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &head, data) < 0)
        return err_sys(e, errno, "capset");
    return 0;
}

int drop_to(const char *user, const char *dir, const char **ret_dir, struct err *e)
{
    const struct passwd *pw = NULL;
    int r = 0;
    umask(077);
    *ret_dir = dir;
    if (geteuid() == 0) {
        r = find(user, &pw, e); /* reads /etc, which is out of sight afterwards */
        if (r == 0)
            r = enclose(dir, e);
        if (r == 0)
            r = empty_bounding_set(e);
        if (r == 0)
            r = become(pw, e);
        *ret_dir = "/";
    }
    if (r == 0)
        r = keep_capabilities(1ULL << CAP_IPC_LOCK, e);
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = err_sys(e, errno, "no_new_privs");
    if (r == 0 && geteuid() == 0)
        r = err_set(e, -EPERM, "still root");
    return r;
}
