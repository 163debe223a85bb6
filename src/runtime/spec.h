/* runtime/spec.h - a container said as an OCI bundle's config.json, and an exec'd process as an OCI
 * process: pure.
 *
 * Paths that come from outside (mount targets) are given resolved: no link is left in them
 * (runtime/rootfs.h). */
#ifndef RUNTIME_SPEC_H
#define RUNTIME_SPEC_H
#include "base/buf.h"
#include "runtime/caps.h"
#include "runtime/runtime.h"
#include "runtime/user.h"

enum { SPEC_MAX = 8 << 20 };

struct spec_bind { /* a file or directory of ours (or the user's) shown inside */
    char *source, *target;
    bool readonly, hardened; /* hardened: nosuid, nodev, noexec too */
    const char *propagation; /* NULL: rprivate */
};
struct spec_input {
    const struct container *c;
    const char *rootfs; /* the merged mount */
    const char *netns;  /* NULL: the daemon's own network */
    const char *hostname;
    const char *cgroup_path;
    const struct user_ids *user;
    caps_set caps;
    const char *seccomp_program;   /* for crun: the policy compiled ahead, or NULL */
    const struct spec_bind *binds; /* everything but tmpfs mounts of the config */
    size_t nbinds;
    char *const *tmpfs_targets; /* parallel to config->mounts; NULL entries for binds */
};
MUST_CHECK int spec_write(const struct spec_input *in, struct buf *ret, struct err *e);
/* The process of an exec: its own env on top of the container's, user and workdir already chosen.
 */
void spec_write_exec(const struct spec_input *in, const struct exec_config *x, const char *workdir,
                     struct buf *ret);
/* "nofile=1024:2048" -> name "RLIMIT_NOFILE". 0 or -EINVAL. */
MUST_CHECK int spec_parse_ulimit(const char *s, char ret_name[32], uint64_t *ret_soft,
                                 uint64_t *ret_hard);
char **spec_env_merge(const char *const *base,
                      const char *const *more); /* same key replaces in place; no "=" dropped */
#endif
