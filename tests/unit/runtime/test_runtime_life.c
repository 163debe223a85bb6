/* runtime/test_runtime_life.c - stop, kill, remove, names, waits, logs, changes, and what a
 * restarted daemon finds. */
#include <time.h>

#include "live.h"

static const char forever[] = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

static struct live_done live_stop(struct container *c, int64_t timeout_s)
{
    struct live_done d = {0};
    runtime_stop(live_rt, c, 0, timeout_s, live_on_done, &d);
    if (!live_until(live_is_done, &d))
        d.r = -ETIMEDOUT;
    return d;
}

static struct live_done live_kill(struct container *c, int signal)
{
    struct live_done d = {0};
    runtime_kill(live_rt, c, signal, live_on_done, &d);
    if (!live_until(live_is_done, &d))
        d.r = -ETIMEDOUT;
    return d;
}

static void stop_asks_first_and_kills_after_the_grace(void)
{
    LIVE();
    struct container *polite = live_run(live_config(forever));
    struct container *deaf = live_run(live_config("trap '' TERM; while :; do sleep 0.1; done"));
    REQUIRE(polite && deaf);
    live_sleep_ms(100);
    EXPECT_INT(live_stop(polite, 5).r, 0);
    EXPECT_INT(polite->exit_code, 0);
    EXPECT_INT(polite->pid, 0);
    EXPECT_INT(live_stop(polite, 5).r, RUNTIME_NOT_MODIFIED);
    int64_t begin = clock_mono_ns();
    EXPECT_INT(live_stop(deaf, 1).r, 0);
    EXPECT(clock_mono_ns() - begin >= 900 * NS_PER_MS);
    EXPECT_INT(deaf->exit_code, 137);
    struct live_done d = live_kill(deaf, SIGKILL);
    EXPECT_INT(d.r, RUNTIME_CONFLICT);
    EXPECT(strstr(d.e.text, "Cannot kill container: ") && strstr(d.e.text, " is not running"));
    EXPECT_INT(live_remove(polite).r, 0);
    EXPECT_INT(live_remove(deaf).r, 0);
}

static void a_stopped_container_starts_again_with_its_files(void)
{
    LIVE();
    struct container *c = live_run(live_config(
        "echo x >> /count; wc -l < /count; trap 'exit 0' TERM; while :; do sleep 0.1; done"));
    REQUIRE(c != NULL);
    live_sleep_ms(150);
    EXPECT_INT(live_start(c, NULL, 0).r, RUNTIME_NOT_MODIFIED);
    EXPECT_INT(live_stop(c, 0).r, 0);
    EXPECT_INT(live_start(c, NULL, 0).r, 0);
    live_sleep_ms(150);
    AUTO_FREE char *out = live_output(c);
    EXPECT_STR(out, "1\n2\n");
    EXPECT_INT(live_kill(c, SIGKILL).r, 0);
    EXPECT_INT(c->exit_code, 137);
    EXPECT_INT(live_remove(c).r, 0);
}

static void removal_needs_force_while_it_runs(void)
{
    LIVE();
    struct container *c = live_run(live_config(forever));
    REQUIRE(c != NULL);
    char id[ID_HEX_SIZE];
    str_copy(id, sizeof id, c->id);
    struct live_done d = {0};
    runtime_remove(live_rt, c, false, live_on_done, &d);
    EXPECT(live_until(live_is_done, &d));
    EXPECT_INT(d.r, RUNTIME_CONFLICT);
    EXPECT(strstr(d.e.text, "You cannot remove a running container ") != NULL);
    EXPECT(strstr(d.e.text, ". Stop the container before attempting removal or force remove") !=
           NULL);
    struct live_done first = {0}, second = {0};
    runtime_remove(live_rt, c, true, live_on_done, &first);
    runtime_remove(live_rt, c, true, live_on_done, &second);
    EXPECT(live_until(live_is_done, &first) && live_until(live_is_done, &second));
    EXPECT_INT(first.r < second.r ? first.r : second.r, 0);
    EXPECT_INT(first.r < second.r ? second.r : first.r, RUNTIME_NOT_FOUND);
    EXPECT_INT(runtime_find(live_rt, id, &c, NULL), RUNTIME_NOT_FOUND);
    AUTO_FREE char *data = mem_printf("%s/data/containers/%s", live_top, id);
    AUTO_FREE char *run = mem_printf("%s/run/containers/%s", live_top, id);
    EXPECT(!file_exists(data) && !file_exists(run));
}

static void names_are_unique_and_found_in_every_form(void)
{
    LIVE();
    struct err e = {0};
    struct container *found;
    struct container_config *cfg = live_config("true");
    cfg->name = mem_str("/one");
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct container *one = d.c;
    cfg = live_config("true");
    cfg->name = mem_str("one");
    d = live_create(cfg);
    EXPECT_INT(d.r, RUNTIME_CONFLICT);
    AUTO_FREE char *words = mem_printf("Conflict. The container name \"/one\" is already in use by "
                                       "container \"%s\". You have to remove (or rename) "
                                       "that container to be able to reuse that name.",
                                       one->id);
    EXPECT_STR(d.e.text, words);
    cfg = live_config("true");
    cfg->name = mem_str("a b");
    d = live_create(cfg);
    EXPECT_INT(d.r, RUNTIME_BAD_REQUEST);
    EXPECT_STR(d.e.text,
               "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    AUTO_FREE char *prefix = mem_strn(one->id, 12);
    EXPECT(runtime_find(live_rt, "/one", &found, NULL) == 0 && found == one);
    EXPECT(runtime_find(live_rt, prefix, &found, NULL) == 0 && found == one);
    EXPECT(runtime_find(live_rt, one->id, &found, NULL) == 0 && found == one);
    EXPECT_INT(runtime_find(live_rt, "nosuch", &found, &e), RUNTIME_NOT_FOUND);
    EXPECT_STR(e.text, "No such container: nosuch");
    d = live_create(live_config("true"));
    REQUIRE(d.r == 0);
    EXPECT(d.c->config->name[0] != '\0');
    EXPECT_INT(runtime_rename(live_rt, d.c, "one", &e), RUNTIME_CONFLICT);
    EXPECT_INT(runtime_rename(live_rt, d.c, "two", &e), 0);
    EXPECT(runtime_find(live_rt, "two", &found, NULL) == 0 && found == d.c);
    EXPECT_INT(live_remove(d.c).r, 0);
    EXPECT_INT(live_remove(one).r, 0);
}

struct waiting {
    bool done;
    int code;
};

static void on_exit_told(void *arg, int code, const char *error)
{
    struct waiting *w = arg;
    (void)error;
    w->done = true;
    w->code = code;
}

static bool waited(void *arg)
{
    return ((struct waiting *)arg)->done;
}

static void waits_end_at_the_exit_and_at_the_removal(void)
{
    LIVE();
    struct container_config *cfg = live_config("sleep 0.2; exit 9");
    cfg->auto_remove = true;
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct waiting now = {0}, next = {0}, removed = {0}, cancelled = {0};
    runtime_wait(live_rt, d.c, WAIT_NOT_RUNNING, on_exit_told, &now);
    runtime_wait(live_rt, d.c, WAIT_NEXT_EXIT, on_exit_told, &next);
    runtime_wait(live_rt, d.c, WAIT_REMOVED, on_exit_told, &removed);
    runtime_wait_cancel(runtime_wait(live_rt, d.c, WAIT_REMOVED, on_exit_told, &cancelled));
    EXPECT(live_until(waited, &now));
    EXPECT(!next.done);
    char id[ID_HEX_SIZE];
    str_copy(id, sizeof id, d.c->id);
    EXPECT_INT(live_start(d.c, NULL, 0).r, 0);
    EXPECT(live_until(waited, &next));
    EXPECT(live_until(waited, &removed));
    EXPECT_INT(next.code, 9);
    EXPECT_INT(removed.code, 9);
    EXPECT(!cancelled.done);
    struct container *gone;
    live_sleep_ms(50);
    EXPECT_INT(runtime_find(live_rt, id, &gone, NULL), RUNTIME_NOT_FOUND);
}

/* ---- logs ---- */

struct reading {
    struct buf text;
    bool ended, full;
    int lines, stop_after;
};

static bool on_line(void *arg, enum stream_fd fd, int64_t time_ns, const char *p, size_t n)
{
    struct reading *r = arg;
    EXPECT(time_ns > 0);
    buf_printf(&r->text, "%d:%.*s", fd, (int)n, p);
    r->full = ++r->lines == r->stop_after;
    return !r->full;
}

static void on_log_end(void *arg)
{
    ((struct reading *)arg)->ended = true;
}

static bool log_ended(void *arg)
{
    return ((struct reading *)arg)->ended;
}

static bool log_full(void *arg)
{
    return ((struct reading *)arg)->full;
}

static char *read_logs(struct container *c, struct log_query q, int stop_after)
{
    struct reading r = {.text = BUF_INIT(1 << 24), .stop_after = stop_after};
    struct log_sink sink = {.on_line = on_line, .on_end = on_log_end, .arg = &r};
    struct log_reader *l;
    EXPECT_INT(runtime_logs(live_rt, c, &q, &sink, &l, NULL), 0);
    if (stop_after) {
        EXPECT(live_until(log_full, &r));
        live_sleep_ms(30);
        EXPECT_INT(r.lines, stop_after);
        r.stop_after = 0;
        log_reader_resume(l);
    }
    EXPECT(live_until(log_ended, &r));
    buf_reserve(&r.text, 1);
    return buf_take(&r.text);
}

static void logs_are_read_by_stream_tail_and_time(void)
{
    LIVE();
    struct container *c = live_run(live_config("echo one; echo two >&2; sleep 0.1; printf par; "
                                               "sleep 0.1; echo tial; echo four; printf last"));
    REQUIRE(c != NULL);
    EXPECT(live_until(live_stopped, c));
    struct log_query all = {.want_stdout = true, .want_stderr = true, .tail = -1};
    AUTO_FREE char *out = read_logs(c, all, 0);
    EXPECT(strstr(out, "1:one\n") && strstr(out, "2:two\n") &&
           strstr(out, "1:partial\n1:four\n1:last"));
    AUTO_FREE char *slow = read_logs(c, all, 2);
    EXPECT_STR(slow, out);
    struct log_query q = {.want_stderr = true, .tail = -1};
    AUTO_FREE char *err = read_logs(c, q, 0);
    EXPECT_STR(err, "2:two\n");
    q = (struct log_query){.want_stdout = true, .tail = 2};
    AUTO_FREE char *tail = read_logs(c, q, 0);
    EXPECT_STR(tail, "1:four\n1:last");
    q.tail = 3;
    AUTO_FREE char *tail3 = read_logs(c, q, 0);
    EXPECT_STR(tail3, "1:partial\n1:four\n1:last");
    q.tail = 0;
    AUTO_FREE char *none = read_logs(c, q, 0);
    EXPECT_STR(none, "");
    q = (struct log_query){
        .want_stdout = true, .tail = -1, .since_ns = c->finished_ns + NS_PER_SEC};
    AUTO_FREE char *late = read_logs(c, q, 0);
    EXPECT_STR(late, "");
    q = (struct log_query){.want_stdout = true, .tail = -1, .until_ns = c->created_ns};
    AUTO_FREE char *early = read_logs(c, q, 0);
    EXPECT_STR(early, "");
    EXPECT_INT(live_remove(c).r, 0);
}

static void a_follower_gets_new_lines_and_ends_with_the_container(void)
{
    LIVE();
    struct container *c = live_run(live_config("for i in 1 2 3 4 5; do echo $i; sleep 0.05; done"));
    REQUIRE(c != NULL);
    struct log_query q = {.want_stdout = true, .want_stderr = true, .tail = -1, .follow = true};
    AUTO_FREE char *out = read_logs(c, q, 0);
    EXPECT_STR(out, "1:1\n1:2\n1:3\n1:4\n1:5\n");
    EXPECT(live_until(live_stopped, c));
    EXPECT_INT(live_remove(c).r, 0);
}

/* ---- changes ---- */

static void on_change(void *arg, int kind, const char *path)
{
    buf_printf(arg, "%c %s\n", "CAD"[kind], path);
}

static void changes_tell_what_was_added_changed_and_deleted(void)
{
    LIVE();
    struct container *c =
        live_run(live_config("echo x > /etc/new; rm /bin/seq; chmod 700 /root; mkdir -p /a/b"));
    REQUIRE(c != NULL);
    EXPECT(live_until(live_stopped, c));
    struct buf b = BUF_INIT(1 << 16);
    struct err e = {0};
    EXPECT_INT(runtime_changes(live_rt, c, on_change, &b, &e), 0);
    EXPECT_STR(b.p, "A /a\nA /a/b\nC /bin\nD /bin/seq\nC /etc\nA /etc/new\nC /root\n");
    buf_free(&b);
    EXPECT_INT(live_remove(c).r, 0);
}

/* ---- a daemon that comes back ---- */

static void on_recovered(void *arg)
{
    *(bool *)arg = true;
}

static void reopen(void)
{
    bool done = false;
    REQUIRE(live_open() == 0);
    runtime_recover(live_rt, on_recovered, &done);
    EXPECT(live_until(live_flag, &done));
}

/* The loop does not turn meanwhile, as if there were no daemon. */
static void away(int ms)
{
    runtime_close(live_rt);
    uv_run(&live_loop, UV_RUN_NOWAIT);
    live_held = 0;
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * NS_PER_MS};
    nanosleep(&t, NULL);
}

static struct container *find_named(const char *name)
{
    struct container *c = NULL;
    struct err e = {0};
    if (runtime_find(live_rt, name, &c, &e) != 0)
        fprintf(stderr, "# %s\n", e.text);
    return c;
}

static void start_for_recovery(const char *name, const char *script)
{
    struct container_config *cfg = live_config(script);
    cfg->name = mem_str(name);
    cfg->secrets = mem_array(1, sizeof(*cfg->secrets));
    cfg->nsecrets = 1;
    cfg->secrets[0] = (struct secret_file){
        .target = mem_str("/run/secrets/s"), .name = mem_str("s"), .mode = 0444};
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct secret_buf *payloads[] = {live_secret("sesame")};
    EXPECT_INT(live_start(d.c, payloads, 1).r, 0);
}

static void plant_orphans(const char *id)
{
    live_sh("mkdir -p '%s/run/containers/%s/rootfs' '%s/data/containers/%s/upper' "
            "'%s/run/secrets/%s' && mount -t tmpfs t '%s/run/containers/%s/rootfs' && "
            "mount -t tmpfs t '%s/run/secrets/%s' && echo old > '%s/run/secrets/%s/f' && ln -s "
            "'%s/keep-me' '%s/data/containers/%s/link' && echo 0 > '%s/run/exits/%s' && "
            "echo kept > '%s/keep-me'",
            live_top, id, live_top, id, live_top, id, live_top, id, live_top, id, live_top, id,
            live_top, live_top, id, live_top, id, live_top);
}

static void a_daemon_that_comes_back_finds_everything(void)
{
    LIVE();
    char orphan[ID_HEX_SIZE], short_id[ID_HEX_SIZE];
    id_hex_new(orphan);
    start_for_recovery("long",
                       "trap 'cat /run/secrets/s; exit 5' TERM; while :; do sleep 0.1; done");
    start_for_recovery("short", "sleep 0.3; exit 42");
    struct container_config *cfg = live_config("true");
    cfg->name = mem_str("unstarted");
    EXPECT_INT(live_create(cfg).r, 0);
    int pid = find_named("long")->pid;
    str_copy(short_id, sizeof short_id, find_named("short")->id);
    plant_orphans(orphan);
    away(900);
    reopen();
    struct container *running = find_named("long"), *ended = find_named("short"),
                     *created = find_named("unstarted");
    REQUIRE(running && ended && created);
    EXPECT_INT(live_held, 3);
    EXPECT_INT(running->state, CONTAINER_RUNNING);
    EXPECT_INT(running->pid, pid);
    EXPECT_INT(ended->state, CONTAINER_EXITED);
    EXPECT_INT(ended->exit_code, 42);
    EXPECT_INT(created->state, CONTAINER_CREATED);
    AUTO_FREE char *secrets = mem_printf("%s/run/secrets/%s", live_top, short_id);
    EXPECT(!file_exists(secrets));
    const char *const kinds[] = {"run/containers", "data/containers", "run/secrets", "run/exits"};
    for (size_t i = 0; i < 4; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s/%s", live_top, kinds[i], orphan);
        EXPECT(!file_exists(path));
    }
    AUTO_FREE char *kept = mem_printf("%s/keep-me", live_top);
    AUTO_FREE char *text = live_read_file(kept);
    EXPECT_STR(text, "kept\n");
    EXPECT_INT(live_stop(running, 5).r, 0);
    EXPECT_INT(running->exit_code, 5);
    AUTO_FREE char *out = live_output(running);
    EXPECT_STR(out, "sesame");
    EXPECT_INT(live_remove(running).r, 0);
    EXPECT_INT(live_remove(ended).r, 0);
    EXPECT_INT(live_remove(created).r, 0);
}

static void a_pid_that_belongs_to_another_by_now_is_not_taken_for_ours(void)
{
    LIVE();
    start_for_recovery("reused", forever);
    struct container *c = find_named("reused");
    REQUIRE(c != NULL);
    AUTO_FREE char *state = mem_printf("%s/data/containers/%s/state.json", live_top, c->id);
    AUTO_FREE char *id = mem_str(c->id);
    away(0);
    AUTO_FREE char *text = mem_printf(
        "{\"state\":\"running\",\"pid\":%d,\"pid_start\":12345,\"exit_code\":0,\"started_ns\":1}",
        (int)getpid());
    EXPECT_INT(file_replace(state, text, strlen(text), 0600, NULL), 0);
    reopen();
    c = find_named("reused");
    REQUIRE(c != NULL);
    EXPECT_INT(c->state, CONTAINER_EXITED);
    AUTO_FREE char *secrets = mem_printf("%s/run/secrets/%s", live_top, id);
    EXPECT(!file_exists(secrets));
    EXPECT_INT(live_remove(c).r, 0);
}

/* ---- speed: told, not judged ---- */

static void starts_in_parallel_all_succeed(void)
{
    LIVE();
    enum { MANY = 50 };
    static struct live_done done[MANY];
    struct container *all[MANY];
    int64_t begin = clock_mono_ns();
    for (int i = 0; i < 10; i++) {
        struct container *c = live_run(live_config(forever));
        REQUIRE(c != NULL);
        all[i] = c;
    }
    int64_t ten = clock_mono_ns();
    for (int i = 0; i < 10; i++)
        EXPECT_INT(live_remove(all[i]).r, 0);
    int64_t removed = clock_mono_ns();
    for (int i = 0; i < MANY; i++) {
        struct live_done d = live_create(live_config(forever));
        REQUIRE(d.r == 0);
        all[i] = d.c;
    }
    int64_t created = clock_mono_ns();
    for (int i = 0; i < MANY; i++) {
        done[i] = (struct live_done){0};
        runtime_start(live_rt, all[i], NULL, 0, live_on_done, &done[i]);
    }
    for (int i = 0; i < MANY; i++) {
        EXPECT(live_until(live_is_done, &done[i]));
        EXPECT_INT(done[i].r, 0);
    }
    int64_t started = clock_mono_ns();
    EXPECT_INT(runtime_count(live_rt, CONTAINER_RUNNING), MANY);
    for (int i = 0; i < MANY; i++) {
        done[i] = (struct live_done){0};
        runtime_remove(live_rt, all[i], true, live_on_done, &done[i]);
    }
    for (int i = 0; i < MANY; i++) {
        EXPECT(live_until(live_is_done, &done[i]));
        EXPECT_INT(done[i].r, 0);
    }
    int64_t end = clock_mono_ns();
    printf("# one after the other: create+start %.1f ms, kill+remove %.1f ms; %d at once: create "
           "%.0f ms, start %.0f ms, kill+remove %.0f ms\n",
           (double)(ten - begin) / 1e7, (double)(removed - ten) / 1e7, MANY,
           (double)(created - removed) / 1e6, (double)(started - created) / 1e6,
           (double)(end - started) / 1e6);
    EXPECT_INT(live_held, 0);
}

int main(void)
{
    if (live_init() != 0)
        return 1;
    TEST(stop_asks_first_and_kills_after_the_grace);
    TEST(a_stopped_container_starts_again_with_its_files);
    TEST(removal_needs_force_while_it_runs);
    TEST(names_are_unique_and_found_in_every_form);
    TEST(waits_end_at_the_exit_and_at_the_removal);
    TEST(logs_are_read_by_stream_tail_and_time);
    TEST(a_follower_gets_new_lines_and_ends_with_the_container);
    TEST(changes_tell_what_was_added_changed_and_deleted);
    TEST(a_daemon_that_comes_back_finds_everything);
    TEST(a_pid_that_belongs_to_another_by_now_is_not_taken_for_ours);
    TEST(starts_in_parallel_all_succeed);
    return live_finish();
}
