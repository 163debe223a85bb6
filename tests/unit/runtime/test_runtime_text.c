/* runtime/test_runtime_text.c - what is read from strangers' text: paths, users, log lines, limits;
 * and what is written for the runtime. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "lib/check.h"
#include "runtime/caps.h"
#include "runtime/config_json.h"
#include "runtime/k8slog.h"
#include "runtime/path.h"
#include "runtime/seccomp.h"
#include "runtime/secrets.h"
#include "runtime/spec.h"
#include "runtime/user.h"

static void check_clean(const char *in, const char *want)
{
    AUTO_FREE char *got = path_clean(in);
    if (want)
        EXPECT_STR(got, want);
    else
        EXPECT(got == NULL);
}

static void paths_are_cleaned_and_never_climb_out(void)
{
    check_clean("/a//./b/../c/", "/a/c");
    check_clean("/..", "/");
    check_clean("/../../etc/x", "/etc/x");
    check_clean("/run/secrets/../../etc/shadow", "/etc/shadow");
    check_clean("/", "/");
    check_clean("/...", "/...");
    check_clean("/.a/..b", "/.a/..b");
    check_clean("relative", NULL);
    check_clean("", NULL);
    check_clean(NULL, NULL);
    check_clean("/a\nb", NULL);
    check_clean("/a\177", NULL);
    EXPECT(path_below("/run/secrets/a", "/run/secrets"));
    EXPECT(path_below("/run/secrets", "/run/secrets"));
    EXPECT(!path_below("/run/secrets2", "/run/secrets"));
    EXPECT(path_below("/x", "/"));
    EXPECT_INT(path_depth("/"), 0);
    EXPECT_INT(path_depth("/a/b"), 2);
}

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "broken\n"
                             "evil:x:abc:0::/:/bin/sh\n"
                             "huge:x:4294967296:0::/:\n"
                             "minus:x:-1:0::/:\n"
                             "blank:x: 5:0::/:\n"
                             "app:x:1000:1001:An App:/home/app:/bin/sh\n"
                             "0:x:7:7::/seven:\n"
                             "last:x:9:9::/nine";
static const char group[] =
    "root:x:0:\nwheel:x:10:root,app\napps:x:1001:\nbad:x:zz:app\nextra:x:20:nobody,app\nno:x";

static int find(const char *spec, struct user_ids *u, struct err *e)
{
    return user_find(spec, passwd, group, NULL, u, e);
}

static void users_are_found_by_name_and_number(void)
{
    struct user_ids u;
    struct err e;
    REQUIRE(find(NULL, &u, &e) == 0);
    EXPECT_INT(u.uid, 0);
    EXPECT_STR(u.home, "/root");
    user_ids_done(&u);
    REQUIRE(find("app", &u, &e) == 0);
    EXPECT_INT(u.uid, 1000);
    EXPECT_INT(u.gid, 1001);
    EXPECT_INT(u.ngroups, 3);
    EXPECT(u.ngroups == 3 && u.groups[0] == 1001 && u.groups[1] == 10 && u.groups[2] == 20);
    user_ids_done(&u);
    REQUIRE(find("1000:20", &u, &e) == 0);
    EXPECT_INT(u.gid, 20);
    EXPECT_INT(u.ngroups, 1);
    EXPECT_STR(u.home, "/home/app");
    user_ids_done(&u);
    REQUIRE(find("1234", &u, &e) == 0);
    EXPECT_INT(u.uid, 1234);
    EXPECT_INT(u.gid, 0);
    EXPECT_STR(u.home, "/");
    user_ids_done(&u);
    REQUIRE(find("last:wheel", &u, &e) == 0);
    EXPECT_INT(u.gid, 10);
    user_ids_done(&u);
    REQUIRE(user_find("5", NULL, NULL, NULL, &u, &e) == 0);
    EXPECT_INT(u.uid, 5);
    user_ids_done(&u);
    const char *const extra[] = {"wheel", "77", NULL};
    REQUIRE(user_find("1000:1000", passwd, group, extra, &u, &e) == 0);
    EXPECT(u.ngroups == 3 && u.groups[1] == 10 && u.groups[2] == 77);
    user_ids_done(&u);
}

static void a_number_as_a_name_in_passwd_does_not_become_another_user(void)
{
    struct user_ids u;
    struct err e;
    REQUIRE(find("0", &u, &e) == 0);
    EXPECT_INT(u.uid, 0);
    EXPECT_STR(u.home, "/root");
    user_ids_done(&u);
}

static void hostile_users_are_refused_and_never_become_root(void)
{
    static const char *const bad[] = {
        "evil",       "huge",       "minus",      "blank",       "nouser",
        "4294967295", "2147483648", "4294967296", "-1",          "99999999999999999999",
        " 1",         "1 ",         "+1",         "app:nogroup", "app:4294967295",
        "app:bad",    "broken"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct user_ids u = {0};
        struct err e;
        EXPECT_INT(find(bad[i], &u, &e), -EINVAL);
    }
    struct user_ids u;
    struct err e;
    EXPECT(find("nouser", &u, &e) != 0);
    EXPECT_STR(e.text, "unable to find user nouser: no matching entries in passwd file");
    EXPECT(find("4294967295", &u, &e) != 0);
    EXPECT_STR(e.text, "uids and gids must be in range 0-2147483647");
}

static void a_user_of_very_many_groups_is_cut_and_not_overrun(void)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    for (int i = 1; i < 3000; i++)
        buf_printf(&b, "g%d:x:%d:app\n", i, i);
    struct user_ids u;
    REQUIRE(user_find("app", passwd, b.p, NULL, &u, NULL) == 0);
    EXPECT_INT(u.ngroups, USER_GROUPS_MAX);
    user_ids_done(&u);
}

static void capabilities_are_chosen_as_the_engine_does(void)
{
    const caps_set all = ~0ULL;
    caps_set s;
    struct err e;
    REQUIRE(caps_choose(NULL, NULL, all, &s, &e) == 0);
    EXPECT(s == 0xa80425fb);
    const char *const add[] = {"net_admin", "CAP_SYS_TIME", NULL},
                      *const everything[] = {"ALL", NULL}, *const drop[] = {"chown", NULL},
                      *const one[] = {"KILL", NULL}, *const wrong[] = {"CAP_NOSUCH", NULL};
    REQUIRE(caps_choose(add, drop, all, &s, &e) == 0);
    EXPECT(caps_has(s, "CAP_NET_ADMIN") && caps_has(s, "CAP_SYS_TIME") &&
           !caps_has(s, "CAP_CHOWN"));
    REQUIRE(caps_choose(one, everything, all, &s, &e) == 0);
    EXPECT(s == 1ULL << 5);
    REQUIRE(caps_choose(everything, one, all, &s, &e) == 0);
    EXPECT(caps_has(s, "CAP_SYS_ADMIN") && !caps_has(s, "CAP_KILL"));
    REQUIRE(caps_choose(everything, NULL, 3, &s, &e) == 0);
    EXPECT(s == 3);
    EXPECT_INT(caps_choose(wrong, NULL, all, &s, &e), -EINVAL);
    EXPECT_STR(e.text, "invalid CapAdd: unknown capability: \"CAP_NOSUCH\"");
}

static bool allows(const json_t *policy, const char *call)
{
    size_t i, j;
    json_t *rule, *name;
    json_array_foreach(json_object_get(policy, "syscalls"), i, rule)
    {
        if (!str_eq(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW") ||
            json_object_get(rule, "args"))
            continue;
        json_array_foreach(json_object_get(rule, "names"), j,
                           name) if (str_eq(json_string_value(name), call)) return true;
    }
    return false;
}

static json_t *policy_of(caps_set caps)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    struct jw w = JW_INIT(&b);
    seccomp_write(&w, NULL, caps);
    return json_loadb(b.p, b.len, 0, NULL);
}

static void the_call_filter_opens_with_capabilities_only(void)
{
    static const char *const never[] = {"mount",
                                        "umount2",
                                        "ptrace",
                                        "bpf",
                                        "keyctl",
                                        "add_key",
                                        "unshare",
                                        "setns",
                                        "kexec_load",
                                        "init_module",
                                        "reboot",
                                        "open_by_handle_at",
                                        "userfaultfd",
                                        "io_uring_setup",
                                        "perf_event_open",
                                        "swapon",
                                        "clone",
                                        "clone3",
                                        "settimeofday",
                                        "process_vm_readv",
                                        "pivot_root",
                                        "acct",
                                        "iopl",
                                        "move_mount",
                                        "fsopen"};
    static const char *const always[] = {"read",       "openat", "execve",          "futex",
                                         "socketpair", "mknod",  "clock_nanosleep", "statx"};
    caps_set s;
    REQUIRE(caps_choose(NULL, NULL, ~0ULL, &s, NULL) == 0);
    json_t *policy = policy_of(s);
    REQUIRE(policy != NULL);
    EXPECT_STR(json_string_value(json_object_get(policy, "defaultAction")), "SCMP_ACT_ERRNO");
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        if (allows(policy, never[i]))
            EXPECT_STR(never[i], "");
    }
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        if (!allows(policy, always[i]))
            EXPECT_STR(always[i], "");
    }
    json_decref(policy);
    AUTO_FREE char *plain = mem_str(seccomp_compiled(s));
    policy = policy_of(s | 1ULL << 21); /* CAP_SYS_ADMIN */
    EXPECT(allows(policy, "mount") && allows(policy, "unshare") && allows(policy, "clone3") &&
           !allows(policy, "ptrace"));
    json_decref(policy);
    const char *admin = seccomp_compiled(s | 1ULL << 21);
    EXPECT(plain && strlen(plain) > 1000 && admin && strcmp(plain, admin) != 0);
    EXPECT_STR(seccomp_compiled(s), plain);
}

static void log_lines_are_parsed_and_torn_ones_passed_over(void)
{
    struct k8slog_line l;
    static const char good[] = "2026-11-22T01:45:37.994304252+00:00 stderr P hello world";
    REQUIRE(k8slog_parse(good, sizeof good - 1, &l));
    EXPECT_INT(l.fd, STREAM_STDERR);
    EXPECT(l.partial);
    EXPECT(l.n == 11 && memcmp(l.text, "hello world", 11) == 0);
    EXPECT(l.time_ns == 1795311937994304252LL);
    static const char empty[] = "2026-11-22T01:45:37.9+02:00 stdout F ";
    EXPECT(k8slog_parse(empty, sizeof empty - 1, &l) && l.n == 0 && !l.partial);
    static const char *const bad[] = {"",
                                      " ",
                                      "x",
                                      "2026-11-22T01:45:37Z stdout",
                                      "2026-11-22T01:45:37Z stdin F x",
                                      "2026-11-22T01:45:37Z stdout X x",
                                      "yesterday stdout F x",
                                      "2026-11-22T01:45:37Z stdout Fx y",
                                      "   F "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT(!k8slog_parse(bad[i], strlen(bad[i]), &l));
}

static void ulimits_and_environments_are_read_strictly(void)
{
    char name[32];
    uint64_t soft, hard;
    EXPECT(spec_parse_ulimit("nofile=1024:2048", name, &soft, &hard) == 0 && soft == 1024 &&
           hard == 2048);
    EXPECT_STR(name, "RLIMIT_NOFILE");
    EXPECT(spec_parse_ulimit("core=-1", name, &soft, &hard) == 0 && soft == UINT64_MAX &&
           hard == UINT64_MAX);
    static const char *const bad[] = {"",          "=1",        "nofile",
                                      "nofile=",   "nofile=x",  "nofile=2:1",
                                      "no file=1", "nofile=-2", "averyveryverylongname=1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_INT(spec_parse_ulimit(bad[i], name, &soft, &hard), -EINVAL);
    const char *const base[] = {"A=1", "B=2", NULL}, *const more[] = {"B=3", "PATH", "=x",
                                                                      "C=", NULL};
    AUTO_STRV char **v = spec_env_merge(base, more);
    EXPECT_INT(strv_len((const char *const *)v), 3);
    EXPECT_STR(v[0], "A=1");
    EXPECT_STR(v[1], "B=3");
    EXPECT_STR(v[2], "C=");
}

static struct container_config *some_config(void)
{
    struct container_config *c = NEW(struct container_config);
    c->name = mem_str("web \"1\"");
    c->image = mem_str("busybox");
    strv_push(&c->cmd, mem_str("a\nb"));
    strv_push(&c->env, mem_str("K=v"));
    c->memory = 1LL << 40;
    c->tty = true;
    c->network = NETWORK_BRIDGE;
    c->mounts = mem_array(1, sizeof(*c->mounts));
    c->mounts[c->nmounts++] = (struct mount_spec){
        .type = MOUNT_TMPFS, .target = mem_str("/t"), .tmpfs_size = 7, .tmpfs_mode = 0700};
    c->secrets = mem_array(1, sizeof(*c->secrets));
    c->secrets[c->nsecrets++] = (struct secret_file){
        .target = mem_str("/run/secrets/a"), .name = mem_str("a"), .uid = 7, .mode = 0440};
    return c;
}

static void a_configuration_survives_the_disk(void)
{
    struct config_record r = {.config = some_config(), .created_ns = 12345}, back;
    AUTO_BUF struct buf b = BUF_INIT(CONFIG_JSON_MAX);
    id_hex_new(r.id);
    strv_push(&r.layers, mem_str("/l/1"));
    config_json_write(&r, &b);
    REQUIRE(config_json_read(b.p, b.len, &back, NULL) == 0);
    EXPECT_STR(back.id, r.id);
    EXPECT_STR(back.config->name, "web \"1\"");
    EXPECT_STR(back.config->cmd[0], "a\nb");
    EXPECT(back.config->memory == 1LL << 40 && back.config->tty &&
           back.config->network == NETWORK_BRIDGE);
    EXPECT(back.config->nmounts == 1 && back.config->mounts[0].tmpfs_mode == 0700);
    EXPECT(back.config->nsecrets == 1 && back.config->secrets[0].uid == 7 &&
           back.config->secrets[0].mode == 0440);
    config_record_done(&back);
    /* Cut anywhere, it is refused and nothing leaks. */
    for (size_t n = 0; n < b.len; n += 7)
        EXPECT(config_json_read(b.p, n, &back, NULL) != 0);
    config_record_done(&r);
    static const char *const bad[] = {"[]", "{}", "{\"config\":{}}", "{\"config\":[]}",
                                      "{\"id\":3,\"config\":{\"name\":4}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT(config_json_read(bad[i], strlen(bad[i]), &back, NULL) != 0);
    struct state_record s;
    EXPECT(state_json_read("{\"state\":\"flying\"}", 18, &s, NULL) != 0);
    EXPECT(state_json_read("", 0, &s, NULL) != 0);
}

static void the_oci_configuration_is_json_with_the_mounts_in_order(void)
{
    struct container_config *cfg = some_config();
    struct container c = {.config = cfg};
    struct user_ids u = {.uid = 1000, .home = (char[]){"/h"}};
    struct spec_bind binds[] = {{.source = (char[]){"/s/dir"},
                                 .target = (char[]){"/run/secrets"},
                                 .readonly = true,
                                 .hardened = true},
                                {.source = (char[]){"/s"}, .target = (char[]){"/run"}}};
    char *tmpfs[] = {(char[]){"/t"}};
    struct spec_input in = {.c = &c,
                            .rootfs = "/r",
                            .netns = "/n",
                            .hostname = "h",
                            .cgroup_path = "/k/x",
                            .user = &u,
                            .caps = 3,
                            .binds = binds,
                            .nbinds = 2,
                            .tmpfs_targets = tmpfs};
    AUTO_BUF struct buf b = BUF_INIT(SPEC_MAX);
    REQUIRE(spec_write(&in, &b, NULL) == 0);
    json_t *o = json_loadb(b.p, b.len, 0, NULL);
    REQUIRE(o != NULL);
    json_t *mounts = json_object_get(o, "mounts"), *m;
    size_t i, run = 0, secrets = 0;
    json_array_foreach(mounts, i, m)
    {
        const char *to = json_string_value(json_object_get(m, "destination"));
        run = str_eq(to, "/run") ? i : run;
        secrets = str_eq(to, "/run/secrets") ? i : secrets;
    }
    EXPECT(run > 0 && secrets > run);
    json_t *caps = json_object_get(json_object_get(o, "process"), "capabilities");
    EXPECT_INT(json_array_size(json_object_get(caps, "bounding")), 2);
    EXPECT_INT(json_array_size(json_object_get(caps, "effective")), 0); /* not root */
    EXPECT_INT(json_array_size(json_object_get(caps, "inheritable")), 0);
    json_decref(o);
    container_config_free(cfg);
}

static void signals_have_names_and_numbers(void)
{
    EXPECT_INT(runtime_signal_number("SIGTERM"), 15);
    EXPECT_INT(runtime_signal_number("kill"), 9);
    EXPECT_INT(runtime_signal_number("15"), 15);
    EXPECT_INT(runtime_signal_number("0"), -EINVAL);
    EXPECT_INT(runtime_signal_number("SIGNOPE"), -EINVAL);
    EXPECT_INT(runtime_signal_number("-9"), -EINVAL);
    EXPECT(runtime_signal_number("SIGRTMIN+3") > 31);
}

int main(void)
{
    TEST(paths_are_cleaned_and_never_climb_out);
    TEST(users_are_found_by_name_and_number);
    TEST(a_number_as_a_name_in_passwd_does_not_become_another_user);
    TEST(hostile_users_are_refused_and_never_become_root);
    TEST(a_user_of_very_many_groups_is_cut_and_not_overrun);
    TEST(capabilities_are_chosen_as_the_engine_does);
    TEST(the_call_filter_opens_with_capabilities_only);
    TEST(log_lines_are_parsed_and_torn_ones_passed_over);
    TEST(ulimits_and_environments_are_read_strictly);
    TEST(a_configuration_survives_the_disk);
    TEST(the_oci_configuration_is_json_with_the_mounts_in_order);
    TEST(signals_have_names_and_numbers);
    return check_done();
}
