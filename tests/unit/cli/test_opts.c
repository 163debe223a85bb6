/* unit/cli/test_opts.c - the grammars of flag values. */
#include <jansson.h>
#include <stdlib.h>
#include "base/mem.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/service_spec.h"
#include "lib/check.h"

static struct err e;

static void csv_gives_the_fields_of_a_record(void)
{
    AUTO_STRV char **f = NULL;
    REQUIRE(csv_record("a,\"b,\"\"c\"\"\",,d=1", &f, &e) == 0);
    EXPECT_INT(strv_len((const char *const *)f), 4);
    EXPECT_STR(f[0], "a");
    EXPECT_STR(f[1], "b,\"c\"");
    EXPECT_STR(f[2], "");
    EXPECT_STR(f[3], "d=1");
}

static void csv_refuses_bad_quotes_and_nothing(void)
{
    char **f = NULL;
    EXPECT(csv_record("", &f, &e) < 0);
    EXPECT_STR(e.text, "EOF");
    EXPECT(csv_record("a\"b", &f, &e) < 0);
    EXPECT_STR(e.text, "parse error on line 1, column 2: bare \" in non-quoted-field");
    EXPECT(csv_record("\"ab", &f, &e) < 0);
    EXPECT(csv_record("\"ab\"c", &f, &e) < 0);
    EXPECT(f == NULL);
}

static void a_secret_by_its_name_gets_the_defaults(void)
{
    AUTO_JSON json_t *r = NULL;
    REQUIRE(parse_file_reference("db_pwd", "Secret", &r, &e) == 0);
    EXPECT_STR(js_str(r, "SecretName"), "db_pwd");
    EXPECT_STR(js_str(r, "File.Name"), "db_pwd");
    EXPECT_STR(js_str(r, "File.UID"), "0");
    EXPECT_INT(js_int(r, "File.Mode"), 0444);
}

static void a_secret_takes_target_owner_and_mode(void)
{
    AUTO_JSON json_t *r = NULL, *decimal = NULL;
    REQUIRE(parse_file_reference("SRC=a,target=t,uid=1,gid=2,mode=0o440", "Secret", &r, &e) == 0);
    EXPECT_STR(js_str(r, "SecretName"), "a");
    EXPECT_STR(js_str(r, "File.Name"), "t");
    EXPECT_STR(js_str(r, "File.GID"), "2");
    EXPECT_INT(js_int(r, "File.Mode"), 0440);
    REQUIRE(parse_file_reference("source=a,mode=440", "Secret", &decimal, &e) == 0);
    EXPECT_INT(js_int(decimal, "File.Mode"), 0670);
}

static void a_secret_is_refused_in_the_words_of_the_stock_cli(void)
{
    static const char *const bad[][2] = {
        {"source=a,mode=0999",
         "invalid mode specified: strconv.ParseUint: parsing \"0999\": invalid syntax"},
        {"target=x", "source is required"},
        {"source=a,nope=1", "invalid field in secret request: nope"},
        {"source=a,target", "invalid field 'target' must be a key=value pair"},
        {"", "EOF"},
        {"source=a,mode=99999999999",
         "invalid mode specified: strconv.ParseUint: parsing \"99999999999\": value out of range"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT(check_secret(bad[i][0], &e) < 0);
        EXPECT_STR(e.text, bad[i][1]);
    }
    EXPECT(check_config("source=a,nope=1", &e) < 0);
    EXPECT_STR(e.text, "invalid field in config request: nope");
}

static void a_mount_is_read_with_its_options(void)
{
    AUTO_JSON json_t *m = NULL;
    REQUIRE(
        parse_mount("type=volume,src=v,dst=/d,ro,volume-label=a=b,volume-driver=x,volume-opt=k=v",
                    &m, &e) == 0);
    EXPECT_STR(js_str(m, "Source"), "v");
    EXPECT_STR(js_str(m, "Target"), "/d");
    EXPECT(js_bool(m, "ReadOnly"));
    EXPECT_STR(js_str(m, "VolumeOptions.Labels.a"), "b");
    EXPECT_STR(js_str(m, "VolumeOptions.DriverConfig.Options.k"), "v");
}

static void a_mount_needs_a_target_and_options_of_its_own_type(void)
{
    EXPECT(check_mount("type=volume", &e) < 0);
    EXPECT_STR(e.text, "target is required");
    EXPECT(check_mount("x", &e) < 0);
    EXPECT_STR(e.text, "invalid field 'x' must be a key=value pair");
    EXPECT(check_mount("type=bind,x=1", &e) < 0);
    EXPECT_STR(e.text, "unexpected key 'x' in 'x=1'");
    EXPECT(check_mount("type=bind,target=/x,tmpfs-size=1m", &e) < 0);
    EXPECT(check_mount("type=tmpfs,target=/x,tmpfs-size=big", &e) < 0);
    EXPECT(check_mount("type=volume,target=/x,ro=perhaps", &e) < 0);
}

static void ports_come_in_two_forms_and_in_ranges(void)
{
    AUTO_JSON json_t *list = json_array();
    REQUIRE(parse_ports("8080-8082:80-82/udp", list, &e) == 0);
    REQUIRE(parse_ports("target=443,published=8443,mode=host", list, &e) == 0);
    REQUIRE(parse_ports("9000", list, &e) == 0);
    EXPECT_INT(json_array_size(list), 5);
    EXPECT_INT(js_int(json_array_get(list, 2), "PublishedPort"), 8082);
    EXPECT_STR(js_str(json_array_get(list, 0), "Protocol"), "udp");
    EXPECT_STR(js_str(json_array_get(list, 3), "PublishMode"), "host");
    EXPECT(json_object_get(json_array_get(list, 4), "PublishedPort") == NULL);
}

static void ports_are_refused_in_the_words_of_the_stock_cli(void)
{
    static const char *const bad[][2] = {
        {"abc", "invalid containerPort: abc"},
        {"80:90:100", "invalid IP address: 80"},
        {"127.0.0.1:80:80", "hostip is not supported"},
        {"80-90:80-85", "invalid ranges specified for container and host Ports: 80-85 and 80-90"},
        {"published=80", "missing mandatory field 'target'"},
        {"target=80,x=1", "invalid field key: x"},
        {"99999", "invalid containerPort: 99999"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT(check_port(bad[i][0], &e) < 0);
        EXPECT_STR(e.text, bad[i][1]);
    }
}

static void numbers_follow_their_prefix_and_stop_at_their_limit(void)
{
    uint64_t u = 7;
    int64_t i = 7;
    EXPECT(parse_uint("0x1F", 0, 64, &u, &e) == 0 && u == 31);
    EXPECT(parse_uint("18446744073709551615", 10, 64, &u, &e) == 0 && u == UINT64_MAX);
    EXPECT(parse_uint("18446744073709551616", 10, 64, &u, &e) < 0);
    EXPECT(parse_uint("-1", 0, 64, &u, &e) < 0);
    EXPECT(parse_uint("", 0, 64, &u, &e) < 0);
    EXPECT(parse_uint("0x", 0, 64, &u, &e) < 0);
    EXPECT(parse_uint("4294967296", 0, 32, &u, &e) < 0);
    EXPECT(parse_int("-12", 0, &i, &e) == 0 && i == -12);
    EXPECT(parse_int("1 ", 0, &i, &e) < 0);
}

static void sizes_and_cpus_are_exact(void)
{
    int64_t n = 0;
    EXPECT(parse_size("64m", &n, &e) == 0 && n == 64 << 20);
    EXPECT(parse_size("1.5KiB", &n, &e) == 0 && n == 1536);
    EXPECT(parse_size("12", &n, &e) == 0 && n == 12);
    EXPECT(parse_size("x", &n, &e) < 0);
    EXPECT_STR(e.text, "invalid size: 'x'");
    EXPECT(parse_size("1q", &n, &e) < 0);
    EXPECT(parse_size("-1m", &n, &e) < 0);
    EXPECT(parse_size("99999999999p", &n, &e) < 0);
    EXPECT(parse_cpus("0.1", &n, &e) == 0 && n == 100000000);
    EXPECT(parse_cpus("2", &n, &e) == 0 && n == 2000000000);
    EXPECT(parse_cpus("0.0000000001", &n, &e) < 0);
    EXPECT(parse_cpus("x", &n, &e) < 0);
    EXPECT(parse_cpus("1e300", &n, &e) < 0);
}

static void words_are_split_as_a_shell_does(void)
{
    AUTO_STRV char **w = split_words("sh -c 'a  b' \"c\\\"d\" e\\ f ''", &e);
    REQUIRE(w != NULL);
    EXPECT_INT(strv_len((const char *const *)w), 6);
    EXPECT_STR(w[2], "a  b");
    EXPECT_STR(w[3], "c\"d");
    EXPECT_STR(w[4], "e f");
    EXPECT_STR(w[5], "");
    EXPECT(split_words("a 'b", &e) == NULL);
    AUTO_STRV char **none = split_words("  ", &e);
    EXPECT(none && !none[0]);
}

static void labels_filters_and_hosts_are_checked(void)
{
    EXPECT(check_label("=v", &e) < 0);
    EXPECT_STR(e.text, "invalid label '=v': empty name");
    EXPECT(check_label("a b=c", &e) < 0);
    EXPECT(check_label("k", &e) == 0);
    EXPECT(check_filter("x", &e) < 0);
    EXPECT(check_filter("a=", &e) == 0);
    EXPECT(check_host("h:1.2.3.4", &e) == 0);
    EXPECT(check_host("h:::1", &e) == 0);
    EXPECT(check_host("h", &e) < 0);
    EXPECT(check_ip("1.2.3", &e) < 0);
    EXPECT(parse_cidr("10.0.0.0/33", &e) < 0);
    EXPECT(parse_cidr("10.0.0.0/8", &e) == 0);
    EXPECT(check_pref("zone=x", &e) < 0);
    AUTO_JSON json_t *u = NULL;
    EXPECT(parse_ulimit("nofile=5:3", &u, &e) < 0);
    EXPECT(parse_ulimit("nofile=3:5", &u, &e) == 0 && js_int(u, "Hard") == 5);
}

static void image_names_are_made_full(void)
{
    static const char *const rows[][3] = {
        {"redis", "docker.io/library/redis", "latest"},
        {"a/b:1", "docker.io/a/b", "1"},
        {"localhost:5000/x", "localhost:5000/x", "latest"},
        {"reg.example/x/y:2", "reg.example/x/y", "2"},
        {"x@sha256:00", "docker.io/library/x", "sha256:00"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *tag = NULL, *full = image_full_name(rows[i][0], &tag, &e);
        EXPECT_STR(full, rows[i][1]);
        EXPECT_STR(tag, rows[i][2]);
    }
    AUTO_FREE char *tagged = image_with_tag("redis"), *kept = image_with_tag("h:5/r:t");
    EXPECT_STR(tagged, "redis:latest");
    EXPECT_STR(kept, "h:5/r:t");
}

static void image_names_that_are_none_are_refused(void)
{
    char *tag = NULL;
    EXPECT(image_full_name("UPPER:1", &tag, &e) == NULL);
    EXPECT_STR(e.text,
               "invalid reference format: repository name (library/UPPER) must be lowercase");
    EXPECT(image_full_name("a b", &tag, &e) == NULL);
    EXPECT(tag == NULL);
}

int main(void)
{
    TEST(csv_gives_the_fields_of_a_record);
    TEST(csv_refuses_bad_quotes_and_nothing);
    TEST(a_secret_by_its_name_gets_the_defaults);
    TEST(a_secret_takes_target_owner_and_mode);
    TEST(a_secret_is_refused_in_the_words_of_the_stock_cli);
    TEST(a_mount_is_read_with_its_options);
    TEST(a_mount_needs_a_target_and_options_of_its_own_type);
    TEST(ports_come_in_two_forms_and_in_ranges);
    TEST(ports_are_refused_in_the_words_of_the_stock_cli);
    TEST(numbers_follow_their_prefix_and_stop_at_their_limit);
    TEST(sizes_and_cpus_are_exact);
    TEST(words_are_split_as_a_shell_does);
    TEST(labels_filters_and_hosts_are_checked);
    TEST(image_names_are_made_full);
    TEST(image_names_that_are_none_are_refused);
    return check_done();
}
