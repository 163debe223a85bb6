/* image/outer.c - an image archive into numbered files; its names are only told, never used. */
#include "image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"

struct outer {
    int root;
    unsigned files, entries;
    uint64_t bytes, max;
};

static int write_block(int fd, const char *p, size_t n, off_t at, struct err *e)
{
    while (n > 0) {
        ssize_t w = pwrite(fd, p, n, at);
        if (w < 0 && errno != EINTR)
            return err_sys(e, errno, "cannot write");
        if (w > 0)
            p += w, n -= (size_t)w, at += w;
    }
    return 0;
}

static int copy_data(struct outer *o, struct feed *f, struct archive *a, int fd, struct digest *h,
                     struct err *e)
{
    const void *p;
    size_t n;
    la_int64_t at, expected = 0;
    for (;;) {
        int x = archive_read_data_block(a, &p, &n, &at);
        if (x == ARCHIVE_EOF)
            return 0;
        if (x != ARCHIVE_OK)
            return feed_error(f, a, e);
        if (at != expected) /* holes have no place in an image archive, and would not be hashed */
            return err_set(e, -EPROTO, "the archive holds a sparse file");
        expected = at + (la_int64_t)n;
        o->bytes += n;
        if (o->bytes > o->max)
            return err_set(e, -EPROTO, "the archive is larger than allowed");
        if (h)
            digest_update(h, p, n);
        int r = write_block(fd, p, n, (off_t)at, e);
        if (r < 0)
            return r;
    }
}

static int take_file(struct outer *o, struct feed *f, struct archive *a, const char *path,
                     struct archive_entry *en, struct err *e)
{
    char own[16], hex[DIGEST_HEX_SIZE] = "-", name[3 * UNPACK_PATH_MAX + 1];
    la_int64_t size = archive_entry_size(en);
    snprintf(own, sizeof own, "f%u", o->files);
    AUTO_CLOSE int fd = openat(o->root, own, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "cannot write");
    struct digest *h = str_starts(path, "blobs/") ? digest_new() : NULL;
    uint64_t before = o->bytes;
    int r = copy_data(o, f, a, fd, h, e);
    if (r == 0 && o->bytes - before != (uint64_t)size)
        r = err_set(e, -EPROTO, "unexpected EOF");
    if (h && r == 0)
        digest_end(h, hex);
    else
        digest_free(h);
    if (r < 0)
        return r;
    unpack_encode(path, name, sizeof name);
    unpack_report("file %u %lld %s %s", o->files, (long long)size, hex, name);
    o->files++;
    return 0;
}

static int take_link(const char *path, const char *target, struct err *e)
{
    char name[3 * UNPACK_PATH_MAX + 1], to[3 * UNPACK_PATH_MAX + 1];
    if (!target || !*target || strlen(target) > UNPACK_PATH_MAX)
        return err_set(e, -EPROTO, "the archive holds a link without a target");
    unpack_encode(path, name, sizeof name);
    unpack_encode(target, to, sizeof to);
    unpack_report("link %s %s", name, to);
    return 0;
}

static int take_entry(struct outer *o, struct feed *f, struct archive *a, struct archive_entry *en,
                      struct err *e)
{
    char path[UNPACK_PATH_MAX + 1];
    const char *name = archive_entry_pathname(en);
    if (++o->entries > UNPACK_FILES_MAX)
        return err_set(e, -EPROTO, "the archive holds more than %d entries", UNPACK_FILES_MAX);
    int r = unpack_clean_path(name ? name : "", path, e);
    if (r < 0)
        return r;
    if (archive_entry_hardlink(en))
        return err_set(e, -EPROTO, "the archive holds a hard link: %.200s", path);
    switch (archive_entry_filetype(en)) {
    case AE_IFDIR:
        return 0;
    case AE_IFLNK:
        return take_link(path, archive_entry_symlink(en), e);
    case AE_IFREG:
        return take_file(o, f, a, path, en, e);
    default:
        return err_set(e, -EPROTO, "the archive holds a device or pipe: %.200s", path);
    }
}

int outer_unpack(struct feed *f, int root, uint64_t bytes_max, uint64_t *ret_bytes, struct err *e)
{
    struct outer o = {.root = root, .max = bytes_max};
    struct archive *a = NULL;
    struct archive_entry *en;
    int r = feed_tar(f, &a, e);
    while (r == 0) {
        int x = archive_read_next_header(a, &en);
        if (x == ARCHIVE_EOF)
            break;
        if (x != ARCHIVE_OK && x != ARCHIVE_WARN)
            r = feed_error(f, a, e);
        else
            r = take_entry(&o, f, a, en, e);
    }
    if (r == 0)
        r = feed_drain(f, e);
    *ret_bytes = o.bytes;
    archive_read_free(a);
    return r;
}
