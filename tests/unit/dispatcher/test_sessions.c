/* unit/dispatcher/test_sessions.c - who is connected, and until when. */
#include "base/str.h"
#include "dispatcher/sessions.h"
#include "lib/check.h"

#define S(n) ((n)*1000000000LL)
#define PERIOD S(5)

static void a_node_registers_and_is_known_by_its_session_until_its_grace_ends(void)
{
    struct sessions ss = {0};
    struct session *s = NULL, *t = NULL;
    bool expected = true;

    EXPECT_INT(session_check(&ss, "n1", "x", &t), SESSION_NONE);
    EXPECT_INT(session_register(&ss, "n1", "", true, PERIOD, S(100), &s), SESSION_NEW);
    EXPECT_INT(session_check(&ss, "n1", s->id, &t), 0);
    EXPECT(t == s);
    EXPECT_INT(session_check(&ss, "n1", "", &t), SESSION_INVALID);
    EXPECT_INT(session_check(&ss, "n1", "other", &t), SESSION_INVALID);
    EXPECT_INT(session_next_deadline(&ss), S(115));
    session_beat(s, PERIOD, S(103));
    EXPECT(session_expire(&ss, S(118) - 1, &expected) == NULL);
    EXPECT(session_expire(&ss, S(118), &expected) == s);
    EXPECT(!expected);
    EXPECT_INT(session_check(&ss, "n1", s->id, &t), SESSION_NONE);
    EXPECT(session_next_deadline(&ss) == INT64_MAX);
    sessions_done(&ss, NULL);
}

static void the_session_that_is_valid_goes_on_and_any_other_makes_a_new_one(void)
{
    struct sessions ss = {0};
    struct session *s = NULL;
    char first[ID_SIZE];

    session_register(&ss, "n1", "", true, PERIOD, 0, &s);
    str_copy(first, sizeof first, s->id);
    EXPECT_INT(session_register(&ss, "n1", first, true, PERIOD, S(1), &s), SESSION_CONTINUES);
    EXPECT_STR(s->id, first);
    EXPECT_INT(session_register(&ss, "n1", "old", true, PERIOD, S(1), &s), SESSION_NEW);
    EXPECT(!str_eq(s->id, first));
    session_end(s);
    char second[ID_SIZE];
    str_copy(second, sizeof second, s->id);
    EXPECT_INT(session_register(&ss, "n1", second, true, PERIOD, S(2), &s),
               SESSION_NEW); /* it has ended */
    sessions_done(&ss, NULL);
}

static void too_many_registrations_in_a_short_time_are_refused_but_not_this_machines_own(void)
{
    struct sessions ss = {0};
    struct session *s = NULL;

    for (int i = 0; i < 3; i++)
        EXPECT_INT(session_register(&ss, "n1", "", true, PERIOD, S(i), &s), SESSION_NEW);
    EXPECT_INT(session_register(&ss, "n1", "", true, PERIOD, S(3), &s), SESSION_TOO_MANY);
    EXPECT_INT(session_register(&ss, "n2", "", true, PERIOD, S(3), &s), SESSION_NEW);
    EXPECT_INT(session_register(&ss, "n1", "", false, PERIOD, S(3), &s), SESSION_NEW);
    EXPECT_INT(session_register(&ss, "n1", "", true, PERIOD, S(20), &s), SESSION_NEW);
    sessions_done(&ss, NULL);
}

static void a_new_manager_waits_twice_as_long_for_those_it_expects(void)
{
    struct sessions ss = {0};
    struct session *s = NULL;
    bool expected = false;

    session_expect(&ss, "n1", PERIOD, 0);
    session_expect(&ss, "n2", PERIOD, 0);
    session_register(&ss, "n2", "from before", true, PERIOD, S(1), &s);
    EXPECT_INT(session_next_deadline(&ss), S(16));
    session_beat(s, PERIOD, S(29));
    EXPECT(session_expire(&ss, S(30) - 1, &expected) == NULL);
    s = session_expire(&ss, S(30), &expected);
    REQUIRE(s);
    EXPECT_STR(s->node_id, "n1");
    EXPECT(expected);
    sessions_done(&ss, NULL);
}

int main(void)
{
    TEST(a_node_registers_and_is_known_by_its_session_until_its_grace_ends);
    TEST(the_session_that_is_valid_goes_on_and_any_other_makes_a_new_one);
    TEST(too_many_registrations_in_a_short_time_are_refused_but_not_this_machines_own);
    TEST(a_new_manager_waits_twice_as_long_for_those_it_expects);
    return check_done();
}
