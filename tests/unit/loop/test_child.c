/* unit/loop/test_child.c - running other programs. */
#include "lib/check.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/child.h"
#include "loop/subreaper.h"

static uv_loop_t loop;
static struct {
    int calls, status, signal, lines;
    bool timed_out, out_cut, err_cut;
    struct buf out, err;
} got;

static void on_exit_(void *data, const struct child_result *r)
{
    (void)data;
    got.calls++;
    got.status = r->status;
    got.signal = r->signal;
    got.timed_out = r->timed_out;
    got.out_cut = r->out_cut;
    got.err_cut = r->err_cut;
    buf_append(&got.out, r->out->p, r->out->len);
    buf_append(&got.err, r->err->p, r->err->len);
}

static void begin(void)
{
    buf_free(&got.out);
    buf_free(&got.err);
    memset(&got, 0, sizeof(got));
    got.out = got.err = BUF_INIT(10 << 20);
    buf_str(&got.out, "");
    buf_str(&got.err, "");
}

/* Runs `sh -c script` to its end with both outputs captured, unless the spec says otherwise. */
static void run(struct child_spec spec, const char *script)
{
    struct err e;
    const char *argv[] = {"sh", "-c", script, NULL};
    begin();
    if (!spec.argv)
        spec.argv = argv;
    if (spec.out.to == CHILD_NULL)
        spec.out = (struct child_output){.to = CHILD_CAPTURE, .max = 1 << 20};
    if (spec.err.to == CHILD_NULL)
        spec.err = (struct child_output){.to = CHILD_CAPTURE, .max = 1 << 20};
    spec.on_exit = on_exit_;
    if (child_start(&loop, &spec, NULL, &e) < 0) {
        check_fail_str(__FILE__, __LINE__, "child_start", e.text, "success");
        return;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(got.calls, 1);
}
#define SPEC(...) ((struct child_spec){__VA_ARGS__})

static void output_and_status_come_back(void)
{
    run(SPEC(.uid = 0), "printf 'to out'; printf 'to err' >&2; exit 42");
    EXPECT(got.status == 42 && got.signal == 0 && !got.timed_out);
    EXPECT_STR(got.out.p, "to out");
    EXPECT_STR(got.err.p, "to err");
    EXPECT(!got.out_cut && !got.err_cut);
}

static void a_signal_is_told_apart_from_a_status(void)
{
    run(SPEC(.uid = 0), "kill -9 $$");
    EXPECT(got.status == -1 && got.signal == SIGKILL);
}

static void missing_programs_are_told_at_once(void)
{
    struct err e;
    const char *const none[] = {"no-such-program-here", NULL}, *const path[] = {"/no/such", NULL};
    const char *const dir[] = {"/tmp", NULL}, *const empty[] = {NULL};
    begin();
    EXPECT_INT(child_start(&loop, &SPEC(.argv = none, .on_exit = on_exit_), NULL, &e), -ENOENT);
    EXPECT(strncmp(e.text, "start 'no-such-program-here': not found in /usr/local/sbin", 55) == 0);
    EXPECT_INT(child_start(&loop, &SPEC(.argv = path, .on_exit = on_exit_), NULL, &e), -ENOENT);
    EXPECT_STR(e.text, "start '/no/such': exec: No such file or directory");
    EXPECT_INT(child_start(&loop, &SPEC(.argv = dir, .on_exit = on_exit_), NULL, &e), -EACCES);
    EXPECT_INT(child_start(&loop, &SPEC(.argv = empty), NULL, &e), -EINVAL);
    const char *const sh[] = {"sh", NULL};
    EXPECT_INT(child_start(&loop, &SPEC(.argv = sh, .cwd = "/no/such"), NULL, &e), -ENOENT);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(got.calls, 0);
}

static void senseless_specs_are_refused(void)
{
    struct err e;
    const char *const sh[] = {"sh", NULL};
    struct child_fd low = {.fd = 1, .as = 2}, high = {.fd = 1, .as = 99},
                    none = {.fd = -1, .as = 3};
    const struct child_spec bad[] = {
        {.argv = sh, .out = {.to = CHILD_CAPTURE}},
        {.argv = sh, .out = {.to = CHILD_LINES}},
        {.argv = sh, .err = {.to = CHILD_CHUNKS}},
        {.argv = sh, .out = {.to = CHILD_DATA}},
        {.argv = sh, .out = {.to = CHILD_FD, .fd = -1}},
        {.argv = sh, .in = {.from = CHILD_CAPTURE}},
        {.argv = sh, .in = {.from = CHILD_FD, .fd = -1}},
        {.argv = sh, .fds = &low, .nfds = 1},
        {.argv = sh, .fds = &high, .nfds = 1},
        {.argv = sh, .fds = &none, .nfds = 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int r = child_start(&loop, &bad[i], NULL, &e);
        EXPECT(r == -EINVAL || r == -EBADF);
    }
}

static void the_environment_is_only_what_was_given(void)
{
    const char *const env[] = {"A=1", "B=two words", NULL};
    const char *const argv[] = {"/usr/bin/env", NULL};
    setenv("SECRET_OF_THE_DAEMON", "x", 1);
    setenv("A", "ours", 1);
    run(SPEC(.argv = argv, .env = env), NULL);
    EXPECT_STR(got.out.p, "A=1\nB=two words\n");
    run(SPEC(.argv = argv), NULL);
    EXPECT_STR(got.out.p, "PATH=" CHILD_PATH "\n");
    run(SPEC(.argv = argv, .env = env, .inherit_env = true), NULL);
    EXPECT(strstr(got.out.p, "SECRET_OF_THE_DAEMON=x\n") && strstr(got.out.p, "A=1\n"));
    EXPECT(!strstr(got.out.p, "A=ours"));
}

static void no_descriptor_leaks(void)
{
    int leak = open("/dev/null",
                    O_RDONLY); /* even one that forgot close-on-exec would be a bug elsewhere */
    fcntl(leak, F_SETFD, FD_CLOEXEC);
    const char *const ls[] = {"ls", "/proc/self/fd", NULL};
    run(SPEC(.argv = ls), NULL);
    EXPECT_STR(got.out.p, "0\n1\n2\n3\n"); /* 3 is the directory that it lists */
    run(SPEC(.uid = 0), "readlink /proc/$$/fd/0; pwd; cat");
    EXPECT_STR(got.out.p, "/dev/null\n/\n");
    close(leak);
}

static void descriptors_get_the_numbers_asked_for(void)
{
    int p[2], q[2];
    REQUIRE(pipe2(p, O_CLOEXEC) == 0 && pipe2(q, O_CLOEXEC) == 0);
    EXPECT_INT(write(q[1], "start\n", 6), 6);
    /* crosswise, so that a naive dup2 would overwrite one with the other */
    struct child_fd crossed[] = {{.fd = p[1], .as = q[0]}, {.fd = q[0], .as = p[1]}};
    AUTO_FREE char *script = mem_printf("read x <&%d; echo \"got $x\" >&%d", p[1], q[0]);
    const char *const bash[] = {"bash", "-c", script,
                                NULL}; /* dash knows numbers of one digit only */
    run(SPEC(.argv = bash, .fds = crossed, .nfds = 2), NULL);
    char text[32] = "";
    EXPECT_INT(read(p[0], text, sizeof(text) - 1), 10);
    EXPECT_STR(text, "got start\n");
    struct child_fd low[] = {{.fd = p[1], .as = 3}, {.fd = q[0], .as = 4}, {.fd = p[1], .as = 20}};
    EXPECT_INT(write(q[1], "again\n", 6), 6);
    run(SPEC(.fds = low, .nfds = 3), "read x <&4; echo \"$x\" >&3; for f in /proc/$$/fd/*; do [ -e "
                                     "$f ] && printf '%s ' ${f##*/}; done");
    memset(text, 0, sizeof(text));
    EXPECT_INT(read(p[0], text, sizeof(text) - 1), 6);
    EXPECT_STR(text, "again\n");
    EXPECT_STR(got.out.p, "0 1 2 20 3 4 ");
    EXPECT_INT(fcntl(p[1], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC); /* ours are as they were */
    close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

static void a_failed_exec_is_told_even_with_many_descriptors(void)
{
    struct err e;
    struct child_fd fds[CHILD_FD_MAX - 2];
    const char *const argv[] = {"/no/such", NULL};
    for (int i = 0; i < CHILD_FD_MAX - 2; i++)
        fds[i] = (struct child_fd){.fd = 1, .as = i + 3};
    struct child_spec spec = {.argv = argv, .fds = fds, .nfds = CHILD_FD_MAX - 2};
    EXPECT_INT(child_start(&loop, &spec, NULL, &e), -ENOENT);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void signals_start_as_the_system_has_them(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    run(SPEC(.uid = 0), "grep -E '^Sig(Blk|Ign)' /proc/self/status");
    unsigned long blocked = 1, ignored = 1;
    EXPECT_INT(sscanf(got.out.p, "SigBlk: %lx SigIgn: %lx", &blocked, &ignored), 2);
    EXPECT(blocked == 0 && (ignored & 0x7fffffff) == 0); /* 32 and 33 belong to the C library */
    signal(SIGUSR1, SIG_DFL);
}

static void another_user_has_no_rights_of_ours(void)
{
    if (geteuid() != 0) {
        check_skip("needs root");
        return;
    }
    run(SPEC(.set_ids = true, .uid = 65534, .gid = 65533),
        "id -u; id -g; id -G; grep CapEff /proc/self/status");
    EXPECT_STR(got.out.p, "65534\n65533\n65533\nCapEff:\t0000000000000000\n");
}

static void captured_output_stops_at_its_ceiling(void)
{
    run(SPEC(.out = {.to = CHILD_CAPTURE, .max = 1000}),
        "head -c 500000 /dev/zero | tr '\\0' x; echo done >&2");
    EXPECT_INT(got.out.len, 1000);
    EXPECT(got.out_cut && !got.err_cut && got.status == 0);
    EXPECT_STR(got.err.p, "done\n");
}

static void input_is_fed_and_ended(void)
{
    AUTO_FREE char *big = mem_new(300001);
    memset(big, 'y', 300000);
    run(SPEC(.in = {.from = CHILD_DATA, .data = big, .len = 300000}), "cat");
    EXPECT_INT(got.out.len, 300000);
    EXPECT(got.out.len == 300000 && strcmp(got.out.p, big) == 0);
    run(SPEC(.in = {.from = CHILD_DATA, .data = big, .len = 300000}), "exit 3"); /* does not read */
    EXPECT_INT(got.status, 3);
    run(SPEC(.in = {.from = CHILD_DATA, .data = "", .len = 0}), "cat; echo end");
    EXPECT_STR(got.out.p, "end\n");
}

static void given_descriptors_serve_as_streams(void)
{
    int p[2];
    REQUIRE(pipe2(p, O_CLOEXEC) == 0);
    AUTO_CLOSE int in = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    run(SPEC(.in = {.from = CHILD_FD, .fd = in}, .out = {.to = CHILD_FD, .fd = p[1]}),
        "cat >/dev/null; echo here");
    char text[16] = "";
    EXPECT_INT(read(p[0], text, sizeof(text) - 1), 5);
    EXPECT_STR(text, "here\n");
    close(p[0]), close(p[1]);
}

static void on_line(void *data, const char *line, size_t n)
{
    struct buf *b = data;
    got.lines++;
    EXPECT_INT(strlen(line), n);
    buf_printf(b, "[%s]", line);
}

static void lines_come_one_by_one(void)
{
    AUTO_BUF struct buf b = BUF_INIT(10000);
    run(SPEC(.out = {.to = CHILD_LINES, .max = 5, .on_line = on_line}, .data = &b),
        "printf 'one\\n\\nfar too long\\nfive5\\nla'; sleep 0.05; printf st");
    EXPECT_STR(b.p, "[one][][far t][five5][last]");
    EXPECT(got.lines == 5 && got.out_cut);
}

static void on_chunk(void *data, const char *p, size_t n)
{
    (void)p;
    *(size_t *)data += n;
}

static void chunks_come_as_they_are(void)
{
    size_t sum = 0;
    run(SPEC(.out = {.to = CHILD_CHUNKS, .on_chunk = on_chunk}, .data = &sum),
        "head -c 3000000 /dev/zero");
    EXPECT_INT(sum, 3000000);
    EXPECT_INT(got.out.len, 0);
}

static struct child *paused;

static void on_resume(uv_timer_t *t)
{
    (void)t;
    child_pause(paused, false);
}

static void a_paused_child_loses_nothing(void)
{
    struct err e;
    size_t sum = 0;
    uv_timer_t t;
    const char *const argv[] = {"head", "-c", "40000", "/dev/zero", NULL};
    begin();
    struct child_spec spec = {.argv = argv, .on_exit = on_exit_, .data = &sum};
    spec.out = (struct child_output){.to = CHILD_CHUNKS, .on_chunk = on_chunk};
    REQUIRE(child_start(&loop, &spec, &paused, &e) == 0);
    child_pause(paused, true);
    uv_timer_init(&loop, &t);
    uv_timer_start(&t, on_resume, CHILD_DRAIN_MS + 300, 0); /* the child ends long before */
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(sum, 40000);
    EXPECT_INT(got.calls, 1);
    uv_close((uv_handle_t *)&t, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void a_timeout_asks_and_then_kills(void)
{
    int64_t t = clock_mono_ns();
    run(SPEC(.timeout_ms = 100), "trap 'echo bye; exit 5' TERM; while :; do sleep 0.02; done");
    EXPECT(got.timed_out && got.status == 5);
    EXPECT_STR(got.out.p, "bye\n");
    run(SPEC(.timeout_ms = 100, .grace_ms = 100), "trap '' TERM; while :; do sleep 0.02; done");
    EXPECT(got.timed_out && got.signal == SIGKILL);
    EXPECT(clock_mono_ns() - t < 5 * NS_PER_SEC);
}

static void a_session_is_killed_as_a_whole(void)
{
    int64_t t = clock_mono_ns();
    run(SPEC(.timeout_ms = 100, .new_session = true), "sleep 30 & sleep 30 & wait");
    EXPECT(got.timed_out);
    EXPECT(clock_mono_ns() - t <
           (100 + CHILD_DRAIN_MS) * NS_PER_MS); /* both sleepers held the pipe */
}

static void a_grandchild_that_keeps_the_pipe_does_not_hold_us(void)
{
    int64_t t = clock_mono_ns();
    run(SPEC(.uid = 0), "sleep 3 & echo first");
    EXPECT_STR(got.out.p, "first\n");
    EXPECT(clock_mono_ns() - t < 2 * NS_PER_SEC);
}

static void an_abandoned_child_dies_without_a_word(void)
{
    struct err e;
    struct child *c;
    const char *const argv[] = {"sleep", "30", NULL};
    begin();
    struct child_spec spec = {.argv = argv, .on_exit = on_exit_};
    spec.out = (struct child_output){.to = CHILD_CAPTURE, .max = 10};
    REQUIRE(child_start(&loop, &spec, &c, &e) == 0);
    pid_t pid = child_pid(c);
    EXPECT(pid > 0 && child_known(pid));
    child_abandon(c);
    child_abandon(NULL);
    int64_t t = clock_mono_ns();
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT(clock_mono_ns() - t < 2 * NS_PER_SEC);
    EXPECT(got.calls == 0 && !child_known(pid) && kill(pid, 0) < 0);
}

static void a_hundred_children_at_once(void)
{
    struct err e;
    const char *const argv[] = {"sh", "-c", "echo x", NULL};
    begin();
    struct child_spec spec = {.argv = argv, .on_exit = on_exit_};
    spec.out = (struct child_output){.to = CHILD_CAPTURE, .max = 10};
    int64_t t = clock_mono_ns();
    for (int i = 0; i < 100; i++)
        REQUIRE(child_start(&loop, &spec, NULL, &e) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("# 100 shells in %lld ms\n", (long long)((clock_mono_ns() - t) / NS_PER_MS));
    EXPECT_INT(got.calls, 100);
    EXPECT_INT(got.out.len, 200);
}

/* --- orphans
 * ------------------------------------------------------------------------------------------ */

static struct {
    int count, status[64], signal[64];
} reaped;

static void on_reaped(void *data, pid_t pid, int status, int signum)
{
    (void)data;
    EXPECT(pid > 0);
    if (reaped.count < 64) {
        reaped.status[reaped.count] = status;
        reaped.signal[reaped.count] = signum;
    }
    reaped.count++;
}

static void on_enough(uv_timer_t *t)
{
    uv_stop(t->loop);
}

static void wait_for(uint64_t ms)
{
    uv_timer_t t;
    uv_timer_init(&loop, &t);
    uv_timer_start(&t, on_enough, ms, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&t, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void orphans_are_adopted_and_their_status_told(void)
{
    struct err e;
    struct subreaper *s;
    memset(&reaped, 0, sizeof(reaped));
    REQUIRE(subreaper_start(&loop, on_reaped, NULL, &s, &e) == 0);
    run(SPEC(.uid = 0), "(sleep 0.1; exit 7) >/dev/null 2>&1 & (sleep 0.2; kill -15 $(exec sh -c "
                        "'echo $PPID')) >/dev/null 2>&1 & exit 3");
    EXPECT_INT(got.status, 3);
    wait_for(600);
    EXPECT(reaped.count >= 2);
    bool seven = false, term = false;
    for (int i = 0; i < reaped.count && i < 64; i++) {
        seven |= reaped.status[i] == 7;
        term |= reaped.status[i] == -1 && reaped.signal[i] == SIGTERM;
    }
    EXPECT(seven && term);
    subreaper_free(s);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void our_own_children_keep_their_status_beside_orphans(void)
{
    struct err e;
    struct subreaper *s;
    const char *const argv[] = {
        "sh", "-c", "(exit 9) >/dev/null 2>&1 & (sleep 0.01; exit 9) >/dev/null 2>&1 & exit 4",
        NULL};
    memset(&reaped, 0, sizeof(reaped));
    REQUIRE(subreaper_start(&loop, on_reaped, NULL, &s, &e) == 0);
    begin();
    struct child_spec spec = {.argv = argv, .on_exit = on_exit_};
    for (int i = 0; i < 50; i++)
        REQUIRE(child_start(&loop, &spec, NULL, &e) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(got.calls, 50);
    EXPECT_INT(got.status, 4);
    wait_for(500);
    EXPECT(reaped.count >= 50); /* each shell may still reap its first one itself */
    for (int i = 0; i < reaped.count && i < 64; i++)
        EXPECT_INT(reaped.status[i], 9);
    EXPECT(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* no zombie is left */
    subreaper_free(s);
    subreaper_free(NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void programs_are_found_in_the_fixed_path(void)
{
    char path[64], tiny[5];
    EXPECT_INT(child_find("sh", path, sizeof(path)), 0);
    EXPECT(strcmp(path, "/usr/bin/sh") == 0 || strcmp(path, "/bin/sh") == 0);
    EXPECT_INT(child_find("sh", tiny, sizeof(tiny)), -ENOENT);
    EXPECT_INT(child_find("", path, sizeof(path)), -ENOENT);
    EXPECT_INT(child_find("../bin/sh", path, sizeof(path)), -ENOENT);
}

int main(void)
{
    uv_loop_init(&loop);
    TEST(output_and_status_come_back);
    TEST(a_signal_is_told_apart_from_a_status);
    TEST(missing_programs_are_told_at_once);
    TEST(senseless_specs_are_refused);
    TEST(the_environment_is_only_what_was_given);
    TEST(no_descriptor_leaks);
    TEST(descriptors_get_the_numbers_asked_for);
    TEST(a_failed_exec_is_told_even_with_many_descriptors);
    TEST(signals_start_as_the_system_has_them);
    TEST(another_user_has_no_rights_of_ours);
    TEST(captured_output_stops_at_its_ceiling);
    TEST(input_is_fed_and_ended);
    TEST(given_descriptors_serve_as_streams);
    TEST(lines_come_one_by_one);
    TEST(chunks_come_as_they_are);
    TEST(a_paused_child_loses_nothing);
    TEST(a_timeout_asks_and_then_kills);
    TEST(a_session_is_killed_as_a_whole);
    TEST(a_grandchild_that_keeps_the_pipe_does_not_hold_us);
    TEST(an_abandoned_child_dies_without_a_word);
    TEST(a_hundred_children_at_once);
    TEST(orphans_are_adopted_and_their_status_told);
    TEST(our_own_children_keep_their_status_beside_orphans);
    TEST(programs_are_found_in_the_fixed_path);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0)
        printf("# handles are left in the loop\nnot ok 99 - the loop closes\n");
    buf_free(&got.out);
    buf_free(&got.err);
    return check_done();
}
