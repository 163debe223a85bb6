/* unit/api/test_parts.c - the pure parts: statuses, filters, events, addresses. */
#include "lib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/distribution.h"
#include "api/event_text.h"
#include "api/state.h"
#include "api/swarm_addr.h"
#include "base/str.h"

static void every_code_has_its_status(void)
{
    static const unsigned want[] = {500, 500, 500, 400, 500, 404, 409, 403, 500,
                                    400, 500, 400, 501, 500, 503, 500, 401};
    for (unsigned i = 0; i <= RPC_UNAUTHENTICATED; i++)
        EXPECT_INT(api_status_of((enum rpc_code)i), want[i]);
}

static void both_spellings_of_filters_are_read(void)
{
    static const char *const known[] = {"name", "label", NULL};
    static const char *const texts[] = {"{\"name\":{\"a\":true,\"b\":true}}",
                                        "{\"name\":[\"a\",\"b\"]}"};
    for (size_t i = 0; i < 2; i++) {
        struct api_filters *f = NULL;
        struct err e = {""};
        unsigned status = 0;
        REQUIRE(api_filters_parse(texts[i], known, &f, &status, &e) == 0);
        EXPECT(api_filters_has(f, "name") && !api_filters_has(f, "label"));
        EXPECT_INT(strv_len(api_filters_values(f, "name")), 2);
        EXPECT_STR(api_filters_values(f, "name")[1], "b");
        EXPECT(api_filters_values(f, "label")[0] == NULL);
        api_filters_free(f);
    }
}

static void bad_filters_are_refused(void)
{
    static const char *const known[] = {"name", NULL};
    static const struct {
        const char *text;
        unsigned status;
    } bad[] = {{"{\"nope\":{\"1\":true}}", 400}, {"[]", 500}, {"{\"name\":5}", 500},
               {"{\"name\":[1]}", 500},          {"{", 500},  {"{\"name\":{\"a\":\"x\"}}", 500}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct api_filters *f = NULL;
        struct err e = {""};
        unsigned status = 0;
        EXPECT(api_filters_parse(bad[i].text, known, &f, &status, &e) < 0);
        EXPECT_INT(status, bad[i].status);
        EXPECT(e.text[0] != '\0');
        if (i == 0)
            EXPECT_STR(e.text, "Invalid filter 'nope'");
    }
}

static const char *only_tier(void *arg, const char *key)
{
    (void)arg;
    return strcmp(key, "tier") == 0 ? "db" : NULL;
}

static void label_filters_must_all_match_and_an_empty_value_matches_any(void)
{
    static const struct {
        const char *text;
        bool fits;
    } cases[] = {{"{\"label\":[\"tier\"]}", true},
                 {"{\"label\":[\"tier=db\"]}", true},
                 {"{\"label\":[\"tier=\"]}", true},
                 {"{\"label\":[\"tier=web\"]}", false},
                 {"{\"label\":[\"tier\",\"other\"]}", false},
                 {"{}", true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct api_filters *f = NULL;
        struct err e;
        unsigned status;
        REQUIRE(api_filters_parse(cases[i].text, NULL, &f, &status, &e) == 0);
        EXPECT(api_filters_labels(f, "label", only_tier, NULL) == cases[i].fits);
        api_filters_free(f);
    }
}

static void an_event_is_written_with_sorted_attributes_and_old_members_for_containers(void)
{
    struct event ev;
    AUTO_BUF struct buf b = BUF_INIT(4096);
    event_init(&ev, "container", "start", "abc", "local", 1795301680149093720);
    ev.from = mem_str("redis");
    event_attribute(&ev, "name", "x");
    event_attribute(&ev, "image", "redis");
    event_write(&ev, &b);
    EXPECT_STR(b.p, "{\"status\":\"start\",\"id\":\"abc\",\"from\":\"redis\",\"Type\":"
                    "\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"abc\","
                    "\"Attributes\":{\"image\":\"redis\",\"name\":\"x\"}},\"scope\":\"local\","
                    "\"time\":1795301680,\"timeNano\":1795301680149093720}\n");
    event_done(&ev);
}

static void a_change_of_replicas_is_told(void)
{
    Pb__Service *before = PB_NEW(Service, service);
    pb_str(&before->id, "sid");
    before->spec = PB_NEW(ServiceSpec, service_spec);
    before->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&before->spec->annotations->name, "evs");
    before->spec->mode_case = PB__SERVICE_SPEC__MODE_REPLICATED;
    before->spec->replicated = PB_NEW(ReplicatedService, replicated_service);
    before->spec->replicated->replicas = 1;
    Pb__Service *after = pb_dup(before);
    after->spec->replicated->replicas = 2;
    Pb__Object o = PB__OBJECT__INIT, old = PB__OBJECT__INIT;
    o.object_case = old.object_case = PB__OBJECT__OBJECT_SERVICE;
    o.service = after;
    old.service = before;
    Pb__WatchMessage__Event ch = PB__WATCH_MESSAGE__EVENT__INIT;
    ch.action = PB__WATCH_ACTION_KIND__WATCH_ACTION_KIND_WATCH_ACTION_UPDATE;
    ch.object = &o;
    ch.old_object = &old;
    struct event ev;
    AUTO_BUF struct buf b = BUF_INIT(4096);
    REQUIRE(event_of_object(&ch, 5000000000, &ev));
    event_write(&ev, &b);
    EXPECT_STR(
        b.p, "{\"Type\":\"service\",\"Action\":\"update\",\"Actor\":{\"ID\":\"sid\",\"Attributes\":"
             "{\"name\":\"evs\",\"replicas.new\":\"2\","
             "\"replicas.old\":\"1\"}},\"scope\":\"swarm\",\"time\":5,\"timeNano\":5000000000}\n");
    event_done(&ev);
    pb_free(before);
    pb_free(after);
}

static void event_filters_choose(void)
{
    static const struct {
        const char *text;
        bool fits;
    } cases[] = {{"{\"type\":[\"secret\"]}", true},  {"{\"type\":[\"bogus\"]}", false},
                 {"{\"event\":[\"create\"]}", true}, {"{\"event\":[\"remove\"]}", false},
                 {"{\"secret\":[\"ev1\"]}", true},   {"{\"secret\":[\"om8\"]}", true},
                 {"{\"service\":[\"ev1\"]}", false}, {"{\"scope\":[\"swarm\"]}", true},
                 {"{\"scope\":[\"local\"]}", false}, {"{\"unknown\":[\"x\"]}", true}};
    struct event ev;
    event_init(&ev, "secret", "create", "om8xmq", "swarm", 1);
    event_attribute(&ev, "name", "ev1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct api_filters *f = NULL;
        struct err e;
        unsigned status;
        REQUIRE(api_filters_parse(cases[i].text, NULL, &f, &status, &e) == 0);
        if (event_fits(&ev, f) != cases[i].fits)
            check_fail(__FILE__, __LINE__, cases[i].text);
        api_filters_free(f);
    }
    event_done(&ev);
}

static void addresses_are_completed(void)
{
    char out[SWARM_ADDR_SIZE];
    unsigned status = 0;
    struct err e = {""};
    EXPECT_INT(swarm_addr_listen("", out, &status, &e), 0);
    EXPECT_STR(out, "0.0.0.0:2377");
    EXPECT_INT(swarm_addr_listen("127.0.0.1", out, &status, &e), 0);
    EXPECT_STR(out, "127.0.0.1:2377");
    EXPECT_INT(swarm_addr_listen("lo:99", out, &status, &e), 0);
    EXPECT_STR(out, "127.0.0.1:99");
    EXPECT_INT(swarm_addr_listen("[::1]:7", out, &status, &e), 0);
    EXPECT_STR(out, "[::1]:7");
    EXPECT_INT(swarm_addr_advertise("192.0.2.7", "0.0.0.0:2400", out, &status, &e), 0);
    EXPECT_STR(out, "192.0.2.7:2400");
    EXPECT_INT(swarm_addr_advertise("", "127.0.0.1:2377", out, &status, &e), 0);
    EXPECT_STR(out, "127.0.0.1:2377");
    EXPECT_INT(swarm_addr_data_path("", out, &status, &e), 0);
    EXPECT_STR(out, "");
}

static void bad_addresses_have_the_engines_words(void)
{
    char out[SWARM_ADDR_SIZE];
    unsigned status = 0;
    struct err e = {""};
    EXPECT_INT(swarm_addr_advertise("nosuchif0", "127.0.0.1:2377", out, &status, &e), -EINVAL);
    EXPECT_STR(e.text, "advertise address must be a non-zero IP address or network interface (with "
                       "optional port number)");
    EXPECT_INT(status, 400);
    EXPECT_INT(swarm_addr_advertise("0.0.0.0", "127.0.0.1:2377", out, &status, &e), -EINVAL);
    EXPECT_INT(swarm_addr_listen("127.0.0.1:99999", out, &status, &e), -EINVAL);
    EXPECT_STR(e.text, "manager stopped: failed to listen on remote API address: listen tcp: "
                       "address 99999: invalid port");
    EXPECT_INT(status, 500);
    EXPECT_INT(swarm_addr_data_path("nosuchif0", out, &status, &e), -EINVAL);
    EXPECT_STR(e.text, "data path address must be a non-zero IP address or network interface "
                       "(without a port number)");
}

static void a_registrys_answer_becomes_a_descriptor(void)
{
    static const char list[] =
        "{\"mediaType\":\"application/"
        "vnd.docker.distribution.manifest.list.v2+json\",\"manifests\":"
        "[{\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}}]}";
    struct err e = {""};
    AUTO_BUF struct buf b = BUF_INIT(4096), none = BUF_INIT(64);
    REQUIRE(distribution_answer(list, strlen(list), &b, &e) == 0);
    EXPECT(
        strstr(b.p, "\"digest\":\"sha256:") &&
        strstr(b.p,
               "\"Platforms\":[{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}]"));
    EXPECT_INT(distribution_answer("[]", 2, &none, &e), -EPROTO);
    EXPECT_INT(distribution_answer("not json", 8, &none, &e), -EPROTO);
    EXPECT_INT(distribution_answer("", 0, &none, &e), -EPROTO);
}

static void references_become_addresses_of_registries(void)
{
    static const char *const cases[][3] = {
        {"redis", "docker://docker.io/library/redis:latest", "docker.io"},
        {"gitea/gitea:1.13.0", "docker://docker.io/gitea/gitea:1.13.0", "docker.io"},
        {"localhost:5000/a/b:c", "docker://localhost:5000/a/b:c", "localhost:5000"}};
    for (size_t i = 0; i < 3; i++) {
        struct image_ref ref;
        struct err e;
        REQUIRE(image_ref_parse(cases[i][0], &ref, &e) == 0);
        AUTO_FREE char *registry = NULL;
        AUTO_FREE char *remote = distribution_remote(&ref, &registry);
        EXPECT_STR(remote, cases[i][1]);
        EXPECT_STR(registry, cases[i][2]);
    }
}

int main(void)
{
    TEST(every_code_has_its_status);
    TEST(both_spellings_of_filters_are_read);
    TEST(bad_filters_are_refused);
    TEST(label_filters_must_all_match_and_an_empty_value_matches_any);
    TEST(an_event_is_written_with_sorted_attributes_and_old_members_for_containers);
    TEST(a_change_of_replicas_is_told);
    TEST(event_filters_choose);
    TEST(a_registrys_answer_becomes_a_descriptor);
    TEST(references_become_addresses_of_registries);
    TEST(addresses_are_completed);
    TEST(bad_addresses_have_the_engines_words);
    return check_done();
}
