/* runtime/test_runtime_files.c - real mounts: the memory that secrets live in, and paths inside a
 * hostile file system. Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "lib/check.h"
#include "runtime/rootfs.h"
#include "runtime/secrets.h"

static char *top;

static bool skipped(void)
{
    if (geteuid() == 0)
        return false;
    check_skip("needs root");
    return true;
}

static struct secret_buf *payload(size_t n, char fill)
{
    struct secret_buf *s = secret_buf_new(n);
    for (size_t i = 0; i < n; i++)
        EXPECT_INT(secret_buf_append(s, &fill, 1), 0);
    return s;
}

static struct secret_file file_at(const char *target, uint32_t id, uint32_t mode)
{
    return (struct secret_file){
        .target = mem_str(target), .name = mem_str("s"), .uid = id, .gid = id, .mode = mode};
}

static void free_files(struct secret_file *f, struct secret_buf **p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(f[i].target);
        free(f[i].name);
        secret_buf_free(p[i]);
    }
}

static void files_are_born_right_and_wiping_leaves_zeros_to_whoever_holds_them_open(void)
{
    if (skipped())
        return;
    AUTO_FREE char *dir = mem_printf("%s/wipe", top);
    AUTO_FREE char *inside = mem_printf("%s/dir/a", dir);
    AUTO_FREE char *nested = mem_printf("%s/dir/b/c/d", dir);
    AUTO_FREE char *alone = mem_printf("%s/file/2", dir);
    struct secret_file files[] = {file_at("/run/secrets/a", 12, 0),
                                  file_at("/run/secrets/b/c/d", 0, 0777),
                                  file_at("/etc/x", 5, 0400)};
    struct secret_buf *payloads[] = {payload(100000, 'A'), payload(1, 'B'), payload(0, 'C')};
    struct err e = {0};
    struct stat st;
    struct statfs fs;
    REQUIRE(secrets_mount(dir, files, payloads, 3, &e) == 0);
    EXPECT(stat(inside, &st) == 0 && st.st_uid == 12 && st.st_gid == 12 &&
           (st.st_mode & 07777) == 0 && st.st_size == 100000);
    EXPECT(stat(nested, &st) == 0 && (st.st_mode & 07777) == 0777);
    EXPECT(stat(alone, &st) == 0 && st.st_uid == 5 && (st.st_mode & 07777) == 0400);
    EXPECT(statfs(dir, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC));
    AUTO_CLOSE int held = open(inside, O_RDONLY | O_CLOEXEC);
    EXPECT_INT(secrets_wipe(dir, &e), 0);
    EXPECT(lstat(dir, &st) != 0);
    char first = 'x', last = 'x';
    EXPECT(pread(held, &first, 1, 0) == 1 && first == 0);
    EXPECT(pread(held, &last, 1, 99999) == 1 && last == 0);
    EXPECT_INT(secrets_wipe(dir, &e), 0);
    free_files(files, payloads, 3);
}

static void a_mount_that_is_full_fails_and_is_undone(void)
{
    if (skipped())
        return;
    AUTO_FREE char *dir = mem_printf("%s/full", top);
    struct secret_file files[] = {file_at("/run/secrets/a", 0, 0444),
                                  file_at("/run/secrets/a/b", 0, 0444)};
    struct secret_buf *payloads[] = {payload(10, 'A'), payload(10, 'B')};
    struct secret_buf *missing[] = {payloads[0], NULL};
    struct err e = {0};
    struct stat st;
    EXPECT(secrets_mount(dir, files, payloads, 2, &e) < 0);
    EXPECT(strstr(e.text, "error setting up secret target path") != NULL);
    EXPECT(lstat(dir, &st) != 0);
    EXPECT(secrets_mount(dir, files, missing, 2, &e) < 0);
    EXPECT(strstr(e.text, "not found") != NULL);
    EXPECT(lstat(dir, &st) != 0);
    REQUIRE(mkdir(dir, 0700) == 0);
    REQUIRE(secrets_mount_fs(dir, 4096, 8, false, &e) == 0);
    AUTO_FREE char *file = mem_printf("%s/big", dir);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    static const char block[65536];
    EXPECT(write(fd, block, sizeof block) < (ssize_t)sizeof block);
    close(fd);
    EXPECT_INT(secrets_wipe(dir, &e), 0);
    free_files(files, payloads, 2);
}

static void a_kernel_without_noswap_gets_memory_that_is_never_swapped(void)
{
    if (skipped())
        return;
    AUTO_FREE char *dir = mem_printf("%s/ramfs", top);
    struct statfs fs;
    struct err e = {0};
    REQUIRE(mkdir(dir, 0700) == 0);
    REQUIRE(secrets_mount_fs(dir, 65536, 8, true, &e) == 0);
    EXPECT(statfs(dir, &fs) == 0 && fs.f_type == RAMFS_MAGIC);
    EXPECT((unsigned long)fs.f_flags & MS_NOSUID);
    EXPECT_INT(secrets_wipe(dir, &e), 0);
}

static void wiping_follows_no_link(void)
{
    if (skipped())
        return;
    AUTO_FREE char *dir = mem_printf("%s/links", top);
    AUTO_FREE char *victim = mem_printf("%s/victim", top);
    AUTO_FREE char *file = mem_printf("%s/precious", victim);
    AUTO_FREE char *link = mem_printf("%s/link", dir);
    AUTO_FREE char *to_file = mem_printf("%s/tofile", dir);
    struct err e = {0};
    struct stat st;
    REQUIRE(mkdir(dir, 0700) == 0 && mkdir(victim, 0700) == 0);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    EXPECT_INT(write(fd, "keep", 4), 4);
    close(fd);
    REQUIRE(symlink(victim, link) == 0 && symlink(file, to_file) == 0);
    EXPECT_INT(secrets_wipe(dir, &e), 0);
    EXPECT(lstat(dir, &st) != 0 && stat(file, &st) == 0 && st.st_size == 4);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    char text[5] = "";
    EXPECT_INT(read(fd, text, 4), 4);
    EXPECT_STR(text, "keep");
    close(fd);
    REQUIRE(symlink(victim, dir) == 0); /* the directory itself is a link */
    EXPECT(secrets_wipe(dir, &e) != 0);
    EXPECT(stat(file, &st) == 0);
    unlink(dir);
}

/* ---- paths inside ---- */

static int make_root(const char *name)
{
    struct err e;
    AUTO_FREE char *root = mem_printf("%s/%s", top, name);
    AUTO_FREE char *etc = mem_printf("%s/etc", root);
    EXPECT(mkdir(root, 0755) == 0 && mkdir(etc, 0755) == 0);
    return rootfs_open(root, &e);
}

static void targets_are_resolved_within_the_root_and_kept_off_the_kernels_mounts(void)
{
    AUTO_CLOSE int root = make_root("resolve");
    struct err e;
    char *found;
    REQUIRE(root >= 0);
    EXPECT(symlinkat("/../../../../data", root, "out") == 0 && mkdirat(root, "data", 0755) == 0 &&
           mkdirat(root, "proc", 0755) == 0);
    EXPECT(symlinkat("/proc/self/attr", root, "trap") == 0 &&
           symlinkat("loop", root, "loop") == 0 && symlinkat("/gone", root, "dangling") == 0);
    EXPECT(mkdirat(root, "proc/self", 0755) == 0 && mkdirat(root, "proc/self/attr", 0755) == 0);
    REQUIRE(rootfs_resolve(root, "/out/x/key", ROOTFS_FILE, true, &found, &e) == 0);
    EXPECT_STR(found, "/data/x/key");
    free(found);
    REQUIRE(rootfs_resolve(root, "/deep/er/dir", ROOTFS_DIR, false, &found, &e) == 0);
    EXPECT_STR(found, "/deep/er/dir");
    free(found);
    EXPECT_INT(rootfs_resolve(root, "/trap/exec", ROOTFS_FILE, true, &found, &e), -EPERM);
    EXPECT_STR(e.text, "\"/trap/exec\" cannot be mounted because it is inside /proc");
    EXPECT_INT(rootfs_resolve(root, "/proc/x", ROOTFS_FILE, true, &found, &e), -EPERM);
    EXPECT(rootfs_resolve(root, "/loop/x", ROOTFS_FILE, true, &found, &e) < 0);
    EXPECT(rootfs_resolve(root, "/dangling/x", ROOTFS_FILE, true, &found, &e) < 0);
    EXPECT(rootfs_resolve(root, "/data", ROOTFS_FILE, true, &found, &e) == -EISDIR);
}

static void only_regular_files_of_bounded_size_are_read(void)
{
    AUTO_CLOSE int root = make_root("read");
    char *text = NULL;
    REQUIRE(root >= 0);
    EXPECT(mkfifoat(root, "etc/passwd", 0600) == 0);
    EXPECT_INT(rootfs_read_file(root, "/etc/passwd", 4096, &text), -EINVAL);
    EXPECT_INT(rootfs_read_file(root, "/etc", 4096, &text), -EINVAL);
    EXPECT_INT(rootfs_read_file(root, "/none", 4096, &text), -ENOENT);
    EXPECT(symlinkat("/../../../../../../../etc/hostname", root, "etc/group") == 0);
    EXPECT_INT(rootfs_read_file(root, "/etc/group", 4096, &text),
               -ENOENT); /* the host has it, the root does not */
    int fd = openat(root, "etc/big", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    EXPECT(ftruncate(fd, 5000) == 0);
    close(fd);
    EXPECT_INT(rootfs_read_file(root, "/etc/big", 4096, &text), -EFBIG);
    EXPECT(rootfs_read_file(root, "/etc/big", 8192, &text) == 0);
    free(text);
}

static void whatever_stands_in_the_way_of_our_directory_is_replaced(void)
{
    AUTO_CLOSE int root = make_root("own");
    struct err e;
    struct stat st;
    REQUIRE(root >= 0);
    EXPECT(symlinkat("/etc", root, "run") == 0);
    EXPECT_INT(rootfs_own_dir(root, "/run/secrets", &e), 0);
    EXPECT(fstatat(root, "run", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode));
    EXPECT(fstatat(root, "etc/secrets", &st, AT_SYMLINK_NOFOLLOW) != 0);
    EXPECT_INT(rootfs_own_dir(root, "/run/secrets", &e), 0);
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(4 << 20, &e) != 0 && geteuid() == 0) {
        fprintf(stderr, "# %s\n", e.text);
        return 1;
    }
    top = check_tmpdir();
    TEST(files_are_born_right_and_wiping_leaves_zeros_to_whoever_holds_them_open);
    TEST(a_mount_that_is_full_fails_and_is_undone);
    TEST(a_kernel_without_noswap_gets_memory_that_is_never_swapped);
    TEST(wiping_follows_no_link);
    TEST(targets_are_resolved_within_the_root_and_kept_off_the_kernels_mounts);
    TEST(only_regular_files_of_bounded_size_are_read);
    TEST(whatever_stands_in_the_way_of_our_directory_is_replaced);
    return check_done();
}
