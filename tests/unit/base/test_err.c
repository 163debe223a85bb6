/* unit/base/test_err.c - sentences of failure. */
#include "lib/check.h"
#include <errno.h>
#include "base/err.h"

static void set_returns_the_number_and_keeps_the_words(void)
{
    struct err e;
    EXPECT_INT(err_set(&e, -EPROTO, "frame %d is bad", 7), -EPROTO);
    EXPECT_STR(err_text(&e), "frame 7 is bad");
}

static void sys_appends_the_systems_words_and_negates(void)
{
    struct err e;
    EXPECT_INT(err_sys(&e, ENOENT, "open '%s'", "/x"), -ENOENT);
    EXPECT_STR(err_text(&e), "open '/x': No such file or directory");
    EXPECT_INT(err_sys(&e, -ENOENT, "open"), -ENOENT);
    EXPECT_STR(err_text(&e), "open: No such file or directory");
    EXPECT_INT(err_sys(&e, 99999, "open"), -99999);
    EXPECT_STR(err_text(&e), "open: unknown error");
}

static void wrap_puts_words_in_front(void)
{
    struct err e;
    err_set(&e, -EIO, "short read");
    EXPECT_INT(err_wrap(&e, -EIO, "segment %d", 3), -EIO);
    EXPECT_INT(err_wrap(&e, -EIO, "log"), -EIO);
    EXPECT_STR(err_text(&e), "log: segment 3: short read");
}

static void wrap_of_an_empty_sentence_has_no_colon(void)
{
    struct err e = {0};
    err_wrap(&e, -EIO, "log");
    EXPECT_STR(err_text(&e), "log");
}

static void no_struct_is_allowed_everywhere(void)
{
    EXPECT_INT(err_set(NULL, -1, "a"), -1);
    EXPECT_INT(err_sys(NULL, EIO, "a"), -EIO);
    EXPECT_INT(err_wrap(NULL, -2, "a"), -2);
    EXPECT_STR(err_text(NULL), "");
}

static void long_sentences_are_cut_and_marked(void)
{
    char big[3 * ERR_TEXT_MAX];
    struct err e;
    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    err_set(&e, -1, "%s", big);
    EXPECT_INT(strlen(e.text), ERR_TEXT_MAX - 1);
    EXPECT_STR(e.text + ERR_TEXT_MAX - 4, "...");
    err_sys(&e, EIO, "%s", big);
    EXPECT_STR(e.text + ERR_TEXT_MAX - 4, "...");
    for (int i = 0; i < 200; i++)
        err_wrap(&e, -1, "layer %d", i);
    EXPECT_INT(strlen(e.text), ERR_TEXT_MAX - 1);
    EXPECT(strncmp(e.text, "layer 199: layer 198: ", 22) == 0);
    EXPECT_STR(e.text + ERR_TEXT_MAX - 4, "...");
}

static void a_sentence_of_exactly_the_size_is_not_marked(void)
{
    char fit[ERR_TEXT_MAX];
    struct err e;
    memset(fit, 'a', sizeof(fit) - 1);
    fit[sizeof(fit) - 1] = 0;
    err_set(&e, -1, "%s", fit);
    EXPECT_STR(e.text, fit);
}

int main(void)
{
    TEST(set_returns_the_number_and_keeps_the_words);
    TEST(sys_appends_the_systems_words_and_negates);
    TEST(wrap_puts_words_in_front);
    TEST(wrap_of_an_empty_sentence_has_no_colon);
    TEST(no_struct_is_allowed_everywhere);
    TEST(long_sentences_are_cut_and_marked);
    TEST(a_sentence_of_exactly_the_size_is_not_marked);
    return check_done();
}
