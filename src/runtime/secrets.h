/* runtime/secrets.h - secrets as files in memory: a tmpfs for one container, filled before it
 * starts, wiped after it ends.
 *
 * <dir> is <exec-root>/secrets/<id>; its parent is 0700. In it: dir/ holds what lies below
 * /run/secrets and is bound there as a whole; file/<n> holds each other target, bound alone. The
 * mount takes no page of swap: noswap, or ramfs where the kernel has no such option. Files appear
 * under their name with final owner, mode and content. Blocking: memory only. */
#ifndef RUNTIME_SECRETS_H
#define RUNTIME_SECRETS_H
#include "runtime/runtime.h"
#include "runtime/spec.h"

#define SECRETS_DIR "/run/secrets"
enum { SECRETS_MAX = 4096 };

/* Cleans and checks the targets in place. -EINVAL: not absolute, control bytes, a mount of the
 * kernel, two alike. */
MUST_CHECK int secrets_check(struct secret_file *files, size_t n, struct err *e);
/* All or nothing. payloads: parallel to files, borrowed. */
MUST_CHECK int secrets_mount(const char *dir, const struct secret_file *files,
                             struct secret_buf *const *payloads, size_t n, struct err *e);
/* What has to be bound where; each source and target malloc'ed. ret has room for n + 1. Count. */
size_t secrets_binds(const char *dir, const struct secret_file *files, size_t n,
                     struct spec_bind *ret);
/* Overwrites, unlinks, unmounts and removes; nothing there is success. Tells the first error, and
 * goes on after it. */
int secrets_wipe(const char *dir, struct err *e);
/* For tests: the file system that is used where noswap is refused. */
MUST_CHECK int secrets_mount_fs(const char *dir, size_t bytes, size_t files, bool no_noswap,
                                struct err *e);
#endif
