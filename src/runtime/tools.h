/* runtime/tools.h - which programs run containers here: conmon, and crun or (where that does not
 * run) runc. */
#ifndef RUNTIME_TOOLS_H
#define RUNTIME_TOOLS_H
#include "base/err.h"

struct runtime;
MUST_CHECK int
tools_find(struct runtime *rt,
           struct err *e); /* fills name, version, paths; runs each once. Blocking, 10 ms */
/* keep-runtime, the OCI runtime, its --root, args (ended by NULL); free with strv_free */
char **tools_oci_argv(const struct runtime *rt, const char *const *args);
#endif
