/* runtime/signal.c - names of signals. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/str.h"
#include "runtime/runtime.h"

int runtime_signal_number(const char *name)
{
    uint64_t v;
    if (str_to_u64(name, 64, &v) == 0)
        return v > 0 ? (int)v : -EINVAL;
    if (str_istarts(name, "SIG"))
        name += 3;
    for (int i = 1; i < 32; i++)
        if (sigabbrev_np(i) && str_ieq(sigabbrev_np(i), name))
            return i;
    if (str_istarts(name, "RTMIN")) {
        if (!name[5])
            return SIGRTMIN;
        if (name[5] == '+' && str_to_u64(name + 6, 30, &v) == 0)
            return SIGRTMIN + (int)v;
    }
    return -EINVAL;
}
