/* loop/signals.c - signal handles of libuv. */
#include "loop/signals.h"

#include <stdbool.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include "base/mem.h"

enum { SIGNALS = 3 };

struct signals {
    uv_signal_t handle[SIGNALS];
    struct signals_spec spec;
    unsigned times;
    int open;
};

void signals_ignore_pipe(void)
{
    signal(SIGPIPE, SIG_IGN);
}

static void on_signal(uv_signal_t *h, int signum)
{
    struct signals *s = h->data;
    if (signum == SIGHUP) {
        if (s->spec.on_hangup)
            s->spec.on_hangup(s->spec.data);
        return;
    }
    s->spec.on_stop(s->spec.data, signum, ++s->times);
}

static void on_closed(uv_handle_t *h)
{
    struct signals *s = h->data;
    if (--s->open == 0)
        free(s);
}

int signals_start(uv_loop_t *loop, const struct signals_spec *spec, struct signals **ret,
                  struct err *e)
{
    static const int which[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    struct signals *s = NEW(struct signals);
    s->spec = *spec;
    signals_ignore_pipe();
    for (int i = 0; i < SIGNALS; i++) {
        int r = uv_signal_init(loop, &s->handle[i]);
        if (r == 0) {
            s->open++;
            s->handle[i].data = s;
            uv_unref((uv_handle_t *)&s->handle[i]);
            r = uv_signal_start(&s->handle[i], on_signal, which[i]);
        }
        if (r < 0) {
            bool none = s->open == 0;
            signals_free(s);
            if (none)
                free(s);
            return err_sys(e, r, "watch signal %d", which[i]);
        }
    }
    *ret = s;
    return 0;
}

void signals_free(struct signals *s)
{
    for (int i = 0, n = s ? s->open : 0; i < n; i++)
        uv_close((uv_handle_t *)&s->handle[i], on_closed);
}
