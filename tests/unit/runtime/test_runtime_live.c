/* runtime/test_runtime_live.c - containers that really run: life, secrets, limits, and what a
 * hostile image tries. */
#include "live.h"

static void a_container_runs_and_its_exit_code_is_told(void)
{
    LIVE();
    int code = -1;
    AUTO_FREE char *out = live_run_out(live_config("echo hello; echo oops >&2; exit 7"), &code);
    EXPECT_INT(code, 7);
    EXPECT(strstr(out, "hello\n") != NULL);
    EXPECT(strstr(out, "oops\n") != NULL);
    EXPECT_INT(live_held, 0);
}

static void environment_is_the_images_and_the_users_and_nothing_of_the_daemons(void)
{
    LIVE();
    setenv("LEAK", "daemon", 1);
    struct container_config *c = live_config("env");
    strv_push(&c->env, mem_str("E=1"));
    strv_push(&c->env, mem_str("LEAK"));
    AUTO_FREE char *out = live_run_out(c, NULL);
    EXPECT(strstr(out, "FROM_IMAGE=yes\n") != NULL);
    EXPECT(strstr(out, "E=1\n") != NULL);
    EXPECT(strstr(out, "HOME=/root\n") != NULL);
    EXPECT(strstr(out, "PATH=/usr/local/sbin") != NULL);
    EXPECT(strstr(out, "LEAK") == NULL);
    EXPECT(strstr(out, "BARE") == NULL);
    EXPECT(strstr(out, "_OCI") == NULL);
}

static void no_descriptor_of_the_daemon_reaches_a_container(void)
{
    LIVE();
    AUTO_FREE char *out = live_run_out(live_config("ls /proc/self/fd | tr '\\n' ' '"), NULL);
    EXPECT_STR(out, "0 1 2 3 "); /* 3 is ls's own */
}

static void a_missing_image_and_a_missing_command_are_told_in_the_engines_words(void)
{
    LIVE();
    struct container_config *c = live_config("true");
    free(c->image);
    c->image = mem_str("nosuch:1");
    struct live_done d = live_create(c);
    EXPECT_INT(d.r, RUNTIME_NOT_FOUND);
    EXPECT_STR(d.e.text, "No such image: nosuch:1");
    d = live_create(live_config(NULL));
    EXPECT_INT(d.r, RUNTIME_BAD_REQUEST);
    EXPECT_STR(d.e.text, "No command specified");
    EXPECT_INT(live_held, 0);
}

static void check_failing_start(const char *word, const char *words, int code)
{
    struct container_config *cfg = live_config(NULL);
    strv_push(&cfg->cmd, mem_str(word));
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct container *c = d.c;
    d = live_start(c, NULL, 0);
    EXPECT_INT(d.r, RUNTIME_BAD_REQUEST);
    if (!strstr(d.e.text, words))
        EXPECT_STR(d.e.text, words);
    EXPECT_INT(c->exit_code, code);
    EXPECT_INT(c->state, CONTAINER_CREATED);
    EXPECT_STR(c->error, d.e.text);
    EXPECT_INT(live_remove(c).r, 0);
}

static void a_program_that_is_not_there_fails_the_start_with_127_and_126(void)
{
    LIVE();
    check_failing_start("nope",
                        "OCI runtime create failed: crun create failed: unable to start container "
                        "process: exec: \"nope\": "
                        "executable file not found in $PATH: unknown",
                        127);
    check_failing_start("/nope", "exec: \"/nope\": stat /nope: no such file or directory: unknown",
                        127);
    check_failing_start("/etc/passwd", "exec: \"/etc/passwd\": permission denied: unknown", 126);
}

/* ---- secrets ---- */

static void add_secret(struct container_config *c, const char *target, uint32_t id, uint32_t mode)
{
    c->secrets = mem_grow(c->secrets, c->nsecrets + 1, sizeof(*c->secrets));
    c->secrets[c->nsecrets++] = (struct secret_file){
        .target = mem_str(target), .name = mem_str("s"), .uid = id, .gid = id, .mode = mode};
}

static bool secrets_left(const struct container *c)
{
    AUTO_FREE char *dir = mem_printf("%s/run/secrets/%s", live_top, c->id);
    return file_exists(dir);
}

static void secrets_have_their_place_owner_and_mode_and_vanish_with_the_process(void)
{
    LIVE();
    struct container_config *cfg = live_config(
        "id -u; cat /run/secrets/own; echo; cat /run/secrets/sub/deep; echo; cat /etc/app/key; "
        "echo; "
        "stat -c '%n %u %g %a' /run/secrets/own /run/secrets/sub /run/secrets/sub/deep "
        "/etc/app/key /run/secrets; "
        "cat /run/secrets/root || echo refused; echo x > /run/secrets/new || echo readonly; "
        "grep -c 'run/secrets.*ro,nosuid,nodev,noexec' /proc/mounts; grep noswap /proc/mounts | "
        "head -n1; sleep 60");
    cfg->user = mem_str("app");
    add_secret(cfg, "/run/secrets/own", 1000, 0400);
    add_secret(cfg, "/run/secrets/sub/../sub/./deep", 0, 0777);
    add_secret(cfg, "/etc/app/key", 1000, 0440);
    add_secret(cfg, "/run/secrets/root", 0, 0400);
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct container *c = d.c;
    struct secret_buf *payloads[] = {live_secret("alpha"), live_secret("beta"),
                                     live_secret("gamma"), live_secret("delta")};
    d = live_start(c, payloads, 4);
    if (d.r != 0)
        fprintf(stderr, "# %s\n", d.e.text);
    REQUIRE(d.r == 0);
    EXPECT(payloads[0] == NULL && payloads[3] == NULL);
    live_sleep_ms(400);
    AUTO_FREE char *out = live_output(c);
    EXPECT(str_starts(out, "1000\nalpha\nbeta\ngamma\n"));
    EXPECT(strstr(out, "/run/secrets/own 1000 1000 400\n") != NULL);
    EXPECT(strstr(out, "/run/secrets/sub 0 0 755\n") != NULL);
    EXPECT(strstr(out, "/run/secrets/sub/deep 0 0 777\n") != NULL);
    EXPECT(strstr(out, "/etc/app/key 1000 1000 440\n") != NULL);
    EXPECT(strstr(out, "/run/secrets 0 0 755\n") != NULL);
    EXPECT(strstr(out, "refused\n") != NULL);
    EXPECT(strstr(out, "readonly\n") != NULL);
    EXPECT(strstr(out, "delta") == NULL);
    EXPECT(secrets_left(c));
    struct live_done s = {0};
    runtime_stop(live_rt, c, 0, 0, live_on_done, &s);
    EXPECT(live_until(live_is_done, &s));
    EXPECT_INT(s.r, 0);
    EXPECT(!secrets_left(c));
    AUTO_FREE char *record = mem_printf("%s/data/containers/%s/config.json", live_top, c->id);
    AUTO_FREE char *text = live_read_file(record);
    EXPECT(strstr(text, "/etc/app/key") != NULL && strstr(text, "gamma") == NULL);
    AUTO_FREE char *stub = mem_printf("%s/etc/app/key", c->upper_path);
    AUTO_FREE char *stub_text = live_read_file(stub);
    EXPECT(file_exists(stub));
    EXPECT_STR(stub_text, "");
    EXPECT_INT(live_remove(c).r, 0);
}

static void a_start_without_its_secrets_fails_and_leaves_nothing(void)
{
    LIVE();
    struct container_config *cfg = live_config("cat /run/secrets/a");
    add_secret(cfg, "/run/secrets/a", 0, 0444);
    add_secret(cfg, "/run/secrets/a/b", 0, 0444);
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct container *c = d.c;
    d = live_start(c, NULL, 0);
    EXPECT_INT(d.r, RUNTIME_CONFLICT);
    /* A file cannot be a directory too: the second one fails, and all is undone. */
    struct secret_buf *payloads[] = {live_secret("one"), live_secret("two")};
    d = live_start(c, payloads, 2);
    EXPECT(d.r < 0);
    EXPECT(strstr(d.e.text, "secret target path") != NULL);
    EXPECT(!secrets_left(c));
    EXPECT_INT(c->state, CONTAINER_CREATED);
    EXPECT_INT(live_remove(c).r, 0);
}

static void bad_secret_targets_are_refused(void)
{
    LIVE();
    const char *const bad[] = {"relative",
                               "/run/secrets",
                               "/",
                               "/proc/self/attr/exec",
                               "/run/secrets/a\nb",
                               "/run/secrets/../../proc/x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct container_config *cfg = live_config("true");
        add_secret(cfg, bad[i], 0, 0444);
        EXPECT_INT(live_create(cfg).r, RUNTIME_BAD_REQUEST);
    }
    struct container_config *cfg = live_config("true");
    add_secret(cfg, "/run/secrets/a", 0, 0444);
    add_secret(cfg, "/run/secrets/b/../a", 0, 0444);
    EXPECT_INT(live_create(cfg).r, RUNTIME_BAD_REQUEST);
}

static void check_hostile(const char *layer)
{
    AUTO_FREE char *image = mem_printf("busybox-%s", layer);
    struct container_config *cfg =
        live_config("cat /run/secrets/x /etc/app/key; echo; stat -c %F /run/secrets /run");
    free(cfg->image);
    cfg->image = mem_str(image);
    add_secret(cfg, "/run/secrets/x", 0, 0444);
    add_secret(cfg, "/etc/app/key", 0, 0444);
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct secret_buf *payloads[] = {live_secret("sesame"), live_secret("tahini")};
    struct container *c = d.c;
    d = live_start(c, payloads, 2);
    if (d.r != 0)
        fprintf(stderr, "# %s: %s\n", layer, d.e.text);
    EXPECT_INT(d.r, 0);
    EXPECT(live_until(live_stopped, c));
    AUTO_FREE char *out = live_output(c);
    EXPECT_STR(out, "sesametahini\ndirectory\ndirectory\n");
    EXPECT_INT(live_remove(c).r, 0);
}

static void an_image_cannot_lead_secrets_astray(void)
{
    LIVE();
    AUTO_FREE char *victim = mem_printf("%s/victim", live_top);
    live_sh("mkdir '%s' && echo precious > '%s/x'", victim, victim);
    AUTO_FREE char *absolute = mem_printf("mkdir -p run && ln -s '%s' run/secrets", victim);
    AUTO_FREE char *climbing = mem_printf(
        "mkdir -p run etc && ln -s '../../../../../../../..%s' run/secrets && ln -s '%s/x' etc/app",
        victim, victim);
    AUTO_FREE char *above = mem_printf(
        "ln -s '%s' run && mkdir -p etc/app && ln -s '%s/x' etc/app/key", victim, victim);
    live_layer("absolute", absolute);
    live_layer("loop",
               "mkdir -p run etc/app && ln -s secrets run/secrets && ln -s key etc/app/key");
    live_layer("fifo", "mkdir -p run etc/app && mkfifo run/secrets etc/app/key");
    live_layer("device", "mkdir -p run && mknod run/secrets c 1 3");
    live_layer("above", above);
    check_hostile("absolute");
    check_hostile("loop");
    check_hostile("fifo");
    check_hostile("device");
    check_hostile("above");
    /* A directory in the way of an absolute target that leads to a file: no start, no harm. */
    live_layer("climbing", climbing);
    struct container_config *cfg = live_config("true");
    free(cfg->image);
    cfg->image = mem_str("busybox-climbing");
    add_secret(cfg, "/etc/app/key", 0, 0444);
    struct live_done d = live_create(cfg);
    struct secret_buf *payloads[] = {live_secret("sesame")};
    d = live_start(d.c, payloads, 1);
    EXPECT(d.r < 0);
    AUTO_FREE char *x = mem_printf("%s/x", victim);
    AUTO_FREE char *text = live_read_file(x);
    EXPECT_STR(text, "precious\n");
    AUTO_FREE char *key = mem_printf("%s/key", victim);
    EXPECT(!file_exists(key));
}

/* ---- limits and rights ---- */

static void the_default_rights_are_the_engines(void)
{
    LIVE();
    AUTO_FREE char *out =
        live_run_out(live_config("grep -E 'Cap(Inh|Bnd|Eff)|Seccomp:|NoNewPrivs' "
                                 "/proc/self/status; mount -t tmpfs x /tmp || echo nomount; "
                                 "unshare -U true || echo nounshare; cat /proc/kcore | head -c1 | "
                                 "wc -c; echo 1 > /proc/sys/kernel/panic || echo roproc; "
                                 "touch /sys/x || echo rosys; dd if=/dev/zero of=/dev/null count=1 "
                                 "2>/dev/null && echo dev; "
                                 "mknod /tmp/disk b 254 0 && { cat /tmp/disk >/dev/null 2>&1 || "
                                 "echo nodisk; }; cat /proc/self/oom_score_adj"),
                     NULL);
    EXPECT(strstr(out, "CapInh:\t0000000000000000\n") != NULL);
    EXPECT(strstr(out, "CapBnd:\t00000000a80425fb\n") != NULL);
    EXPECT(strstr(out, "CapEff:\t00000000a80425fb\n") != NULL);
    EXPECT(strstr(out, "Seccomp:\t2\n") != NULL);
    EXPECT(strstr(out, "NoNewPrivs:\t0\n") != NULL);
    EXPECT(strstr(out, "nomount\n") && strstr(out, "nounshare\n") && strstr(out, "roproc\n") &&
           strstr(out, "rosys\n"));
    EXPECT(strstr(out, "dev\n") && strstr(out, "nodisk\n"));
    if (!strstr(out, "nodisk"))
        fprintf(stderr, "%s\n", out);
}

static void limits_reach_the_cgroup(void)
{
    LIVE();
    struct container_config *cfg =
        live_config("cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max "
                    "/sys/fs/cgroup/pids/pids.max "
                    "/sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us "
                    "/sys/fs/cgroup/cpu.max 2>/dev/null; "
                    "hostname; cat /etc/hosts /etc/resolv.conf; grep NoNewPrivs /proc/self/status; "
                    "touch /x || echo readonly; pwd; "
                    "touch /scratch/a && echo scratch; cat /host/hello");
    AUTO_FREE char *shared = mem_printf("%s/shared", live_top);
    live_sh("mkdir '%s' && echo shared > '%s/hello'", shared, shared);
    cfg->memory = 64 << 20;
    cfg->pids_limit = 33;
    cfg->nano_cpus = 500000000;
    cfg->read_only = cfg->no_new_privileges = true;
    cfg->hostname = mem_str("box");
    cfg->workdir = mem_str("/made/for/this");
    strv_push(&cfg->hosts, mem_str("db:192.0.2.7"));
    strv_push(&cfg->dns, mem_str("192.0.2.99"));
    cfg->mounts = mem_array(2, sizeof(*cfg->mounts));
    cfg->nmounts = 2;
    cfg->mounts[0] = (struct mount_spec){
        .type = MOUNT_TMPFS, .target = mem_str("/scratch"), .tmpfs_size = 1 << 20};
    cfg->mounts[1] = (struct mount_spec){.type = MOUNT_BIND,
                                         .source = mem_str(shared),
                                         .target = mem_str("/host"),
                                         .readonly = true};
    AUTO_FREE char *out = live_run_out(cfg, NULL);
    EXPECT(strstr(out, "67108864\n") != NULL);
    EXPECT(strstr(out, "33\n") != NULL);
    EXPECT(strstr(out, "50000") != NULL);
    EXPECT(strstr(out, "box\n") != NULL);
    EXPECT(strstr(out, "192.0.2.7\tdb\n") != NULL);
    EXPECT(strstr(out, "nameserver 192.0.2.99\n") != NULL);
    EXPECT(strstr(out, "NoNewPrivs:\t1\n") != NULL);
    EXPECT(strstr(out, "readonly\n") != NULL);
    EXPECT(strstr(out, "/made/for/this\n") != NULL);
    EXPECT(strstr(out, "scratch\nshared\n") != NULL);
}

static void a_container_that_takes_too_much_memory_is_marked(void)
{
    LIVE();
    struct container_config *cfg =
        live_config("dd if=/dev/zero of=/tmp/shm/x bs=1M count=64; exit 3");
    cfg->memory = 16 << 20;
    cfg->mounts = mem_array(1, sizeof(*cfg->mounts));
    cfg->nmounts = 1;
    cfg->mounts[0] = (struct mount_spec){.type = MOUNT_TMPFS, .target = mem_str("/tmp/shm")};
    struct container *c = live_run(cfg);
    REQUIRE(c != NULL);
    EXPECT(live_until(live_stopped, c));
    EXPECT(c->oom_killed);
    EXPECT_INT(live_remove(c).r, 0);
}

int main(void)
{
    if (live_init() != 0)
        return 1;
    TEST(a_container_runs_and_its_exit_code_is_told);
    TEST(environment_is_the_images_and_the_users_and_nothing_of_the_daemons);
    TEST(no_descriptor_of_the_daemon_reaches_a_container);
    TEST(a_missing_image_and_a_missing_command_are_told_in_the_engines_words);
    TEST(a_program_that_is_not_there_fails_the_start_with_127_and_126);
    TEST(secrets_have_their_place_owner_and_mode_and_vanish_with_the_process);
    TEST(a_start_without_its_secrets_fails_and_leaves_nothing);
    TEST(bad_secret_targets_are_refused);
    TEST(an_image_cannot_lead_secrets_astray);
    TEST(the_default_rights_are_the_engines);
    TEST(limits_reach_the_cgroup);
    TEST(a_container_that_takes_too_much_memory_is_marked);
    return live_finish();
}
