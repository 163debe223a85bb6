/* unit/http/test_json.c - request bodies are read and refused in the engine's words. */
#include "lib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "http/json.h"
#include "http/json_scan.h"

static void refused(const char *text, const char *words)
{
    struct err e = {""};
    json_t *v = NULL;
    EXPECT_INT(json_body_parse(text, strlen(text), &v, &e), -EINVAL);
    EXPECT_STR(e.text, words);
    json_decref(v);
}

static void syntax_errors_use_the_decoders_words(void)
{
    refused("{nope", "invalid character 'n' looking for beginning of object key string");
    refused("{\"a\" 1}", "invalid character '1' after object key");
    refused("{\"a\":1 \"b\"", "invalid character '\"' after object key:value pair");
    refused("[1 2]", "invalid character '2' after array element");
    refused("xyz", "invalid character 'x' looking for beginning of value");
    refused("tru!", "invalid character '!' in literal true (expecting 'e')");
    refused("\"a\nb\"", "invalid character '\\n' in string literal");
    refused("\"\\q\"", "invalid character 'q' in string escape code");
    refused("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape");
    refused("-x", "invalid character 'x' in numeric literal");
    refused("1.x", "invalid character 'x' after decimal point in numeric literal");
    refused("1e+", "unexpected EOF");
    refused("{\"a\":", "unexpected EOF");
    refused("'a'", "invalid character '\\'' looking for beginning of value");
    refused("\x01", "invalid character '\\x01' looking for beginning of value");
    refused("\xc3\xa9", "invalid character '\xc3\x83' looking for beginning of value");
}

static void depth_is_bounded(void)
{
    char deep[JSON_SCAN_DEPTH + 2];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    refused(deep, "exceeded max depth");
}

static void nothing_is_told_from_something(void)
{
    struct err e;
    json_t *v = NULL;
    EXPECT_INT(json_body_parse(" \n\t", 3, &v, &e), JSON_BODY_EMPTY);
    EXPECT_INT(json_body_parse("", 0, &v, &e), JSON_BODY_EMPTY);
    REQUIRE(json_body_parse("12 garbage", 10, &v, &e) == 0); /* what follows is ignored */
    EXPECT_INT(json_integer_value(v), 12);
    json_decref(v);
}

static void broken_utf8_becomes_the_replacement_character(void)
{
    struct err e;
    json_t *v = NULL;
    REQUIRE(json_body_parse("\"a\xff\xc3(\"", 6, &v, &e) == 0);
    EXPECT_STR(json_string_value(v), "a\xef\xbf\xbd\xef\xbf\xbd(");
    json_decref(v);
}

static struct json_at root_of(const char *text, const char *type, json_t **ret, struct json_in *in)
{
    struct err e = {""};
    if (json_body_parse(text, strlen(text), ret, &e) != 0)
        check_fail(__FILE__, __LINE__, e.text);
    return json_at_root(in, *ret, type);
}

static void members_are_found_without_regard_to_case(void)
{
    json_t *v = NULL;
    struct json_in in = {.failed = false};
    struct json_at at = root_of("{\"nAmE\":\"x\",\"n\":null}", "swarm.SecretSpec", &v, &in);
    EXPECT_STR(json_at_str(&at, "Name"), "x");
    EXPECT_STR(json_at_str(&at, "N"), "");
    EXPECT(!in.failed);
    json_decref(v);
}

static void the_first_type_error_is_told_with_its_path(void)
{
    json_t *v = NULL;
    struct json_in in = {.failed = false};
    struct json_at at = root_of("{\"Name\":5,\"T\":{\"C\":{\"TTY\":\"yes\"}}}", "swarm.ServiceSpec",
                                &v, &in),
                   t, c;
    REQUIRE(json_at_object(&at, "T", "TaskSpec", "swarm.TaskSpec", &t));
    REQUIRE(json_at_object(&t, "C", "ContainerSpec", "swarm.ContainerSpec", &c));
    EXPECT(!json_at_bool(&c, "TTY"));
    EXPECT_STR(
        in.e.text,
        "json: cannot unmarshal string into Go struct field ContainerSpec.T.C.TTY of type bool");
    (void)json_at_str(&at, "Name"); /* comes second, is not told */
    EXPECT(strstr(in.e.text, "TTY") != NULL);
    json_decref(v);
}

static void ignore_pair(void *arg, const char *k, const char *v)
{
    (void)arg, (void)k, (void)v;
}

static void maps_arrays_and_numbers_are_checked(void)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"[]", "json: cannot unmarshal array into Go value of type swarm.X"},
        {"{\"i\":1.5}", "json: cannot unmarshal number 1.5 into Go struct field X.i of type int64"},
        {"{\"u\":-1}", "json: cannot unmarshal number -1 into Go struct field X.u of type uint64"},
        {"{\"m\":[]}",
         "json: cannot unmarshal array into Go struct field X.m of type map[string]string"},
        {"{\"m\":{\"a\":1}}",
         "json: cannot unmarshal number into Go struct field X.m of type string"},
        {"{\"s\":[1]}", "json: cannot unmarshal number into Go struct field X.s of type string"},
        {"{\"s\":{}}", "json: cannot unmarshal object into Go struct field X.s of type []string"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        json_t *v = NULL;
        struct json_in in = {.failed = false};
        struct json_at at = root_of(bad[i].text, "swarm.X", &v, &in);
        (void)json_at_int(&at, "i", 0, "int64");
        (void)json_at_uint(&at, "u", UINT64_MAX, "uint64", NULL);
        json_at_map(&at, "m", ignore_pair, NULL);
        char **s = json_at_strv(&at, "s");
        strv_free(s);
        EXPECT_STR(in.e.text, bad[i].words);
        json_decref(v);
    }
}

int main(void)
{
    TEST(syntax_errors_use_the_decoders_words);
    TEST(depth_is_bounded);
    TEST(nothing_is_told_from_something);
    TEST(broken_utf8_becomes_the_replacement_character);
    TEST(members_are_found_without_regard_to_case);
    TEST(the_first_type_error_is_told_with_its_path);
    TEST(maps_arrays_and_numbers_are_checked);
    return check_done();
}
