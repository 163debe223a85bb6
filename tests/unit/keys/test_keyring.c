/* unit/keys/test_keyring.c - the keyring survives crashes and refuses damage. */
#include "lib/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "keys/keyring.h"
#include "keys/keyring_file.h"

static char *in(const char *dir, const char *name)
{
    static char path[2][256];
    static int which;
    which = !which;
    snprintf(path[which], sizeof path[which], "%s/%s", dir, name);
    return path[which];
}

static size_t slurp(const char *path, uint8_t *p, size_t max)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, p, max);
    return n < 0 ? 0 : (size_t)n;
}

static void spit(const char *path, const uint8_t *p, size_t n)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
}

static bool holds(struct keyring *k, uint32_t id, const uint8_t want[32])
{
    const uint8_t *p = keyring_key(k, id);
    return p && memcmp(p, want, 32) == 0;
}

static void a_keyring_comes_back_with_the_same_keys(void)
{
    const char *dir = check_tmpdir();
    struct keyring *k = NULL;
    uint8_t first[32], second[32];
    struct stat st;
    struct err e = {0};
    REQUIRE(keyring_create(dir, NULL, 1000, &k, &e) == 0);
    uint32_t one = keyring_current(k);
    memcpy(first, keyring_key(k, one), 32);
    EXPECT(secret_owns(keyring_key(k, one)));
    REQUIRE(keyring_rotate(k, 2000, &e) == 0);
    uint32_t two = keyring_current(k);
    EXPECT(two != one);
    memcpy(second, keyring_key(k, two), 32);
    keyring_free(k);

    k = NULL;
    REQUIRE(keyring_open(dir, NULL, &k, &e) == 0);
    EXPECT_INT(keyring_count(k), 2);
    EXPECT_INT(keyring_current(k), two);
    EXPECT(holds(k, one, first) && holds(k, two, second));
    EXPECT(keyring_key(k, 77) == NULL);
    EXPECT(!keyring_autolocked(k));
    keyring_free(k);
    EXPECT(stat(in(dir, "kek.key"), &st) == 0 && (st.st_mode & 0777) == 0600);
    EXPECT(stat(in(dir, "keyring"), &st) == 0 && (st.st_mode & 0777) == 0600);
    EXPECT(access(in(dir, "kek.key.new"), F_OK) < 0);
    /* no key in clear in the file */
    uint8_t bytes[8192];
    size_t n = slurp(in(dir, "keyring"), bytes, sizeof bytes);
    EXPECT(n > 0 && !memmem(bytes, n, first, 32) && !memmem(bytes, n, second, 32));
}

static void creating_twice_is_refused_and_changes_nothing(void)
{
    const char *dir = check_tmpdir();
    struct keyring *k = NULL, *again = NULL;
    uint8_t a[8192], b[8192];
    struct err e = {0};
    REQUIRE(keyring_create(dir, NULL, 0, &k, &e) == 0);
    size_t n = slurp(in(dir, "keyring"), a, sizeof a);
    EXPECT_INT(keyring_create(dir, NULL, 0, &again, &e), -EEXIST);
    EXPECT(slurp(in(dir, "keyring"), b, sizeof b) == n && memcmp(a, b, n) == 0);
    keyring_free(k);
}

static void nothing_there_is_said_so(void)
{
    struct keyring *k = NULL;
    struct err e = {0};
    EXPECT_INT(keyring_open(check_tmpdir(), NULL, &k, &e), -ENOENT);
    EXPECT(*err_text(&e));
    EXPECT_INT(keyring_open("/nowhere/at/all", NULL, &k, &e), -ENOENT);
}

static void every_altered_byte_and_every_cut_is_refused_with_words(void)
{
    const char *dir = check_tmpdir();
    struct keyring *k = NULL;
    uint8_t good[8192], bad[8192];
    struct err e = {0};
    REQUIRE(keyring_create(dir, NULL, 0, &k, &e) == 0);
    keyring_free(k);
    size_t n = slurp(in(dir, "keyring"), good, sizeof good);
    REQUIRE(n > 100);
    for (size_t i = 0; i < n; i++) {
        memcpy(bad, good, n);
        bad[i] ^= 0x10;
        spit(in(dir, "keyring"), bad, n);
        e.text[0] = 0;
        k = NULL;
        EXPECT_INT(keyring_open(dir, NULL, &k, &e), -EBADMSG);
        EXPECT(k == NULL && *err_text(&e));
        EXPECT(slurp(in(dir, "keyring"), good, sizeof good) == n && memcmp(good, bad, n) == 0);
        good[i] ^= 0x10;
    }
    for (size_t i = 0; i < n; i++) {
        spit(in(dir, "keyring"), good, i);
        EXPECT_INT(keyring_open(dir, NULL, &k, &e), -EBADMSG);
    }
    memcpy(bad, good, n), memset(bad + n, 0, 10);
    spit(in(dir, "keyring"), bad, n + 10);
    EXPECT_INT(keyring_open(dir, NULL, &k, &e), -EBADMSG);
    spit(in(dir, "keyring"), good, n);
    REQUIRE(keyring_open(dir, NULL, &k, &e) == 0);
    keyring_free(k);
}

static void a_kek_that_others_may_read_is_refused(void)
{
    const char *dir = check_tmpdir();
    struct keyring *k = NULL;
    struct err e = {0};
    REQUIRE(keyring_create(dir, NULL, 0, &k, &e) == 0);
    keyring_free(k);
    REQUIRE(chmod(in(dir, "kek.key"), 0640) == 0);
    EXPECT_INT(keyring_open(dir, NULL, &k, &e), -EPERM);
    EXPECT(strstr(err_text(&e), "0600") != NULL);
}

static void a_wrong_or_missing_kek_is_an_outcome_of_its_own(void)
{
    const char *dir = check_tmpdir();
    struct keyring *k = NULL;
    struct kek *other = NULL;
    struct err e = {0};
    REQUIRE(keyring_create(dir, NULL, 0, &k, &e) == 0);
    keyring_free(k);
    k = NULL;
    REQUIRE(kek_new(&other, &e) == 0);
    EXPECT_INT(keyring_open(dir, other, &k, &e), KEYRING_WRONG_KEY);
    REQUIRE(unlink(in(dir, "kek.key")) == 0);
    EXPECT_INT(keyring_open(dir, NULL, &k, &e), KEYRING_LOCKED);
    spit(in(dir, "kek.key"), (const uint8_t *)"SWMKEY-1-short\n", 15);
    EXPECT_INT(keyring_open(dir, NULL, &k, &e), -EINVAL);
    EXPECT(k == NULL);
    kek_free(other);
}

static void locking_takes_the_kek_off_the_disk_and_unlocking_puts_it_back(void)
{
    const char *dir = check_tmpdir();
    struct keyring *k = NULL;
    struct kek *kek = NULL;
    uint8_t key[32];
    struct err e = {0};
    REQUIRE(keyring_create(dir, NULL, 0, &k, &e) == 0);
    memcpy(key, keyring_key(k, 1), 32);
    REQUIRE(keyring_rewrap(k, NULL, true, &e) == 0);
    REQUIRE(kek_dup(keyring_kek(k), &kek, &e) == 0);
    keyring_free(k);
    k = NULL;
    EXPECT(access(in(dir, "kek.key"), F_OK) < 0);
    EXPECT_INT(keyring_open(dir, NULL, &k, &e), KEYRING_LOCKED);
    REQUIRE(keyring_open(dir, kek, &k, &e) == 0);
    EXPECT(keyring_autolocked(k) && holds(k, 1, key));
    REQUIRE(keyring_rewrap(k, NULL, false, &e) == 0);
    keyring_free(k);
    k = NULL;
    EXPECT_INT(keyring_open(dir, kek, &k, &e), KEYRING_WRONG_KEY);
    REQUIRE(keyring_open(dir, NULL, &k, &e) == 0);
    EXPECT(!keyring_autolocked(k) && holds(k, 1, key));
    keyring_free(k);
    kek_free(kek);
}

/* The three states that a crash during a change of the KEK can leave. */
static void a_crash_while_the_kek_changes_leaves_a_pair_that_opens(void)
{
    const char *dir = check_tmpdir();
    struct keyring *k = NULL;
    uint8_t old_ring[8192], old_kek[128];
    struct err e = {0};
    REQUIRE(keyring_create(dir, NULL, 0, &k, &e) == 0);
    size_t nr = slurp(in(dir, "keyring"), old_ring, sizeof old_ring);
    size_t nk = slurp(in(dir, "kek.key"), old_kek, sizeof old_kek);
    REQUIRE(keyring_rewrap(k, NULL, false, &e) == 0);
    keyring_free(k);
    k = NULL;
    /* keyring new, KEK still under its new name */
    REQUIRE(rename(in(dir, "kek.key"), in(dir, "kek.key.new")) == 0);
    spit(in(dir, "kek.key"), old_kek, nk);
    REQUIRE(keyring_open(dir, NULL, &k, &e) == 0);
    keyring_free(k);
    k = NULL;
    EXPECT(access(in(dir, "kek.key.new"), F_OK) < 0);
    REQUIRE(keyring_open(dir, NULL, &k, &e) == 0);
    keyring_free(k);
    k = NULL;
    /* keyring old, a new KEK beside the old one */
    REQUIRE(rename(in(dir, "kek.key"), in(dir, "kek.key.new")) == 0);
    spit(in(dir, "kek.key"), old_kek, nk);
    spit(in(dir, "keyring"), old_ring, nr);
    REQUIRE(keyring_open(dir, NULL, &k, &e) == 0);
    EXPECT(access(in(dir, "kek.key.new"), F_OK) < 0);
    keyring_free(k);
}

static void a_failed_write_leaves_the_old_keyring(void)
{
    const char *dir = check_tmpdir();
    struct keyring *k = NULL;
    uint8_t a[8192], b[8192];
    struct err e = {0};
    REQUIRE(keyring_create(dir, NULL, 0, &k, &e) == 0);
    size_t n = slurp(in(dir, "keyring"), a, sizeof a);
    struct rlimit was, tiny = {16, 16};
    getrlimit(RLIMIT_FSIZE, &was);
    tiny.rlim_max = was.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &tiny);
    int r1 = keyring_rotate(k, 5, &e);
    int r2 = keyring_rewrap(k, NULL, false, &e);
    setrlimit(RLIMIT_FSIZE, &was);
    EXPECT_INT(r1, -EFBIG);
    EXPECT_INT(r2, -EFBIG);
    EXPECT_INT(keyring_count(k), 1);
    EXPECT_INT(keyring_current(k), 1);
    EXPECT(slurp(in(dir, "keyring"), b, sizeof b) == n && memcmp(a, b, n) == 0);
    EXPECT(keyring_rotate(k, 6, &e) == 0);
    keyring_free(k);
    k = NULL;
    REQUIRE(keyring_open(dir, NULL, &k, &e) == 0);
    EXPECT_INT(keyring_count(k), 2);
    keyring_free(k);
}

static void the_ring_is_bounded(void)
{
    struct keyring *k = NULL;
    struct err e = {0};
    REQUIRE(keyring_new_ephemeral(&k, &e) == 0);
    int r = 0, n = 1;
    for (; n <= KEYRING_MAX && r == 0; n++)
        r = keyring_rotate(k, n, &e);
    EXPECT_INT(r, -ENOSPC);
    EXPECT_INT(keyring_count(k), KEYRING_MAX);
    keyring_free(k);
}

static void an_unlock_key_is_printed_and_parsed(void)
{
    uint8_t bytes[KEK_SIZE];
    struct kek *k = NULL, *back = NULL;
    AUTO_SECRET struct secret_buf *text = NULL;
    for (int i = 0; i < KEK_SIZE; i++)
        bytes[i] = (uint8_t)i;
    REQUIRE(kek_from_bytes(bytes, &k, NULL) == 0);
    REQUIRE(kek_print(k, &text, NULL) == 0);
    const char *want = "SWMKEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    EXPECT(secret_buf_len(text) == strlen(want) &&
           memcmp(secret_buf_bytes(text), want, strlen(want)) == 0);
    REQUIRE(kek_parse(want, strlen(want), &back, NULL) == 0);
    EXPECT(kek_equal(k, back));
    kek_free(k);
    kek_free(back);
}

static void what_is_no_unlock_key_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "SWMKEY-1-",
        "SWMKEY-2-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "SWMKEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",
        "SWMKEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "SWMKEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9", /* a bit beyond the 32 bytes */
        "SWMKEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH_8",
        "SWMKEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd h8",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct kek *k = NULL;
        struct err e = {0};
        EXPECT_INT(kek_parse(bad[i], strlen(bad[i]), &k, &e), -EINVAL);
        EXPECT_STR(err_text(&e), "invalid key string");
        EXPECT(k == NULL);
    }
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(1 << 20, &e) < 0) {
        printf("# %s\n", err_text(&e));
        return 2;
    }
    TEST(a_keyring_comes_back_with_the_same_keys);
    TEST(creating_twice_is_refused_and_changes_nothing);
    TEST(nothing_there_is_said_so);
    TEST(every_altered_byte_and_every_cut_is_refused_with_words);
    TEST(a_kek_that_others_may_read_is_refused);
    TEST(a_wrong_or_missing_kek_is_an_outcome_of_its_own);
    TEST(locking_takes_the_kek_off_the_disk_and_unlocking_puts_it_back);
    TEST(a_crash_while_the_kek_changes_leaves_a_pair_that_opens);
    TEST(a_failed_write_leaves_the_old_keyring);
    TEST(the_ring_is_bounded);
    TEST(an_unlock_key_is_printed_and_parsed);
    TEST(what_is_no_unlock_key_is_refused);
    return check_done();
}
