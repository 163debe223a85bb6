/* cli/term.h - the terminal: its size, raw mode, hidden entry, yes and no. Whatever is changed is
 * put back, also when a signal ends the program. */
#ifndef CLI_TERM_H
#define CLI_TERM_H
#include <stdbool.h>
#include "base/err.h"
#include "base/secret.h"

bool term_size(int fd, unsigned *ret_rows, unsigned *ret_columns);
int term_raw(int fd, struct err *e);
void term_restore(void);
void term_signals(void); /* puts the terminal back before SIGINT and its like end the program */
/* One line without echo into locked memory, newline left out. The prompt goes to stderr. */
int prompt_hidden(const char *prompt, struct secret_buf *into, struct err *e);
/* One line of standard input, byte by byte, newline left out. */
int read_secret_line(struct secret_buf *into, struct err *e);
/* Asks twice; -EINVAL when the two differ. */
int prompt_twice(const char *first, const char *again, struct secret_buf *into, struct err *e);
bool prompt_yes(const char *question); /* "… [y/N] " */
#endif
