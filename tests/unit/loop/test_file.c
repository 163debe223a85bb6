/* unit/loop/test_file.c - durable files, directories and removing trees. */
#include "lib/check.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "loop/file.h"

static int count(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0xffff;
}

static void expect_text(const char *path, const char *want)
{
    AUTO_BUF struct buf b = BUF_INIT(10000);
    struct err e;
    EXPECT_INT(buf_read_file(&b, path, &e), 0);
    EXPECT_STR(b.p ? b.p : "", want);
}

static void writing_replaces_the_whole_and_leaves_nothing_else(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *path = mem_printf("%s/f", dir);
    struct err e;
    umask(077);
    EXPECT_INT(file_write(path, "one two", 7, 0640, &e), 0);
    expect_text(path, "one two");
    EXPECT_INT(mode_of(path), 0640);
    EXPECT_INT(file_write(path, "3", 1, 0604, &e), 0);
    expect_text(path, "3");
    EXPECT_INT(mode_of(path), 0604);
    EXPECT_INT(file_replace(path, "", 0, 0600, &e), 0);
    expect_text(path, "");
    EXPECT_INT(count(dir), 1);
    umask(022);
}

static void writing_replaces_a_link_not_its_target(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *path = mem_printf("%s/link", dir), *victim = mem_printf("%s/victim", dir);
    struct err e;
    EXPECT_INT(file_write(victim, "v", 1, 0600, &e), 0);
    REQUIRE(symlink(victim, path) == 0);
    EXPECT_INT(file_write(path, "new", 3, 0600, &e), 0);
    expect_text(victim, "v");
    expect_text(path, "new");
}

static void a_failed_write_leaves_the_old_and_no_litter(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *path = mem_printf("%s/d", dir), *inner = mem_printf("%s/d/x", dir);
    struct err e;
    EXPECT_INT(file_mkdirs(inner, 0755, &e), 0);
    EXPECT_INT(file_write(path, "x", 1, 0600, &e), -EISDIR);
    EXPECT(strstr(e.text, "write 'd'") != NULL);
    EXPECT_INT(count(dir), 1);
    AUTO_FREE char *none = mem_printf("%s/none/f", dir);
    EXPECT_INT(file_write(none, "x", 1, 0600, &e), -ENOENT);
    EXPECT_INT(file_write("/tmp/", "x", 1, 0600, &e), -EINVAL);
    EXPECT_INT(file_write("/tmp/..", "x", 1, 0600, &e), -EINVAL);
    EXPECT_INT(file_write_at(AT_FDCWD, "a/b", "x", 1, 0600, &e), -EINVAL);
}

static void a_full_disk_is_told_and_the_old_file_stays(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *path = mem_printf("%s/f", dir);
    struct err e;
    if (mount("tmpfs", dir, "tmpfs", 0, "size=64k") < 0) {
        check_skip("may not mount");
        return;
    }
    char *big = mem_new(1 << 20);
    EXPECT_INT(file_write(path, "old", 3, 0600, &e), 0);
    EXPECT_INT(file_write(path, big, 1 << 20, 0600, &e), -ENOSPC);
    expect_text(path, "old");
    EXPECT_INT(count(dir), 1);
    free(big);
    EXPECT_INT(umount(dir), 0);
}

static void directories_are_made_with_the_exact_mode(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *path = mem_printf("%s/a//b/c/", dir), *a = mem_printf("%s/a", dir);
    AUTO_FREE char *c = mem_printf("%s/a/b/c", dir), *f = mem_printf("%s/a/f", dir);
    AUTO_FREE char *below = mem_printf("%s/a/f/x", dir);
    struct err e;
    umask(077);
    EXPECT_INT(file_mkdirs(path, 0751, &e), 0);
    umask(022);
    EXPECT_INT(mode_of(a), 0751);
    EXPECT_INT(mode_of(c), 0751);
    EXPECT_INT(file_mkdirs(path, 0700, &e), 0);
    EXPECT_INT(mode_of(c), 0751);
    EXPECT_INT(file_write(f, "", 0, 0600, &e), 0);
    EXPECT_INT(file_mkdirs(f, 0700, &e), -ENOTDIR);
    EXPECT_INT(file_mkdirs(below, 0700, &e), -ENOTDIR);
    EXPECT_INT(file_mkdirs("", 0700, &e), -EINVAL);
}

static void a_tree_goes_but_not_what_its_links_point_at(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *tree = mem_printf("%s/tree", dir), *deep = mem_printf("%s/tree/a/b", dir);
    AUTO_FREE char *kept = mem_printf("%s/kept", dir), *file = mem_printf("%s/kept/f", dir);
    AUTO_FREE char *link1 = mem_printf("%s/tree/a/l", dir), *link2 = mem_printf("%s/l", dir);
    AUTO_FREE char *fifo = mem_printf("%s/tree/fifo", dir);
    struct err e;
    EXPECT_INT(file_mkdirs(deep, 0755, &e), 0);
    EXPECT_INT(file_mkdirs(kept, 0755, &e), 0);
    EXPECT_INT(file_write(file, "x", 1, 0600, &e), 0);
    EXPECT_INT(symlink(kept, link1), 0);
    EXPECT_INT(symlink(kept, link2), 0);
    EXPECT_INT(mkfifo(fifo, 0600), 0);
    EXPECT_INT(file_remove_tree(tree, &e), 0);
    EXPECT(!file_exists(tree));
    EXPECT_INT(file_remove_tree(link2, &e), 0);
    EXPECT(!file_exists(link2));
    expect_text(file, "x");
    EXPECT_INT(file_remove_tree(tree, &e), 0); /* gone already */
    EXPECT_INT(file_remove_tree(file, &e), 0);
    EXPECT(!file_exists(file));
    AUTO_FREE char *slashes = mem_printf("%s///", kept);
    EXPECT_INT(file_remove_tree(slashes, &e), 0);
    EXPECT(!file_exists(kept));
}

static void paths_without_a_last_part_are_refused(void)
{
    struct err e;
    EXPECT_INT(file_remove_tree("/", &e), -EINVAL);
    EXPECT_INT(file_remove_tree("/tmp/.", &e), -EINVAL);
    EXPECT_INT(file_remove_tree("/tmp/..", &e), -EINVAL);
    EXPECT_INT(file_remove_tree_at(AT_FDCWD, "..", &e), -EINVAL);
    EXPECT_INT(file_remove_tree_at(AT_FDCWD, "a/b", &e), -EINVAL);
}

static void very_deep_and_wide_trees_go_with_few_descriptors(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *tree = mem_printf("%s/tree", dir);
    struct err e;
    EXPECT_INT(file_mkdirs(tree, 0755, &e), 0);
    int at = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int depth = 0; depth < 1500;
         depth++) { /* deeper than PATH_MAX could name and than 1024 descriptors */
        char f[8];
        snprintf(f, sizeof(f), "f%d", depth);
        close(openat(at, f, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        REQUIRE(mkdirat(at, "dddddddd", 0755) == 0);
        int next = openat(at, "dddddddd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    for (int i = 0; i < 2000; i++) {
        char f[16];
        snprintf(f, sizeof(f), "wide%d", i);
        close(openat(at, f, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    close(at);
    EXPECT_INT(file_remove_tree(tree, &e), 0);
    EXPECT(!file_exists(tree));
}

static void what_is_mounted_below_is_left_alone(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *tree = mem_printf("%s/tree", dir), *m = mem_printf("%s/tree/a/m", dir);
    AUTO_FREE char *src = mem_printf("%s/src", dir), *f = mem_printf("%s/src/f", dir);
    AUTO_FREE char *other = mem_printf("%s/tree/b/c", dir);
    struct err e;
    EXPECT_INT(file_mkdirs(m, 0755, &e), 0);
    EXPECT_INT(file_mkdirs(other, 0755, &e), 0);
    EXPECT_INT(file_mkdirs(src, 0755, &e), 0);
    EXPECT_INT(file_write(f, "x", 1, 0600, &e), 0);
    if (mount(src, m, NULL, MS_BIND, NULL) < 0) { /* the same file system: only the mount differs */
        check_skip("may not mount");
        return;
    }
    EXPECT_INT(file_remove_tree(tree, &e), -EBUSY);
    EXPECT(strstr(e.text, "something is mounted there") != NULL);
    expect_text(f, "x");
    EXPECT(!file_exists(other)); /* the rest went */
    EXPECT_INT(file_remove_tree(m, &e), -EBUSY);
    expect_text(f, "x");
    EXPECT_INT(umount(m), 0);
    EXPECT_INT(file_remove_tree(tree, &e), 0);
    EXPECT(!file_exists(tree));
}

static void reading_small_files_refuses_links_fifos_and_large_ones(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *f = mem_printf("%s/f", dir), *l = mem_printf("%s/l", dir);
    AUTO_FREE char *p = mem_printf("%s/p", dir);
    struct err e;
    EXPECT_INT(file_write(f, "hello\nworld", 11, 0600, &e), 0);
    EXPECT_INT(symlink(f, l), 0);
    EXPECT_INT(mkfifo(p, 0600), 0);
    AUTO_CLOSE int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_BUF struct buf b = BUF_INIT(11), small = BUF_INIT(10);
    EXPECT_INT(file_read_at(at, "f", &b, &e), 0);
    EXPECT_STR(b.p, "hello\nworld");
    EXPECT_INT(file_read_at(at, "f", &small, &e), -EFBIG);
    EXPECT_INT(file_read_at(at, "l", &b, &e), -ELOOP);
    EXPECT_INT(file_read_at(at, "p", &b, &e), -EINVAL);
    EXPECT_INT(file_read_at(at, "none", &b, &e), -ENOENT);
    char line[6], tiny[5];
    EXPECT_INT(file_read_line(f, line, sizeof(line), &e), 0);
    EXPECT_STR(line, "hello");
    EXPECT_INT(file_read_line(f, tiny, sizeof(tiny), &e), -EFBIG);
    EXPECT_INT(file_read_line("/proc/self/comm", line, 1, &e), -EFBIG);
    EXPECT_INT(file_write(f, "", 0, 0600, &e), 0);
    EXPECT_INT(file_read_line(f, line, sizeof(line), &e), 0);
    EXPECT_STR(line, "");
}

static void unlinking_what_is_not_there_is_success(void)
{
    const char *dir = check_tmpdir();
    AUTO_FREE char *f = mem_printf("%s/f", dir), *none = mem_printf("%s/x/f", dir);
    struct err e;
    EXPECT_INT(file_write(f, "", 0, 0600, &e), 0);
    EXPECT_INT(file_unlink(f, &e), 0);
    EXPECT(!file_exists(f));
    EXPECT_INT(file_unlink(f, &e), 0);
    EXPECT_INT(file_unlink(none, &e), 0);
    EXPECT_INT(file_unlink(dir, &e), -EISDIR);
}

int main(void)
{
    TEST(writing_replaces_the_whole_and_leaves_nothing_else);
    TEST(writing_replaces_a_link_not_its_target);
    TEST(a_failed_write_leaves_the_old_and_no_litter);
    TEST(a_full_disk_is_told_and_the_old_file_stays);
    TEST(directories_are_made_with_the_exact_mode);
    TEST(a_tree_goes_but_not_what_its_links_point_at);
    TEST(paths_without_a_last_part_are_refused);
    TEST(very_deep_and_wide_trees_go_with_few_descriptors);
    TEST(what_is_mounted_below_is_left_alone);
    TEST(reading_small_files_refuses_links_fifos_and_large_ones);
    TEST(unlinking_what_is_not_there_is_success);
    return check_done();
}
