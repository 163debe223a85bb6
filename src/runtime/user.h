/* runtime/user.h - who a container's process runs as: "name", "uid", "name:group", looked up in the
 * image's own files.
 *
 * The text of /etc/passwd and /etc/group comes from a stranger: lines that are not well formed are
 * skipped, never read as user 0. Ids lie between 0 and USER_ID_MAX, as the engine has it. */
#ifndef RUNTIME_USER_H
#define RUNTIME_USER_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum { USER_ID_MAX = 2147483647, USER_GROUPS_MAX = 1024, USER_FILE_MAX = 4 << 20 };

struct user_ids {
    uint32_t uid, gid;
    uint32_t *groups; /* gid first, then the others, each once */
    size_t ngroups;
    char *home; /* of the passwd entry, else "/" */
};
void user_ids_done(struct user_ids *u);

/* spec NULL or "": root. passwd and group: the files' content, or NULL. extra: more groups by name
 * or number, may be NULL. -EINVAL with the engine's words. */
MUST_CHECK int user_find(const char *spec, const char *passwd, const char *group,
                         const char *const *extra, struct user_ids *ret, struct err *e);
#endif
