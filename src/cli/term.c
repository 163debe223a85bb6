/* cli/term.c - the terminal. */
#include "cli/term.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int saved_fd = -1;

bool term_size(int fd, unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize ws;
    if (ioctl(fd, TIOCGWINSZ, &ws) || !ws.ws_col)
        return false;
    *ret_rows = ws.ws_row;
    *ret_columns = ws.ws_col;
    return true;
}

void term_restore(void)
{
    if (saved_fd >= 0)
        tcsetattr(saved_fd, TCSANOW, &saved);
    saved_fd = -1;
}

/* The exit codes that a shell gives to a program that a signal ended. */
static void on_deadly(int sig)
{
    term_restore();
    _exit(128 + sig);
}

void term_signals(void)
{
    signal(SIGINT, on_deadly);
    signal(SIGTERM, on_deadly);
    signal(SIGHUP, on_deadly);
}

static int change(int fd, struct termios *now, struct err *e)
{
    if (tcgetattr(fd, &saved))
        return err_sys(e, errno, "terminal");
    saved_fd = fd;
    *now = saved;
    return 0;
}

int term_raw(int fd, struct err *e)
{
    struct termios t;
    int r = change(fd, &t, e);
    if (r)
        return r;
    cfmakeraw(&t);
    return tcsetattr(fd, TCSANOW, &t) ? err_sys(e, errno, "terminal") : 0;
}

int read_secret_line(struct secret_buf *into, struct err *e)
{
    for (;;) {
        char *p = (char *)secret_buf_room(into, 1);
        if (!p)
            return err_set(e, -ENOSPC, "the secret is too long");
        ssize_t n = read(0, p, 1);
        if (n < 0 && errno != EINTR)
            return err_sys(e, errno, "terminal");
        if (n == 0 || (n == 1 && *p == '\n'))
            return 0;
        if (n == 1)
            secret_buf_grown(into, 1);
    }
}

int prompt_hidden(const char *prompt, struct secret_buf *into, struct err *e)
{
    struct termios t;
    int r = change(0, &t, e);
    if (r)
        return r;
    t.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(0, TCSAFLUSH, &t);
    fputs(prompt, stderr);
    r = read_secret_line(into, e);
    term_restore();
    fputc('\n', stderr);
    return r;
}

int prompt_twice(const char *first, const char *again, struct secret_buf *into, struct err *e)
{
    AUTO_SECRET struct secret_buf *second = secret_buf_new(SECRET_MAX);
    if (!second)
        return err_set(e, -ENOMEM, "out of locked memory");
    int r = prompt_hidden(first, into, e);
    if (!r)
        r = prompt_hidden(again, second, e);
    if (!r && !secret_buf_equal(into, second))
        r = err_set(e, -EINVAL, "secrets do not match");
    return r;
}

bool prompt_yes(const char *question)
{
    char line[64];
    fprintf(stdout, "%s [y/N] ", question);
    fflush(stdout);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y') &&
           strchr("\n", line[1]);
}
