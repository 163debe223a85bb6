/* runtime/seccomp.c - the policy as the OCI's JSON, and as the kernel's program. */
#include "runtime/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/seccomp_table.h"

enum { PROGRAM_MAX = 1 << 18, JSON_MAX = 1 << 20 };

/* ---- JSON ---- */

static void allow_names(struct jw *w, const char *list)
{
    char name[64];
    jw_object(w, NULL);
    jw_str(w, "action", "SCMP_ACT_ALLOW");
    jw_array(w, "names");
    while (seccomp_next(&list, name))
        jw_str(w, NULL, name);
    jw_end_array(w);
    jw_end_object(w);
}

static void write_if(struct jw *w, const struct seccomp_if *c)
{
    static const char *const ops[] = {"SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_MASKED_EQ"};
    jw_object(w, NULL);
    jw_str(w, "action", "SCMP_ACT_ALLOW");
    jw_array(w, "names");
    jw_str(w, NULL, c->call);
    jw_end_array(w);
    jw_array(w, "args");
    jw_object(w, NULL);
    jw_uint(w, "index", c->arg);
    jw_uint(w, "value", c->value);
    jw_uint(w, "valueTwo", 0);
    jw_str(w, "op", ops[c->op]);
    jw_end_object(w);
    jw_end_array(w);
    jw_end_object(w);
}

static void write_clone3(struct jw *w)
{
    jw_object(w, NULL);
    jw_str(w, "action", "SCMP_ACT_ERRNO");
    jw_array(w, "names");
    jw_str(w, NULL, "clone3");
    jw_end_array(w);
    jw_uint(w, "errnoRet", ENOSYS);
    jw_end_object(w);
}

static void write_architectures(struct jw *w)
{
    jw_array(w, "architectures");
#if defined __x86_64__
    jw_str(w, NULL, "SCMP_ARCH_X86_64");
    jw_str(w, NULL, "SCMP_ARCH_X86");
    jw_str(w, NULL, "SCMP_ARCH_X32");
#elif defined __aarch64__
    jw_str(w, NULL, "SCMP_ARCH_AARCH64");
    jw_str(w, NULL, "SCMP_ARCH_ARM");
#elif defined __s390x__
    jw_str(w, NULL, "SCMP_ARCH_S390X");
    jw_str(w, NULL, "SCMP_ARCH_S390");
#elif defined __powerpc64__
    jw_str(w, NULL, "SCMP_ARCH_PPC64LE");
#elif defined __riscv
    jw_str(w, NULL, "SCMP_ARCH_RISCV64");
#endif
    jw_end_array(w);
}

static void write_policy(struct jw *w, caps_set caps)
{
    jw_object(w, NULL);
    jw_str(w, "defaultAction", "SCMP_ACT_ERRNO");
    jw_uint(w, "defaultErrnoRet", EPERM);
    write_architectures(w);
    jw_array(w, "syscalls");
    for (size_t i = 0; i < SECCOMP_LISTS; i++)
        allow_names(w, seccomp_lists[i]);
    for (size_t i = 0; i < seccomp_ncap_lists; i++)
        if (caps_has(caps, seccomp_cap_lists[i].cap))
            allow_names(w, seccomp_cap_lists[i].calls);
    for (size_t i = 0; i < SECCOMP_IFS; i++)
        if (!seccomp_ifs[i].unless_cap || !caps_has(caps, seccomp_ifs[i].unless_cap))
            write_if(w, &seccomp_ifs[i]);
    if (!caps_has(caps, "CAP_SYS_ADMIN"))
        write_clone3(w);
    jw_end_array(w);
    jw_end_object(w);
}

/* Looking the names up takes a millisecond, so the text is kept: nearly all containers have the
 * same capabilities. */
void seccomp_write(struct jw *w, const char *key, caps_set caps)
{
    static struct buf last = {.max = JSON_MAX};
    static caps_set last_caps;
    if (last.len == 0 || last_caps != caps) {
        struct jw fresh = JW_INIT(&last);
        buf_clear(&last);
        write_policy(&fresh, caps);
        last_caps = caps;
    }
    jw_raw(w, key, last.p);
}

/* ---- the program ---- */

static int allow(scmp_filter_ctx ctx, const char *list)
{
    char name[64];
    while (seccomp_next(&list, name)) {
        int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(name), 0);
        if (r != 0)
            return r;
    }
    return 0;
}

static int allow_if(scmp_filter_ctx ctx, const struct seccomp_if *c)
{
    struct scmp_arg_cmp cmp = {.arg = c->arg, .datum_a = c->value};
    cmp.op = c->op == SECCOMP_EQ   ? SCMP_CMP_EQ
             : c->op == SECCOMP_NE ? SCMP_CMP_NE
                                   : SCMP_CMP_MASKED_EQ;
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(c->call), 1,
                                  &cmp);
}

static int add_architectures(scmp_filter_ctx ctx)
{
#if defined __x86_64__
    static const uint32_t more[] = {SCMP_ARCH_X86, SCMP_ARCH_X32};
#elif defined __aarch64__
    static const uint32_t more[] = {SCMP_ARCH_ARM};
#else
    static const uint32_t more[] = {SCMP_ARCH_NATIVE};
#endif
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        int r = seccomp_arch_add(ctx, more[i]);
        if (r != 0 && r != -EEXIST)
            return r;
    }
    return 0;
}

static int add_rules(scmp_filter_ctx ctx, caps_set caps)
{
    int r = add_architectures(ctx);
    for (size_t i = 0; i < SECCOMP_LISTS && r == 0; i++)
        r = allow(ctx, seccomp_lists[i]);
    for (size_t i = 0; i < seccomp_ncap_lists && r == 0; i++)
        if (caps_has(caps, seccomp_cap_lists[i].cap))
            r = allow(ctx, seccomp_cap_lists[i].calls);
    for (size_t i = 0; i < SECCOMP_IFS && r == 0; i++)
        if (!seccomp_ifs[i].unless_cap || !caps_has(caps, seccomp_ifs[i].unless_cap))
            r = allow_if(ctx, &seccomp_ifs[i]);
    if (r == 0 && !caps_has(caps, "CAP_SYS_ADMIN") &&
        seccomp_syscall_resolve_name("clone3") != __NR_SCMP_ERROR)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name("clone3"),
                             0);
    return r;
}

/* libseccomp writes only to descriptors. */
static char *export_program(scmp_filter_ctx ctx)
{
    AUTO_CLOSE int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0 || seccomp_export_bpf(ctx, fd) != 0)
        return NULL;
    off_t size = lseek(fd, 0, SEEK_END);
    AUTO_FREE char *program = size > 0 && size < PROGRAM_MAX ? mem_new((size_t)size) : NULL;
    if (!program || pread(fd, program, (size_t)size, 0) != size)
        return NULL;
    AUTO_BUF struct buf b = BUF_INIT(4 * PROGRAM_MAX);
    struct jw w = JW_INIT(&b);
    jw_base64(&w, NULL, program, (size_t)size); /* with quotes */
    return !b.failed && b.len > 2 ? mem_strn(b.p + 1, b.len - 2) : NULL;
}

const char *seccomp_compiled(caps_set caps)
{
    static char *last;
    static caps_set last_caps;
    if (last && last_caps == caps)
        return last;
    free(TAKE(last));
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return NULL;
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
    int r = add_rules(ctx, caps);
    if (r == 0)
        last = export_program(ctx);
    if (!last)
        log_warn("the system call filter could not be compiled ahead (%s): the runtime does it at "
                 "every start",
                 strerror(-r));
    seccomp_release(ctx);
    last_caps = caps;
    return last;
}
