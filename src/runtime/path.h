/* runtime/path.h - absolute paths inside a container, as text: pure.
 *
 * Nothing here looks at a disk; what a path means inside an image is decided by runtime/rootfs.h.
 */
#ifndef RUNTIME_PATH_H
#define RUNTIME_PATH_H
#include <stdbool.h>

enum { RUNTIME_PATH_MAX = 4096 };

/* "/a//./b/../c/" -> "/a/c"; ".." at the top stays at the top. NULL when s is not absolute, too
 * long or has control bytes. */
char *path_clean(const char *s);
bool path_below(const char *path, const char *dir); /* path is dir or lies in it; both cleaned */
unsigned path_depth(const char *path);              /* components of a cleaned path; "/" has none */
#endif
