/* unit/http/test_secret_body.c - the payload goes to secret memory and nowhere else, however the
 * body is cut and written. */
#include "lib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "http/secret_body.h"

struct result {
    int r;
    struct err e;
    json_t *rest;
    struct secret_buf *payload;
};

static struct result feed(const char *text, size_t n, size_t step)
{
    struct result res = {.r = 0};
    struct secret_body *b = secret_body_new("SecretSpec", "swarm.SecretSpec", 0);
    for (size_t i = 0; i < n; i += step) {
        AUTO_FREE char *piece = mem_dup(
            text + i, n - i < step ? n - i : step); /* the sanitizer sees reads past a piece */
        if (secret_body_step(b, piece, n - i < step ? n - i : step))
            break;
    }
    res.r = secret_body_end(b, &res.rest, &res.e);
    res.payload = secret_body_take(b);
    secret_body_free(b);
    return res;
}

static void done(struct result *res)
{
    json_decref(res->rest);
    secret_buf_free(res->payload);
}

static void expect_payload(const char *body, const char *want)
{
    for (size_t step = 1; step < 9; step++) {
        struct result res = feed(body, strlen(body), step);
        EXPECT_INT(res.r, 0);
        if (res.r == 0 && want) {
            EXPECT(res.payload && secret_buf_len(res.payload) == strlen(want) &&
                   memcmp(secret_buf_bytes(res.payload), want, strlen(want)) == 0);
            char *dump = json_dumps(res.rest, JSON_COMPACT);
            EXPECT(dump && !strstr(dump, "cGF5bG9hZA") && !strstr(dump, "payload"));
            free(dump);
        } else {
            EXPECT(!want || res.payload == NULL);
        }
        if (res.r)
            check_fail(__FILE__, __LINE__, res.e.text);
        done(&res);
    }
}

static void any_order_case_and_cut_gives_the_same_payload(void)
{
    expect_payload("{\"Name\":\"n\",\"Labels\":{},\"Data\":\"cGF5bG9hZA==\"}\n", "payload");
    expect_payload("{\"Data\":\"cGF5bG9hZA==\",\"Name\":\"n\"}", "payload");
    expect_payload(" { \"dAtA\" : \"cGF5bG9hZA==\" , \"Name\":\"n\"}", "payload");
    expect_payload("{\"D\\u0061ta\":\"cGF5bG9hZA==\"}", "payload");
}

static void escapes_inside_the_payload_are_undone(void)
{
    expect_payload("{\"Data\":\"cGF5\\nbG9h\\r\\nZA==\"}", "payload");
    expect_payload("{\"Data\":\"cGF5bG9hZA\\u003d=\"}", "payload");
    expect_payload("{\"Data\":\"\\u0063GF5bG9hZA==\"}", "payload");
    expect_payload("{\"Data\":\"\\/\\/\\/\\/\"}", "\xff\xff\xff");
}

static void data_elsewhere_is_ordinary(void)
{
    static const char body[] = "{\"Labels\":{\"Data\":\"eA==\"},\"Datax\":\"eA==\",\"Dat\":1}";
    struct result res = feed(body, sizeof(body) - 1, 5);
    EXPECT_INT(res.r, 0);
    EXPECT(res.payload == NULL);
    EXPECT_STR(json_string_value(json_object_get(json_object_get(res.rest, "Labels"), "Data")),
               "eA==");
    done(&res);
}

static void the_last_of_two_counts_and_null_changes_nothing(void)
{
    expect_payload("{\"Data\":\"AAAA\",\"data\":\"cGF5bG9hZA==\"}", "payload");
    expect_payload("{\"Data\":\"cGF5bG9hZA==\",\"data\":null}", "payload");
    expect_payload("{\"Data\":null}", NULL);
    expect_payload("{\"Name\":\"x\"}", NULL);
}

static void refused(const char *body, const char *words)
{
    for (size_t step = 1; step < 6; step++) {
        struct result res = feed(body, strlen(body), step);
        EXPECT_INT(res.r, -EINVAL);
        EXPECT_STR(res.e.text, words);
        done(&res);
    }
}

static void errors_are_the_engines(void)
{
    refused("{\"Data\":\"__79Pj4-Pz8_\"}", "illegal base64 data at input byte 0");
    refused("{\"Data\":\"aGk\"}", "illegal base64 data at input byte 0");
    refused("{\"Data\":\"***\"}", "illegal base64 data at input byte 0");
    refused("{\"Data\":\"QUJDab*d\"}", "illegal base64 data at input byte 6");
    refused("{\"Data\":\"QUJD\xc3\xa9\"}", "illegal base64 data at input byte 4");
    refused("{\"Data\":5}",
            "json: cannot unmarshal number into Go struct field SecretSpec.Data of type []uint8");
    refused("{\"Data\":{\"a\":[1,{\"Data\":2}]},\"Name\":\"x\"}",
            "json: cannot unmarshal object into Go struct field SecretSpec.Data of type []uint8");
    refused("[]", "json: cannot unmarshal array into Go value of type swarm.SecretSpec");
    refused("{nope", "invalid character 'n' looking for beginning of object key string");
    refused("{\"Data\":\"QUJD", "unexpected EOF");
    refused("{\"Data\":\"QU\x01JD\"}", "invalid character '\\x01' in string literal");
    refused("{\"Data\":tru}", "invalid character '}' in literal true (expecting 'e')");
}

static void no_body_is_told_apart(void)
{
    struct result res = feed("  ", 2, 1);
    EXPECT_INT(res.r, SECRET_BODY_EMPTY);
    done(&res);
}

static struct result of_size(size_t bytes)
{
    size_t n = bytes / 3 * 4;
    AUTO_FREE char *text = mem_new(n + 64);
    size_t at = (size_t)snprintf(text, 64, "{\"Name\":\"n\",\"Data\":\"");
    memset(text + at, 'Q', n);
    at += n;
    at += (size_t)snprintf(text + at, 8, "\"}");
    return feed(text, at, 4093);
}

static void the_largest_payload_fits_and_a_larger_one_keeps_the_forbidden_size(void)
{
    struct result res = of_size(511998);
    EXPECT_INT(res.r, 0);
    REQUIRE(res.payload != NULL);
    EXPECT_INT(secret_buf_len(res.payload), 511998);
    done(&res);
    res = of_size(512001);
    EXPECT_INT(res.r, 0);
    REQUIRE(res.payload != NULL);
    EXPECT_INT(secret_buf_len(res.payload), SECRET_MAX);
    done(&res);
}

int main(void)
{
    struct err e;
    if (secret_arena_open(16 << 20, &e) != 0) {
        printf("Bail out! %s\n", e.text);
        return 1;
    }
    TEST(any_order_case_and_cut_gives_the_same_payload);
    TEST(escapes_inside_the_payload_are_undone);
    TEST(data_elsewhere_is_ordinary);
    TEST(the_last_of_two_counts_and_null_changes_nothing);
    TEST(errors_are_the_engines);
    TEST(no_body_is_told_apart);
    TEST(the_largest_payload_fits_and_a_larger_one_keeps_the_forbidden_size);
    return check_done();
}
