/* runtime/console.h - waits on a unix socket for the terminal that the OCI runtime made. One
 * terminal, once. */
#ifndef RUNTIME_CONSOLE_H
#define RUNTIME_CONSOLE_H
#include <uv.h>
#include "base/err.h"

struct console;
/* path: where the socket appears; removed by console_free. on_terminal is given the descriptor,
 * which is then the callee's. */
MUST_CHECK int console_listen(uv_loop_t *loop, const char *path,
                              void (*on_terminal)(void *arg, int fd), void *arg,
                              struct console **ret, struct err *e);
void console_free(struct console *c); /* also from inside on_terminal; NULL is fine */
#endif
