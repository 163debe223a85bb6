/* unit/base/test_buf.c - the buffer with a ceiling. */
#include "lib/check.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"

static void appends_are_terminated(void)
{
    AUTO_BUF struct buf b = BUF_INIT(100);
    buf_str(&b, "ab");
    buf_char(&b, 'c');
    buf_append(&b, "\0d", 2);
    buf_printf(&b, "%d", 42);
    EXPECT_INT(b.len, 7);
    EXPECT(memcmp(b.p, "abc\0d42", 8) == 0);
}

static void the_ceiling_is_exact_and_failing_is_final(void)
{
    AUTO_BUF struct buf b = BUF_INIT(10);
    buf_append(&b, "0123456789", 10);
    EXPECT(!b.failed && b.len == 10);
    buf_append(&b, "", 0);
    EXPECT(!b.failed);
    buf_char(&b, 'x');
    EXPECT(b.failed && b.len == 10);
    buf_clear(&b);
    EXPECT(!b.failed && b.len == 0);
    buf_printf(&b, "%s", "01234567890");
    EXPECT(b.failed && b.len == 0);
    EXPECT_STR(b.p, ""); /* nothing of what was cut stays visible */
    buf_str(&b, "a");
    EXPECT_INT(b.len, 0);
}

static void a_failed_format_leaves_what_stood_before(void)
{
    AUTO_BUF struct buf b = BUF_INIT(8);
    buf_str(&b, "abc");
    buf_printf(&b, "%s", "0123456");
    EXPECT(b.failed);
    EXPECT_STR(b.p, "abc");
}

static void formats_longer_than_the_room_are_whole(void)
{
    AUTO_BUF struct buf b = BUF_INIT(100000);
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%050d", i);
    EXPECT(!b.failed);
    EXPECT_INT(b.len, 50000);
    EXPECT(memcmp(b.p + 49950, "00000000000000000000000000000000000000000000000999", 50) == 0);
}

static void absurd_sizes_do_not_wrap(void)
{
    AUTO_BUF struct buf b = BUF_INIT((size_t)-1);
    buf_str(&b, "x");
    EXPECT(b.failed); /* a ceiling that leaves no room for the terminator is an invalid call */
    AUTO_BUF struct buf c = BUF_INIT(1000);
    buf_str(&c, "x");
    buf_reserve(&c, (size_t)-1);
    EXPECT(c.failed && c.len == 1);
}

static void consume_drops_the_front(void)
{
    AUTO_BUF struct buf b = BUF_INIT(100);
    buf_consume(&b, 5);
    buf_str(&b, "abcdef");
    buf_consume(&b, 2);
    EXPECT_STR(b.p, "cdef");
    buf_consume(&b, 99);
    EXPECT_INT(b.len, 0);
    EXPECT_STR(b.p, "");
}

static void take_gives_a_string_even_when_empty(void)
{
    struct buf b = BUF_INIT(100);
    AUTO_FREE char *p = buf_take(&b);
    EXPECT_STR(p, "");
    buf_str(&b, "x");
    AUTO_FREE char *q = buf_take(&b);
    EXPECT_STR(q, "x");
    EXPECT(b.p == NULL && b.len == 0 && b.max == 100);
    buf_free(&b);
    buf_free(&b);
}

static void reading_a_file_stops_at_the_ceiling(void)
{
    AUTO_FREE char *path = mem_printf("%s/f", check_tmpdir());
    AUTO_FCLOSE FILE *f = fopen(path, "we");
    REQUIRE(f);
    for (int i = 0; i < 50000; i++)
        fputc('a' + i % 26, f);
    fflush(f);
    struct err e;
    AUTO_BUF struct buf exact = BUF_INIT(50000), small = BUF_INIT(49999);
    EXPECT_INT(buf_read_file(&exact, path, &e), 0);
    EXPECT_INT(exact.len, 50000);
    EXPECT(exact.p[49999] == 'a' + 49999 % 26);
    EXPECT_INT(buf_read_file(&small, path, &e), -EFBIG);
    EXPECT(strstr(e.text, "larger than 49999 bytes") != NULL);
}

static void files_without_a_size_are_read_whole(void)
{
    struct err e;
    AUTO_BUF struct buf b = BUF_INIT(65536);
    EXPECT_INT(buf_read_file(&b, "/proc/self/status", &e), 0);
    EXPECT(b.p && strstr(b.p, "VmLck:") != NULL);
}

static void missing_files_and_directories_are_told(void)
{
    struct err e;
    AUTO_BUF struct buf b = BUF_INIT(65536);
    EXPECT_INT(buf_read_file(&b, "/nonexistent/x", &e), -ENOENT);
    EXPECT_STR(e.text, "open '/nonexistent/x': No such file or directory");
    EXPECT_INT(buf_read_file(&b, "/tmp", &e), -EISDIR);
}

int main(void)
{
    TEST(appends_are_terminated);
    TEST(the_ceiling_is_exact_and_failing_is_final);
    TEST(a_failed_format_leaves_what_stood_before);
    TEST(formats_longer_than_the_room_are_whole);
    TEST(absurd_sizes_do_not_wrap);
    TEST(consume_drops_the_front);
    TEST(take_gives_a_string_even_when_empty);
    TEST(reading_a_file_stops_at_the_ceiling);
    TEST(files_without_a_size_are_read_whole);
    TEST(missing_files_and_directories_are_told);
    return check_done();
}
