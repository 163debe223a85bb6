/* image/feed.c - decompresses, hashes, measures and hands the tar to libarchive's tar reader. */
#include "image/unpack.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { FEED_BLOCK = 65536, PROGRESS_STEP = 512 << 10 };

static int feed_fail(struct feed *f, const char *words)
{
    return err_set(&f->err, -EPROTO, "%s", words);
}

int feed_open(struct feed *f, int fd, uint64_t max, bool hash)
{
    struct stat st;
    *f = (struct feed){.max = max};
    if (fstat(fd, &st) < 0)
        return err_sys(&f->err, errno, "cannot read the archive");
    f->total = (uint64_t)st.st_size;
    f->raw = archive_read_new();
    if (!f->raw)
        return feed_fail(f, "out of memory");
    if (hash)
        f->hash = digest_new();
    archive_read_support_filter_gzip(f->raw);
    archive_read_support_filter_bzip2(f->raw);
    archive_read_support_filter_xz(f->raw);
    archive_read_support_filter_zstd(f->raw);
    archive_read_support_format_raw(f->raw);
    archive_read_support_format_empty(f->raw);
    if (archive_read_open_fd(f->raw, fd, FEED_BLOCK) != ARCHIVE_OK)
        return feed_fail(f, "unexpected EOF");
    return 0;
}

static int feed_start(struct feed *f)
{
    struct archive_entry *en;
    int x = archive_read_next_header(f->raw, &en);
    f->started = true;
    f->ended = x == ARCHIVE_EOF;
    return x == ARCHIVE_OK || x == ARCHIVE_EOF ? 0 : feed_fail(f, "unexpected EOF");
}

static int feed_measure(struct feed *f, size_t n)
{
    f->out += n;
    if (f->out > f->max)
        return feed_fail(f, "the archive is larger than allowed");
    uint64_t in = (uint64_t)archive_filter_bytes(f->raw, -1);
    if (f->out > UNPACK_RATIO_FREE && f->out / UNPACK_RATIO_MAX > in)
        return feed_fail(f, "the archive expands to far more than its size");
    if (in - f->reported >= PROGRESS_STEP && in < f->total) {
        f->reported = in;
        unpack_report("progress %llu %llu", (unsigned long long)in, (unsigned long long)f->total);
    }
    return 0;
}

/* The next bytes; 0 at the end; negative after an error. */
static la_ssize_t feed_next(struct feed *f, const void **ret)
{
    size_t n = 0;
    la_int64_t offset;
    if (!f->started && feed_start(f) < 0)
        return -1;
    while (n == 0 && !f->ended) {
        int x = archive_read_data_block(f->raw, ret, &n, &offset);
        if (x == ARCHIVE_EOF)
            f->ended = true;
        else if (x != ARCHIVE_OK)
            return feed_fail(f, "unexpected EOF"), -1;
    }
    if (f->ended)
        return 0;
    if (feed_measure(f, n) < 0)
        return -1;
    if (f->hash)
        digest_update(f->hash, *ret, n);
    return (la_ssize_t)n;
}

static la_ssize_t on_tar_read(struct archive *a, void *arg, const void **ret)
{
    struct feed *f = arg;
    la_ssize_t n = feed_next(f, ret);
    if (n < 0)
        archive_set_error(a, EIO, "%s", err_text(&f->err));
    return n;
}

int feed_tar(struct feed *f, struct archive **ret, struct err *e)
{
    struct archive *a = archive_read_new();
    if (!a)
        return err_set(e, -ENOMEM, "out of memory");
    archive_read_support_format_tar(a);
    archive_read_support_format_empty(a);
    if (archive_read_open(a, f, NULL, on_tar_read, NULL) != ARCHIVE_OK) {
        int r = feed_error(f, a, e);
        archive_read_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

int feed_error(struct feed *f, struct archive *a, struct err *e)
{
    const char *words = archive_error_string(a);
    if (f->err.text[0])
        return err_set(e, -EPROTO, "%s", err_text(&f->err));
    if (!words)
        words = "unreadable archive";
    if (strstr(words, "runcated") || (strstr(words, "Unrecognized") && f->out < 512))
        words = "unexpected EOF";
    else if (strstr(words, "Unrecognized") || strstr(words, "Damaged"))
        words = "archive/tar: invalid tar header";
    return err_set(e, -EPROTO, "%s", words);
}

int feed_drain(struct feed *f, struct err *e)
{
    const void *p;
    la_ssize_t n;
    do
        n = feed_next(f, &p);
    while (n > 0);
    return n < 0 ? err_set(e, -EPROTO, "%s", err_text(&f->err)) : 0;
}

void feed_close(struct feed *f)
{
    archive_read_free(f->raw);
    digest_free(f->hash);
    f->raw = NULL, f->hash = NULL;
}
