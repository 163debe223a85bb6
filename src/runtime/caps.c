/* runtime/caps.c - the kernel's capability numbers and the engine's default choice of them. */
#include "runtime/caps.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "base/str.h"

static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static const char *const defaults[] = {
    "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
    "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE",
    NULL,
};

const char *caps_name(unsigned bit)
{
    return bit < NAMES ? names[bit] : NULL;
}

/* -1 for an unknown name. */
static int bit_of(const char *name)
{
    for (int i = 0; i < NAMES; i++)
        if (str_ieq(name, names[i]) || str_ieq(name, names[i] + 4))
            return i;
    return -1;
}

caps_set caps_available(void)
{
    caps_set s = 0;
    for (unsigned i = 0; i < NAMES; i++)
        if (prctl(PR_CAPBSET_READ, i) == 1)
            s |= 1ULL << i;
    return s;
}

bool caps_has(caps_set s, const char *name)
{
    int bit = bit_of(name);
    return bit >= 0 && (s >> bit & 1);
}

static int collect(const char *const *v, const char *what, caps_set *ret, struct err *e)
{
    for (size_t i = 0; v && v[i]; i++) {
        if (str_ieq(v[i], "ALL") || str_ieq(v[i], "CAP_ALL")) {
            *ret = (1ULL << NAMES) - 1;
            continue;
        }
        int bit = bit_of(v[i]);
        if (bit < 0)
            return err_set(e, -EINVAL, "invalid %s: unknown capability: \"%.64s\"", what, v[i]);
        *ret |= 1ULL << bit;
    }
    return 0;
}

int caps_choose(const char *const *add, const char *const *drop, caps_set available, caps_set *ret,
                struct err *e)
{
    caps_set base = 0, plus = 0, minus = 0, all = (1ULL << NAMES) - 1;
    int r = collect(defaults, "default", &base, e);
    if (r == 0)
        r = collect(add, "CapAdd", &plus, e);
    if (r == 0)
        r = collect(drop, "CapDrop", &minus, e);
    if (r != 0)
        return r;
    /* "drop ALL, add X" leaves X; "add ALL, drop X" leaves all but X. */
    if (minus == all)
        *ret = plus == all ? 0 : plus;
    else
        *ret = (base | plus) & ~minus;
    *ret &= available;
    return 0;
}
