/* unit/loop/test_deferred.c - many requests, one call. */
#include "lib/check.h"
#include <uv.h>
#include "base/clock.h"
#include "loop/deferred.h"

static uv_loop_t loop;
static struct deferred *d;
static int calls, asks_inside;

static void on_due(void *data)
{
    (void)data;
    calls++;
    if (asks_inside > 0) {
        asks_inside--;
        deferred_ask(d);
    }
}

static void begin(void)
{
    uv_loop_init(&loop);
    calls = asks_inside = 0;
    d = deferred_new(&loop, on_due, NULL);
}

static void end(void)
{
    deferred_free(d);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&loop), 0);
}

static void many_requests_become_one_call(void)
{
    begin();
    for (int i = 0; i < 1000; i++)
        deferred_ask(d);
    EXPECT(deferred_pending(d) && calls == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(calls, 1);
    EXPECT(!deferred_pending(d));
    end();
}

static void asking_inside_means_the_next_turn(void)
{
    begin();
    asks_inside = 3;
    deferred_ask(d);
    uv_run(&loop, UV_RUN_ONCE);
    EXPECT_INT(calls, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(calls, 4);
    end();
}

static void on_timer(uv_timer_t *t)
{
    deferred_ask(d);
    if (t->data)
        EXPECT_INT(calls, 0);
}

static void the_call_comes_in_the_turn_of_the_request_without_sleeping(void)
{
    begin();
    uv_timer_t a, far;
    uv_timer_init(&loop, &a);
    uv_timer_init(&loop, &far);
    a.data = NULL;
    uv_timer_start(&a, on_timer, 0, 0);
    uv_timer_start(&far, on_timer, 60000, 0);
    int64_t t = clock_mono_ns();
    uv_run(&loop, UV_RUN_ONCE);
    EXPECT_INT(calls, 1);
    EXPECT(clock_mono_ns() - t < NS_PER_SEC);
    uv_close((uv_handle_t *)&a, NULL);
    uv_close((uv_handle_t *)&far, NULL);
    end();
}

static void a_cancelled_request_is_forgotten(void)
{
    begin();
    deferred_ask(d);
    deferred_cancel(d);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(calls, 0);
    end();
}

static void free_itself(void *data)
{
    calls++;
    deferred_free(*(struct deferred **)data);
}

static void it_may_be_freed_inside_its_call(void)
{
    begin();
    struct deferred *self;
    self = deferred_new(&loop, free_itself, &self);
    deferred_ask(self);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(calls, 1);
    deferred_free(NULL);
    end();
}

static void freeing_forgets_the_request(void)
{
    begin();
    deferred_ask(d);
    end();
    EXPECT_INT(calls, 0);
}

int main(void)
{
    TEST(many_requests_become_one_call);
    TEST(asking_inside_means_the_next_turn);
    TEST(the_call_comes_in_the_turn_of_the_request_without_sleeping);
    TEST(a_cancelled_request_is_forgotten);
    TEST(it_may_be_freed_inside_its_call);
    TEST(freeing_forgets_the_request);
    return check_done();
}
