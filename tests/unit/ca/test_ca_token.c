/* unit/ca/test_ca_token.c - join tokens, held against recorded ones. */
#include "lib/check.h"

#include <errno.h>
#include <stdlib.h>

#include "ca/ca_token.h"
#include "model/pb.h"

/* A root and tokens as an engine 20.10 made them. */
static const char recorded_root[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBajCCARCgAwIBAgIUfOHPR9vV49eY7RIzn8fmmXVyi98wCgYIKoZIzj0EAwIw\n"
    "EzERMA8GA1UEAxMIc3dhcm0tY2EwHhcNMjYxMTIxMjI0MDAwWhcNNDYxMTE2MjI0\n"
    "MDAwWjATMREwDwYDVQQDEwhzd2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
    "A0IABPRFeMtvSkv+WOHSBbhcnkGe98DRNHJq2L+eTTbCSGtvzf4fXA8fB/6hXkwM\n"
    "XIB+sirFmjqDyfLRarMDbhy44XSjQjBAMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMB\n"
    "Af8EBTADAQH/MB0GA1UdDgQWBBS7qBskUHTUZZzC4zLK/8Afvd4SLDAKBggqhkjO\n"
    "PQQDAgNIADBFAiAPHq5K8Q5nH/FJu05wQC8wcGkYLo2uCQF5QRSBV+FeDgIhAPkM\n"
    "zVtCFlENIVIZnwDGSMsQfRyptCknFshBj+5HoZ+0\n"
    "-----END CERTIFICATE-----\n";
static const char recorded_worker[] =
    "SWMTKN-1-3guzufz8zvtc4ifd706924xsvdjjq3j72zejcd7unb3ezrf35k-dd6arveo35zeyvo19rcsi0l6c";
static const char recorded_manager[] =
    "SWMTKN-1-3guzufz8zvtc4ifd706924xsvdjjq3j72zejcd7unb3ezrf35k-dbyii2l898g8wkwnxy5ysj4hs";

static struct ca_bytes text(const char *s)
{
    return (struct ca_bytes){s, strlen(s)};
}

static void the_digest_of_a_recorded_root_is_in_its_recorded_token(void)
{
    char token[CA_TOKEN_SIZE];
    struct ca_token t;
    uint8_t digest[CA_DIGEST];
    ca_token_new(text(recorded_root), token);
    EXPECT_INT(strlen(token), CA_TOKEN_LEN);
    EXPECT(strncmp(token, recorded_worker, 60) == 0);
    REQUIRE(ca_token_parse(recorded_worker, &t, NULL) == 0);
    ca_digest(text(recorded_root), digest);
    EXPECT(memcmp(t.digest, digest, sizeof digest) == 0 && !t.fips);
    REQUIRE(ca_token_parse(token, &t, NULL) == 0);
    EXPECT(memcmp(t.digest, digest, sizeof digest) == 0);
}

static void the_digest_text_is_hex_of_the_same(void)
{
    char s[CA_DIGEST_TEXT_SIZE];
    ca_digest_text(text("abc"), s);
    EXPECT_STR(s, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void tokens_of_one_root_differ_in_the_secret_only(void)
{
    char a[CA_TOKEN_SIZE], b[CA_TOKEN_SIZE];
    ca_token_new(text(recorded_root), a);
    ca_token_new(text(recorded_root), b);
    EXPECT(strncmp(a, b, 60) == 0 && strcmp(a, b) != 0);
    ca_token_new(text("another root"), b);
    EXPECT(strncmp(a, b, 60) != 0);
}

static void version_two_is_read(void)
{
    char s[CA_TOKEN_SIZE + 8];
    struct ca_token t;
    snprintf(s, sizeof s, "SWMTKN-2-1-%s", recorded_worker + 9);
    EXPECT(ca_token_parse(s, &t, NULL) == 0 && t.fips);
    s[9] = '0';
    EXPECT(ca_token_parse(s, &t, NULL) == 0 && !t.fips);
    s[9] = '2';
    EXPECT_INT(ca_token_parse(s, &t, NULL), -EINVAL);
}

static void what_is_no_token_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "SWMTKN-1-",
        "SWMTKN-1-00000000000000000000000000000000000000000000000000",
        "SWMTKN-1-0000000000000000000000000000000000000000000000000-"
        "0000000000000000000000000",
        "SWMTKN-1-00000000000000000000000000000000000000000000000000-"
        "000000000000000000000000",
        "SWMTKN-1-00000000000000000000000000000000000000000000000000-"
        "00000000000000000000000000",
        "SWMTKN-3-00000000000000000000000000000000000000000000000000-"
        "0000000000000000000000000",
        "SWMTKN-1-0000000000000000000000000000000000000000000000000A-"
        "0000000000000000000000000",
        "SWMTKN-1-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-"
        "0000000000000000000000000", /* over 256 bits */
        "SWMTKN-1-00000000000000000000000000000000000000000000000000-"
        "000000000000000000000000-",
        "swmtkn-1-00000000000000000000000000000000000000000000000000-"
        "0000000000000000000000000",
    };
    struct ca_token t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        EXPECT_INT(ca_token_parse(bad[i], &t, &e), -EINVAL);
        EXPECT_STR(err_text(&e), "invalid join token");
    }
}

static Pb__Cluster *cluster(void)
{
    Pb__Cluster *c = PB_NEW(Cluster, cluster);
    c->root_ca = PB_NEW(RootCA, root_ca);
    pb_bytes(&c->root_ca->ca_cert, recorded_root, strlen(recorded_root));
    c->root_ca->join_tokens = PB_NEW(JoinTokens, join_tokens);
    pb_str(&c->root_ca->join_tokens->worker, recorded_worker);
    pb_str(&c->root_ca->join_tokens->manager, recorded_manager);
    return c;
}

static void a_token_decides_the_role(void)
{
    struct err e = {0};
    Pb__Cluster *c = cluster();
    EXPECT_INT(ca_token_role(c, recorded_worker, &e), CA_TOKEN_WORKER);
    EXPECT_INT(ca_token_role(c, recorded_manager, &e), CA_TOKEN_MANAGER);
    char other[CA_TOKEN_SIZE];
    strcpy(other, recorded_worker);
    other[CA_TOKEN_LEN - 1] ^= 1;
    EXPECT_INT(ca_token_role(c, other, &e), -EACCES);
    EXPECT_STR(err_text(&e), "A valid join token is necessary to join this cluster");
    other[CA_TOKEN_LEN - 1] = 0;
    EXPECT_INT(ca_token_role(c, other, &e), -EACCES);
    EXPECT_INT(ca_token_role(c, "", &e), -EACCES);
    pb_str(&c->root_ca->join_tokens->manager, ""); /* no token is no way in */
    EXPECT_INT(ca_token_role(c, "", &e), -EACCES);
    pb_free(c);
}

static void rotation_changes_the_chosen_token_only(void)
{
    Pb__Cluster *c = cluster();
    Pb__JoinTokens *t = c->root_ca->join_tokens;
    ca_rotate_tokens(c, true, false);
    EXPECT_STR(t->manager, recorded_manager);
    EXPECT(strcmp(t->worker, recorded_worker) != 0 && strncmp(t->worker, recorded_worker, 60) == 0);
    EXPECT_INT(ca_token_role(c, recorded_worker, NULL), -EACCES);
    EXPECT_INT(ca_token_role(c, t->worker, NULL), CA_TOKEN_WORKER);
    ca_rotate_tokens(c, false, true);
    EXPECT(strcmp(t->manager, recorded_manager) != 0);
    EXPECT(strcmp(t->manager, t->worker) != 0);
    pb_free(c);
}

int main(void)
{
    TEST(the_digest_of_a_recorded_root_is_in_its_recorded_token);
    TEST(the_digest_text_is_hex_of_the_same);
    TEST(tokens_of_one_root_differ_in_the_secret_only);
    TEST(version_two_is_read);
    TEST(what_is_no_token_is_refused);
    TEST(a_token_decides_the_role);
    TEST(rotation_changes_the_chosen_token_only);
    return check_done();
}
