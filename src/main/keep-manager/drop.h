/* main/keep-manager/drop.h - gives up root before anything of a stranger's is read.
 *
 * Afterwards: the directory is the root of the file system that the process sees (nothing else can
 * be opened, and no right to pass through the directories above is needed), the given user and its
 * group alone, no capability but CAP_IPC_LOCK (locked memory), an empty bounding set, no_new_privs,
 * umask 077. A process that was not root to begin with keeps its user and its view of the files. */
#ifndef MAIN_KEEP_MANAGER_DROP_H
#define MAIN_KEEP_MANAGER_DROP_H
#include "base/err.h"

/* *ret_dir: what `dir` is called from now on. */
MUST_CHECK int drop_to(const char *user, const char *dir, const char **ret_dir, struct err *e);
#endif
