/* runtime/test_runtime_exec.c - clients of a process: attach, exec, terminals, readers that are
 * slow or gone. */
#include "live.h"

struct client { /* collects what it is given */
    struct buf out, err;
    bool ended, started, blocked;
    int r;
    struct err e;
    struct stream *s;
    size_t accept; /* says "full" after so many bytes; 0: never */
};

static struct client *client_new(void)
{
    struct client *c = NEW(struct client);
    c->out = c->err = BUF_INIT(64 << 20);
    buf_str(&c->out, "");
    buf_reserve(&c->out, 1);
    buf_reserve(&c->err, 1);
    return c;
}

static void client_free(struct client *c)
{
    if (c->s && !c->ended)
        stream_close(c->s);
    buf_free(&c->out);
    buf_free(&c->err);
    free(c);
}

static bool on_output(void *arg, enum stream_fd fd, const void *p, size_t n)
{
    struct client *c = arg;
    buf_append(fd == STREAM_STDERR ? &c->err : &c->out, p, n);
    if (c->accept && c->out.len >= c->accept)
        c->blocked = true;
    return !c->blocked;
}

static void on_end(void *arg)
{
    struct client *c = arg;
    c->ended = true;
}

static struct stream_sink sink_of(struct client *c)
{
    return (struct stream_sink){.on_output = on_output, .on_end = on_end, .arg = c};
}

static void on_started(void *arg, int r, const struct err *e, struct stream *s)
{
    struct client *c = arg;
    c->started = true;
    c->r = r;
    c->e = *e;
    c->s = s;
}

static struct exec_config *exec_config(const char *script)
{
    struct exec_config *x = NEW(struct exec_config);
    if (script) {
        strv_push(&x->cmd, mem_str("/bin/sh"));
        strv_push(&x->cmd, mem_str("-c"));
        strv_push(&x->cmd, mem_str(script));
    }
    x->attach_stdout = x->attach_stderr = true;
    return x;
}

static struct exec_config *exec_word(const char *word)
{
    struct exec_config *x = exec_config(NULL);
    strv_push(&x->cmd, mem_str(word));
    return x;
}

static struct container *sleeper;

/* Starts it; the client is NULL when it could not be created. */
static struct client *exec_start(struct exec_config *x, struct exec **ret)
{
    struct err e = {0};
    struct client *c = client_new();
    const struct stream_sink sink = sink_of(c);
    if (runtime_exec_create(live_rt, sleeper, x, ret, &e) != 0) {
        fprintf(stderr, "# %s\n", e.text);
        client_free(c);
        return NULL;
    }
    runtime_exec_start(live_rt, *ret, &sink, on_started, c);
    EXPECT(live_until(live_flag, &c->started));
    return c;
}

static void a_container_to_exec_in_starts(void)
{
    LIVE();
    struct container_config *cfg = live_config("trap 'exit 0' TERM; while :; do sleep 0.1; done");
    cfg->name = mem_str("sleeper");
    strv_push(&cfg->env, mem_str("OWN=container"));
    sleeper = live_run(cfg);
    EXPECT(sleeper != NULL);
}

static void an_exec_gives_both_streams_and_its_exit_code(void)
{
    LIVE();
    struct exec *x;
    struct exec_config *cfg = exec_config("echo out $OWN $X; echo err >&2; id; pwd; exit 7");
    strv_push(&cfg->env, mem_str("X=1"));
    cfg->user = mem_str("app");
    cfg->workdir = mem_str("/tmp");
    struct client *c = exec_start(cfg, &x);
    REQUIRE(c != NULL);
    EXPECT_INT(c->r, 0);
    EXPECT(live_until(live_flag, &c->ended));
    EXPECT_STR(c->out.p,
               "out container 1\nuid=1000(app) gid=1000(app) groups=1000(app),2000(extra)\n/tmp\n");
    EXPECT_STR(c->err.p, "err\n");
    EXPECT_INT(x->exit_code, 7);
    EXPECT(!x->running);
    struct exec *found;
    EXPECT_INT(runtime_exec_find(live_rt, x->id, &found, NULL), 0);
    EXPECT(found == x);
    client_free(c);
}

struct told {
    struct buf words;
    const struct container *of;
};

static void on_told(void *arg, const struct runtime_event *ev)
{
    struct told *t = arg;
    if (t->of && ev->c != t->of)
        return;
    t->of = ev->c;
    buf_printf(&t->words, "%s%s%s|", ev->action, ev->exec_id ? " by exec" : "",
               ev->network_id ? " " : "");
    if (ev->network_id)
        EXPECT_STR(ev->network_id, LIVE_NETWORK);
}

static void what_happens_to_a_container_is_told_in_order_and_in_the_engines_words(void)
{
    LIVE();
    struct told t = {.words = BUF_INIT(1 << 16)};
    struct runtime_watch *w = runtime_watch(live_rt, on_told, &t);
    struct container *before = sleeper;
    struct exec *x;
    sleeper = live_run(live_config("trap 'exit 3' TERM; while :; do sleep 0.1; done"));
    REQUIRE(sleeper != NULL);
    struct client *c = exec_start(exec_word("true"), &x);
    REQUIRE(c != NULL);
    EXPECT(live_until(live_flag, &c->ended));
    client_free(c);
    c = exec_start(exec_config("exit 0"), &x);
    REQUIRE(c != NULL);
    EXPECT(live_until(live_flag, &c->ended));
    client_free(c);
    EXPECT_INT(live_remove(sleeper).r, 0);
    EXPECT_STR(t.words.p, "create|connect |start|"
                          "exec_create: true  by exec|exec_start: true  by exec|exec_die by exec|"
                          "exec_create: /bin/sh -c exit 0 by exec|exec_start: /bin/sh -c exit 0 by "
                          "exec|exec_die by exec|"
                          "kill|die|disconnect |destroy|");
    runtime_unwatch(w);
    buf_free(&t.words);
    sleeper = before;
}

static void check_failing_exec(struct exec_config *cfg, const char *words)
{
    struct exec *x;
    struct client *c = exec_start(cfg, &x);
    REQUIRE(c != NULL);
    EXPECT(c->r != 0);
    EXPECT_STR(c->e.text, words);
    EXPECT_INT(x->exit_code, 126);
    EXPECT(!x->running);
    client_free(c);
}

static void an_exec_that_cannot_be_says_why_in_the_engines_words(void)
{
    LIVE();
    check_failing_exec(exec_word("nosuchcmd"), "OCI runtime exec failed: exec failed: unable to "
                                               "start container process: exec: \"nosuchcmd\": "
                                               "executable file not found in $PATH: unknown");
    check_failing_exec(exec_word("/etc/passwd"), "OCI runtime exec failed: exec failed: unable to "
                                                 "start container process: exec: \"/etc/passwd\": "
                                                 "permission denied: unknown");
    struct exec_config *x = exec_word("ls");
    x->user = mem_str("nouser");
    check_failing_exec(x, "unable to find user nouser: no matching entries in passwd file");
    x = exec_word("ls");
    x->workdir = mem_str("relative");
    check_failing_exec(
        x, "OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown");
    x = exec_word("ls");
    x->user = mem_str("4294967295");
    check_failing_exec(x, "uids and gids must be in range 0-2147483647");
    struct exec *none;
    struct err e = {0};
    EXPECT_INT(runtime_exec_create(live_rt, sleeper, exec_config(NULL), &none, &e),
               RUNTIME_BAD_REQUEST);
    EXPECT_STR(e.text, "No exec command specified");
    EXPECT_INT(runtime_exec_find(live_rt, "nosuch", &none, &e), RUNTIME_NOT_FOUND);
    EXPECT_STR(e.text, "No such exec instance: nosuch");
}

static void an_execs_input_reaches_it_whole_and_its_end_too(void)
{
    LIVE();
    enum { SIZE = 1 << 20 };
    struct exec *x;
    struct exec_config *cfg = exec_config("cat");
    cfg->attach_stdin = true;
    struct client *c = exec_start(cfg, &x);
    REQUIRE(c != NULL && c->r == 0);
    char *data = mem_new(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)('a' + i % 26);
    stream_input(c->s, data, SIZE);
    stream_input_end(c->s);
    EXPECT(live_until(live_flag, &c->ended));
    EXPECT_INT(c->out.len, SIZE);
    EXPECT(c->out.len == SIZE && memcmp(c->out.p, data, SIZE) == 0);
    EXPECT_INT(x->exit_code, 0);
    free(data);
    client_free(c);
}

static void an_exec_killed_by_a_signal_has_128_and_its_number(void)
{
    LIVE();
    struct exec *x;
    struct client *c = exec_start(exec_config("kill -9 $$"), &x);
    REQUIRE(c != NULL);
    EXPECT(live_until(live_flag, &c->ended));
    EXPECT_INT(x->exit_code, 137);
    client_free(c);
}

static bool exec_over(void *arg)
{
    const struct exec *x = arg;
    return x->started && !x->running && x->exit_code >= 0;
}

static void a_detached_exec_runs_by_itself(void)
{
    LIVE();
    struct exec *x;
    struct client *c = client_new();
    EXPECT_INT(runtime_exec_create(live_rt, sleeper,
                                   exec_config("echo done > /tmp/detached; exit 3"), &x, NULL),
               0);
    runtime_exec_start(live_rt, x, NULL, on_started, c);
    EXPECT(live_until(live_flag, &c->started));
    EXPECT_INT(c->r, 0);
    EXPECT(c->s == NULL);
    EXPECT(live_until(exec_over, x));
    EXPECT_INT(x->exit_code, 3);
    c->started = false;
    runtime_exec_start(live_rt, x, NULL, on_started, c);
    EXPECT(live_until(live_flag, &c->started));
    EXPECT_INT(c->r, RUNTIME_CONFLICT);
    client_free(c);
}

static bool has_line(void *arg)
{
    const struct client *c = arg;
    return c->ended || strstr(c->out.p, "ready") != NULL;
}

static void an_exec_with_a_terminal_has_its_size_and_both_ways(void)
{
    LIVE();
    struct exec *x;
    struct exec_config *cfg = exec_config(
        "stty size; echo $TERM; echo ready; a=$(head -n 1); stty size; echo got $a; exit 5");
    cfg->tty = cfg->attach_stdin = true;
    cfg->rows = 33;
    cfg->cols = 77;
    struct client *c = exec_start(cfg, &x);
    REQUIRE(c != NULL && c->r == 0);
    EXPECT(live_until(has_line, c));
    EXPECT_INT(runtime_exec_resize(live_rt, x, 40, 132, NULL), 0);
    stream_input(c->s, "hey\n", 4);
    EXPECT(live_until(live_flag, &c->ended));
    EXPECT(strstr(c->out.p, "33 77\r\nxterm\r\n") != NULL);
    EXPECT(strstr(c->out.p, "40 132\r\ngot hey\r\n") != NULL);
    EXPECT_INT(x->exit_code, 5);
    struct err e = {0};
    EXPECT(runtime_exec_resize(live_rt, x, 10, 10, &e) < 0);
    EXPECT_STR(e.text, "cannot resize a stopped container: unknown");
    client_free(c);
}

static void a_reader_that_stops_makes_only_its_own_exec_wait(void)
{
    LIVE();
    struct exec *x, *y;
    struct client *c = client_new();
    c->accept = 100000;
    const struct stream_sink sink = sink_of(c);
    EXPECT_INT(runtime_exec_create(live_rt, sleeper,
                                   exec_config("head -c 8000000 /dev/zero | tr '\\0' x; echo done"),
                                   &x, NULL),
               0);
    runtime_exec_start(live_rt, x, &sink, on_started, c);
    EXPECT(live_until(live_flag, &c->blocked));
    struct client *other = exec_start(exec_config("echo alive"), &y);
    REQUIRE(other != NULL);
    EXPECT(live_until(live_flag, &other->ended));
    EXPECT_STR(other->out.p, "alive\n");
    EXPECT(x->running);
    EXPECT(c->out.len < 2000000);
    c->accept = 0;
    c->blocked = false;
    stream_resume(c->s);
    EXPECT(live_until(live_flag, &c->ended));
    EXPECT_INT(c->out.len, 8000005);
    client_free(c);
    client_free(other);
}

static void a_client_that_goes_away_leaves_the_exec_running(void)
{
    LIVE();
    struct exec *x;
    struct client *c =
        exec_start(exec_config("for i in 1 2 3 4; do seq 1 20000; sleep 0.1; done; exit 4"), &x);
    REQUIRE(c != NULL && c->r == 0);
    stream_close(TAKE(c->s));
    EXPECT(live_until(exec_over, x));
    EXPECT_INT(x->exit_code, 4);
    EXPECT(!c->ended);
    client_free(c);
}

/* ---- attach ---- */

static void an_attached_client_sends_before_the_start_and_gets_everything(void)
{
    LIVE();
    struct container_config *cfg = live_config("cat; echo end >&2");
    cfg->open_stdin = cfg->stdin_once = true;
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct client *c = client_new();
    const struct stream_sink sink = sink_of(c);
    EXPECT_INT(runtime_attach(live_rt, d.c, &sink, &c->s, NULL), 0);
    stream_input(c->s, "line 1\nline 2\n", 14);
    stream_input_end(c->s);
    EXPECT_INT(live_start(d.c, NULL, 0).r, 0);
    EXPECT(live_until(live_flag, &c->ended));
    EXPECT_STR(c->out.p, "line 1\nline 2\n");
    EXPECT_STR(c->err.p, "end\n");
    EXPECT(live_until(live_stopped, d.c));
    EXPECT_INT(live_remove(d.c).r, 0);
    client_free(c);
}

static void an_attached_terminal_can_be_resized_and_detached_from(void)
{
    LIVE();
    struct container_config *cfg =
        live_config("echo ready; read a; stty size; read b; echo got $a $b; exit 3");
    cfg->open_stdin = cfg->stdin_once = cfg->tty = true;
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct client *c = client_new();
    const struct stream_sink sink = sink_of(c);
    EXPECT_INT(runtime_attach(live_rt, d.c, &sink, &c->s, NULL), 0);
    EXPECT_INT(runtime_resize(live_rt, d.c, 10, 10, NULL), RUNTIME_CONFLICT);
    EXPECT_INT(live_start(d.c, NULL, 0).r, 0);
    EXPECT(live_until(has_line, c));
    EXPECT_INT(runtime_resize(live_rt, d.c, 41, 99, NULL), 0);
    live_sleep_ms(50);
    stream_input(c->s, "one\n", 4);
    live_sleep_ms(100);
    stream_close(c->s);
    struct client *again = client_new();
    const struct stream_sink sink2 = sink_of(again);
    EXPECT_INT(runtime_attach(live_rt, d.c, &sink2, &again->s, NULL), 0);
    stream_input(again->s, "two\n", 4);
    EXPECT(live_until(live_flag, &again->ended));
    EXPECT(strstr(c->out.p, "41 99\r\n") != NULL);
    EXPECT(strstr(again->out.p, "got one two\r\n") != NULL);
    EXPECT(live_until(live_stopped, d.c));
    EXPECT_INT(d.c->exit_code, 3);
    EXPECT_INT(live_remove(d.c).r, 0);
    c->s = NULL;
    client_free(c);
    client_free(again);
}

static void an_attached_client_that_never_reads_is_dropped_and_the_container_goes_on(void)
{
    LIVE();
    struct container_config *cfg = live_config("head -c 20000000 /dev/zero | tr '\\0' x; exit 6");
    free(cfg->log_driver);
    cfg->log_driver = mem_str("none");
    struct live_done d = live_create(cfg);
    REQUIRE(d.r == 0);
    struct client *stuck = client_new(), *reader = client_new();
    stuck->accept = 1;
    const struct stream_sink s1 = sink_of(stuck), s2 = sink_of(reader);
    EXPECT_INT(runtime_attach(live_rt, d.c, &s1, &stuck->s, NULL), 0);
    EXPECT_INT(runtime_attach(live_rt, d.c, &s2, &reader->s, NULL), 0);
    EXPECT_INT(live_start(d.c, NULL, 0).r, 0);
    EXPECT(live_until(live_flag, &stuck->ended));
    EXPECT(live_until(live_flag, &reader->ended));
    EXPECT_INT(reader->out.len, 20000000);
    EXPECT(live_until(live_stopped, d.c));
    EXPECT_INT(d.c->exit_code, 6);
    struct log_query q = {.want_stdout = true, .tail = -1};
    struct log_sink ls = {0};
    struct log_reader *none;
    struct err e = {0};
    EXPECT_INT(runtime_logs(live_rt, d.c, &q, &ls, &none, &e), RUNTIME_BAD_REQUEST);
    EXPECT_STR(e.text, "configured logging driver does not support reading");
    EXPECT_INT(live_remove(d.c).r, 0);
    client_free(stuck);
    client_free(reader);
}

static void execs_in_a_stopped_or_paused_container_are_refused(void)
{
    LIVE();
    struct live_done d = {0};
    struct exec *x;
    struct err e = {0};
    REQUIRE(sleeper != NULL);
    runtime_pause(live_rt, sleeper, true, live_on_done, &d);
    EXPECT(live_until(live_is_done, &d));
    EXPECT_INT(d.r, 0);
    EXPECT_INT(sleeper->state, CONTAINER_PAUSED);
    EXPECT_INT(runtime_exec_create(live_rt, sleeper, exec_word("ls"), &x, &e), RUNTIME_CONFLICT);
    EXPECT_STR(e.text, "Container sleeper is paused, unpause the container before exec");
    d = (struct live_done){0};
    runtime_pause(live_rt, sleeper, false, live_on_done, &d);
    EXPECT(live_until(live_is_done, &d));
    EXPECT_INT(sleeper->state, CONTAINER_RUNNING);
    d = (struct live_done){0};
    runtime_stop(live_rt, sleeper, 0, 5, live_on_done, &d);
    EXPECT(live_until(live_is_done, &d));
    EXPECT_INT(d.r, 0);
    EXPECT_INT(sleeper->exit_code, 0);
    EXPECT_INT(runtime_exec_create(live_rt, sleeper, exec_word("ls"), &x, &e), RUNTIME_CONFLICT);
    EXPECT(strstr(e.text, " is not running") != NULL);
    EXPECT_INT(live_remove(sleeper).r, 0);
}

int main(void)
{
    if (live_init() != 0)
        return 1;
    TEST(a_container_to_exec_in_starts);
    TEST(an_exec_gives_both_streams_and_its_exit_code);
    TEST(what_happens_to_a_container_is_told_in_order_and_in_the_engines_words);
    TEST(an_exec_that_cannot_be_says_why_in_the_engines_words);
    TEST(an_execs_input_reaches_it_whole_and_its_end_too);
    TEST(an_exec_killed_by_a_signal_has_128_and_its_number);
    TEST(a_detached_exec_runs_by_itself);
    TEST(an_exec_with_a_terminal_has_its_size_and_both_ways);
    TEST(a_reader_that_stops_makes_only_its_own_exec_wait);
    TEST(a_client_that_goes_away_leaves_the_exec_running);
    TEST(an_attached_client_sends_before_the_start_and_gets_everything);
    TEST(an_attached_terminal_can_be_resized_and_detached_from);
    TEST(an_attached_client_that_never_reads_is_dropped_and_the_container_goes_on);
    TEST(execs_in_a_stopped_or_paused_container_are_refused);
    return live_finish();
}
