/* unit/cli/test_stream.c - frames, lines, detach keys, and counting how far a service is. */
#include <stdlib.h>
#include <unistd.h>
#include "base/mem.h"
#include "cli/api.h"
#include "cli/hijack.h"
#include "cli/js.h"
#include "cli/progress.h"
#include "lib/check.h"

static char got[4][256];

static int collect(void *ctx, int stream, const char *p, size_t n)
{
    (void)ctx;
    strncat(got[stream], p, n);
    return 0;
}

static const char frames[] =
    "\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\4err!\0\0\0\0\0\0\0\1x\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1y";

static void frames_are_put_together_from_any_pieces(void)
{
    for (size_t piece = 1; piece < sizeof frames; piece++) {
        struct demux d = {.on_data = collect};
        memset(got, 0, sizeof got);
        for (size_t i = 0; i < sizeof frames - 1; i += piece) {
            size_t n = sizeof frames - 1 - i < piece ? sizeof frames - 1 - i : piece;
            EXPECT(demux_step(&d, frames + i, n) == 0);
        }
        EXPECT_STR(got[1], "outxy");
        EXPECT_STR(got[2], "err!");
    }
}

static void an_unknown_stream_is_refused(void)
{
    struct demux d = {.on_data = collect};
    EXPECT(demux_step(&d, "\7\0\0\0\0\0\0\1x", 9) < 0);
}

static void detach_keys_are_read(void)
{
    unsigned char k[16];
    size_t n = 0;
    struct err e;
    REQUIRE(detach_keys_parse("ctrl-p,ctrl-q", k, sizeof k, &n, &e) == 0);
    EXPECT_INT(n, 2);
    EXPECT_INT(k[0], 16);
    EXPECT_INT(k[1], 17);
    REQUIRE(detach_keys_parse("ctrl-x,x", k, sizeof k, &n, &e) == 0);
    EXPECT_INT(k[0], 24);
    EXPECT_INT(k[1], 'x');
    EXPECT(detach_keys_parse("ctrl-", k, sizeof k, &n, &e) < 0);
    EXPECT(detach_keys_parse("shift-a", k, sizeof k, &n, &e) < 0);
    EXPECT(detach_keys_parse("ctrl-1", k, sizeof k, &n, &e) < 0);
}

static char lines[8][64];
static size_t nlines;

static int on_line(void *ctx, char *line, size_t n)
{
    (void)ctx;
    (void)n;
    snprintf(lines[nlines++ % 8], sizeof lines[0], "%s", line);
    return 0;
}

static void lines_are_cut_out_of_a_stream(void)
{
    struct line_split l = {.buf = BUF_INIT(64), .on_line = on_line};
    nlines = 0;
    EXPECT(line_split(&l, "ab", 2) == 0);
    EXPECT(line_split(&l, "c\n\nde\nf", 7) == 0);
    EXPECT_INT(nlines, 2);
    EXPECT_STR(lines[0], "abc");
    EXPECT_STR(lines[1], "de");
    AUTO_FREE char *big = mem_new(100);
    memset(big, 'x', 100);
    EXPECT(line_split(&l, big, 100) < 0);
    buf_free(&l.buf);
}

/* --- rollout --- */

static bool step(struct rollout *r, const char *service, const char *tasks, const char *nodes)
{
    static struct cli c;
    struct lines *l = NEW(struct lines);
    AUTO_JSON json_t *s = json_loads(service, 0, NULL), *t = json_loads(tasks, 0, NULL),
                     *n = json_loads(nodes, 0, NULL);
    bool converged = false;
    lines_init(l, stderr, true);
    EXPECT(rollout_step(&c, r, l, s, t, n, &converged) == 0);
    free(l);
    return converged;
}

#define TASK(slot, want, is)                                                                       \
    "{\"Slot\":" #slot ",\"NodeID\":\"n\",\"DesiredState\":\"" want                                \
    "\",\"Status\":{\"State\":\"" is "\"}}"
#define TWO "{\"Spec\":{\"Mode\":{\"Replicated\":{\"Replicas\":2}}}}"

static void a_replicated_service_settles_when_every_slot_runs(void)
{
    struct rollout r = {0};
    EXPECT(!step(&r, TWO, "[]", "{\"n\":true}"));
    EXPECT(!step(&r, TWO, "[" TASK(1, "running", "running") "]", "{\"n\":true}"));
    EXPECT(!step(&r, TWO, "[" TASK(1, "running", "running") "," TASK(2, "running", "starting") "]",
                 "{\"n\":true}"));
    EXPECT(step(&r, TWO, "[" TASK(1, "running", "running") "," TASK(2, "running", "running") "]",
                "{\"n\":true}"));
}

static void a_task_on_a_dead_node_does_not_count(void)
{
    struct rollout r = {0};
    EXPECT(!step(&r, TWO, "[" TASK(1, "running", "running") "," TASK(2, "running", "running") "]",
                 "{}"));
}

static void an_old_task_of_a_slot_does_not_count(void)
{
    struct rollout r = {0};
    EXPECT(!step(&r, TWO,
                 "[" TASK(1, "shutdown", "running") "," TASK(1, "ready", "ready") "," TASK(
                     2, "running", "running") "]",
                 "{\"n\":true}"));
}

static void a_global_service_waits_for_its_first_task(void)
{
    struct rollout r = {0};
    static const char service[] = "{\"Spec\":{\"Mode\":{\"Global\":{}}}}";
    EXPECT(!step(&r, service, "[]", "{\"n\":true}"));
    EXPECT(step(&r, service, "[" TASK(0, "running", "running") "]", "{\"n\":true}"));
}

static void a_job_ends_when_its_runs_are_complete(void)
{
    struct rollout r = {0};
    static const char service[] =
        "{\"Spec\":{\"Mode\":{\"ReplicatedJob\":{\"TotalCompletions\":2,\"MaxConcurrent\":1}}},"
        "\"JobStatus\":{\"JobIteration\":{\"Index\":0}}}";
    EXPECT(!step(&r, service, "[" TASK(0, "complete", "complete") "]", "{\"n\":true}"));
    EXPECT(step(&r, service,
                "[" TASK(0, "complete", "complete") "," TASK(1, "complete", "complete") "]",
                "{\"n\":true}"));
}

static void versions_are_compared_by_their_numbers(void)
{
    EXPECT(version_less("1.9", "1.41"));
    EXPECT(!version_less("1.41", "1.9"));
    EXPECT(!version_less("1.41", "1.41"));
}

static void paths_and_filters_are_escaped(void)
{
    AUTO_FREE char *p = api_path("/secrets/%s", "a b/?#%");
    EXPECT_STR(p, "/secrets/a%20b/%3F%23%25");
    AUTO_BUF struct buf b = BUF_INIT(4096);
    const char *filters[] = {"name=a", "name=b&c", "label=k=v", NULL};
    buf_str(&b, "/x");
    query_filters(&b, filters);
    EXPECT_STR(b.p, "/x?filters=%7B%22label%22%3A%7B%22k%3Dv%22%3Atrue%7D%2C%22name%22%3A%7B%22a%"
                    "22%3Atrue%2C%22b%5Cu0026c%22%3Atrue%7D%7D");
}

int main(void)
{
    TEST(frames_are_put_together_from_any_pieces);
    TEST(an_unknown_stream_is_refused);
    TEST(detach_keys_are_read);
    TEST(lines_are_cut_out_of_a_stream);
    TEST(a_replicated_service_settles_when_every_slot_runs);
    TEST(a_task_on_a_dead_node_does_not_count);
    TEST(an_old_task_of_a_slot_does_not_count);
    TEST(a_global_service_waits_for_its_first_task);
    TEST(a_job_ends_when_its_runs_are_complete);
    TEST(versions_are_compared_by_their_numbers);
    TEST(paths_and_filters_are_escaped);
    return check_done();
}
