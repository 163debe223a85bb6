/* unit/control/test_control_secret.c - the life of a secret at the manager, and every refusal. */
#include "unit/control/control_fixture.h"

static struct ctl c;

static void a_secret_is_answered_when_it_is_durable_and_without_its_payload(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    c.hold_disk = true;
    EXPECT_INT(ctl_secret(&c, "db_pwd", 11, id), -1); /* the disk waits, so does the answer */
    ctl_turn(&c);
    EXPECT(!c.done);
    c.hold_disk = false;
    ctl_turn(&c);
    REQUIRE(c.done && c.response);
    Pb__Secret *s = ((Pb__CreateSecretResponse *)c.response)->secret;
    EXPECT(id_valid(s->id));
    EXPECT_STR(s->spec->annotations->name, "db_pwd");
    EXPECT_INT(s->spec->data.len, 0);
    EXPECT(s->meta->version->index > 0);
    AUTO_SECRET struct secret_buf *payload = NULL;
    EXPECT_INT(store_payload(c.fx.store, s->id, &payload, NULL), 0);
    EXPECT(payload && secret_buf_len(payload) == 11);
    ctl_close(&c);
}

static void what_a_full_disk_refuses_is_as_if_never_asked(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    fake_log_fail(c.fx.disk, -ENOSPC, "No space left on device", 1);
    EXPECT_INT(ctl_secret(&c, "s", 5, id), RPC_RESOURCE_EXHAUSTED);
    EXPECT(strstr(c.st.message, "No space left on device") != NULL);
    EXPECT_INT(store_count(c.fx.store, STORE_TIP, STORE_SECRET), 0);
    EXPECT_INT(ctl_secret(&c, "s", 5, id), RPC_OK); /* the name is free */
    ctl_close(&c);
}

static void bad_names_and_sizes_are_refused_in_the_engines_words(void)
{
    static const char bad_name[] = "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and "
                                   "the start and end character must be [a-zA-Z0-9]";
    static const char bad_size[] = "secret data must be larger than 0 and less than 512000 bytes";
    static const struct {
        const char *name;
        size_t size;
        const char *text; /* NULL: fine */
    } t[] = {
        {"", 1, "name must be provided"},
        {"a b", 1, bad_name},
        {"-a", 1, bad_name},
        {"a-", 1, bad_name},
        {"\xc3\xa9", 1, bad_name},
        {"a123456789b123456789c123456789d123456789e123456789f123456789abcde", 1, bad_name},
        {"a123456789b123456789c123456789d123456789e123456789f123456789abcd", 1, NULL},
        {"a.b_c-d", 1, NULL},
        {"empty", 0, bad_size},
        {"big", 512000, bad_size},
        {"just", 511999, NULL},
    };
    ctl_open(&c, NULL);
    for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
        EXPECT_INT(ctl_secret(&c, t[i].name, t[i].size, NULL),
                   t[i].text ? RPC_INVALID_ARGUMENT : RPC_OK);
        if (t[i].text)
            EXPECT_STR(c.st.message, t[i].text);
    }
    ctl_close(&c);
}

static void keep_status(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    (void)m;
    *(struct rpc_status *)arg = *st;
}

static void a_name_is_taken_whatever_its_case_also_while_on_its_way(void)
{
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_secret(&c, "redis", 1, NULL), RPC_OK);
    EXPECT_INT(ctl_secret(&c, "REDIS", 1, NULL), RPC_ALREADY_EXISTS);
    EXPECT_STR(c.st.message, "secret REDIS already exists");
    c.hold_disk = true;
    EXPECT_INT(ctl_secret(&c, "other", 1, NULL), -1);
    c.done = false;
    struct rpc_status st = {0};
    Pb__CreateSecretRequest rq = PB__CREATE_SECRET_REQUEST__INIT;
    Pb__SecretSpec spec = PB__SECRET_SPEC__INIT;
    Pb__Annotations a = PB__ANNOTATIONS__INIT;
    char name[] = "Other", data[] = "x";
    a.name = name;
    spec.annotations = &a;
    spec.data = (ProtobufCBinaryData){1, (uint8_t *)data};
    rq.spec = &spec;
    rpc_start(c.client, &rpc_method_control_create_secret, &rq.base, 0, keep_status, &st);
    ctl_turn(&c);
    EXPECT(!c.done); /* the first still waits for the disk */
    EXPECT_INT(st.code, RPC_ALREADY_EXISTS);
    c.hold_disk = false;
    ctl_turn(&c);
    EXPECT(c.done);
    ctl_close(&c);
}

static void a_driver_must_have_a_name_and_be_there(void)
{
    Pb__CreateSecretRequest rq = PB__CREATE_SECRET_REQUEST__INIT;
    Pb__SecretSpec spec = PB__SECRET_SPEC__INIT;
    Pb__Annotations a = PB__ANNOTATIONS__INIT;
    Pb__Driver d = PB__DRIVER__INIT;
    char name[] = "s", driver[] = "vault";
    ctl_open(&c, NULL);
    a.name = name;
    spec.annotations = &a;
    spec.driver = &d;
    rq.spec = &spec;
    EXPECT_INT(CTL_CALL(&c, create_secret, &rq), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "secret driver must have a name");
    d.name = driver;
    EXPECT_INT(CTL_CALL(&c, create_secret, &rq), RPC_UNKNOWN);
    EXPECT_STR(c.st.message, "plugin \"vault\" not found");
    rq.spec = NULL;
    EXPECT_INT(CTL_CALL(&c, create_secret, &rq), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "invalid argument");
    ctl_close(&c);
}

/* version: 0 the right one */
static int update(const char *id, const char *name, const char *data, const char *label,
                  uint64_t version)
{
    Pb__UpdateSecretRequest rq = PB__UPDATE_SECRET_REQUEST__INIT;
    Pb__SecretSpec spec = PB__SECRET_SPEC__INIT;
    Pb__Annotations *a = PB_NEW(Annotations, annotations);
    Pb__Version v = PB__VERSION__INIT;
    const Pb__Secret *s = STORE_GET(c.fx.store, STORE_COMMITTED, SECRET, Secret, id);
    v.index = version ? version : s ? s->meta->version->index : 0;
    pb_str(&a->name, name);
    if (label)
        pb_label_set(a, label, "v");
    spec.annotations = a;
    spec.data = (ProtobufCBinaryData){strlen(data), (uint8_t *)(uintptr_t)data};
    rq.secret_id = (char *)(uintptr_t)id;
    rq.secret_version = &v;
    rq.spec = &spec;
    int code = CTL_CALL(&c, update_secret, &rq);
    pb_free(a);
    return code;
}

static void only_labels_of_a_secret_can_change(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_secret(&c, "s", 3, id), RPC_OK);
    EXPECT_INT(update(id, "s", "", "k", 0), RPC_OK);
    Pb__Secret *s = ((Pb__UpdateSecretResponse *)c.response)->secret;
    EXPECT_STR(pb_map_get(PB_MAP(s->spec->annotations, labels), "k"), "v");
    EXPECT_INT(update(id, "s", "sss", "other", 0), RPC_OK); /* the same payload may come along */
    s = ((Pb__UpdateSecretResponse *)c.response)->secret;
    EXPECT(!pb_map_get(PB_MAP(s->spec->annotations, labels), "k")); /* replaced as a whole */
    EXPECT_INT(s->spec->data.len, 0);
    static const char words[] = "only updates to Labels are allowed";
    EXPECT_INT(update(id, "s", "new", "k", 0), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, words);
    EXPECT_INT(update(id, "s", "ssss", "k", 0), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, words);
    EXPECT_INT(update(id, "S", "", "k", 0), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, words);
    EXPECT_INT(update(id, "s", "", "k", 1), RPC_UNKNOWN);
    EXPECT_STR(c.st.message, "update out of sequence");
    EXPECT_INT(update("nope", "s", "", "k", 1), RPC_NOT_FOUND);
    EXPECT_STR(c.st.message, "secret nope not found");
    EXPECT_INT(update("", "s", "", "k", 1), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "invalid argument");
    ctl_close(&c);
}

static int remove_secret(const char *id)
{
    Pb__RemoveSecretRequest rq = PB__REMOVE_SECRET_REQUEST__INIT;
    rq.secret_id = (char *)(uintptr_t)id;
    return CTL_CALL(&c, remove_secret, &rq);
}

static Pb__ServiceSpec *spec_with(const char *name, const char *id, const char *secret)
{
    Pb__ServiceSpec *s = ctl_spec(name);
    if (id)
        ctl_spec_secret(s, id, secret, secret);
    return s;
}

static void a_secret_in_use_stays_and_the_refusal_names_its_users(void)
{
    char id[ID_SIZE] = "", a[ID_SIZE] = "", b[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_secret(&c, "db_pwd", 3, id), RPC_OK);
    EXPECT_INT(ctl_service(&c, spec_with("redis", id, "db_pwd"), a), RPC_OK);
    EXPECT_INT(remove_secret(id), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "secret 'db_pwd' is in use by the following service: redis");
    EXPECT_INT(ctl_service(&c, spec_with("web", id, "db_pwd"), b), RPC_OK);
    EXPECT_INT(remove_secret(id), RPC_INVALID_ARGUMENT);
    EXPECT(strcmp(c.st.message,
                  "secret 'db_pwd' is in use by the following services: redis, web") == 0 ||
           strcmp(c.st.message,
                  "secret 'db_pwd' is in use by the following services: web, redis") == 0);
    EXPECT_INT(update(id, "db_pwd", "", "label", 0), RPC_OK);
    /* the documented rotation: no current spec names it any more, so it may go */
    EXPECT_INT(ctl_update(&c, a, spec_with("redis", NULL, NULL), 0, false), RPC_OK);
    EXPECT_INT(ctl_update(&c, b, spec_with("web", NULL, NULL), 0, false), RPC_OK);
    EXPECT_INT(remove_secret(id), RPC_OK);
    EXPECT_INT(store_count(c.fx.store, STORE_COMMITTED, STORE_SECRET), 0);
    /* and going back to the spec that named it is refused instead of failing on the nodes */
    EXPECT_INT(ctl_update(&c, a, spec_with("redis", NULL, NULL), 0, true), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "secret not found: db_pwd");
    EXPECT_INT(remove_secret(id), RPC_NOT_FOUND);
    EXPECT_INT(remove_secret(""), RPC_INVALID_ARGUMENT);
    ctl_close(&c);
}

static size_t list(size_t names, const char *name, const char *prefix, const char *id,
                   const char *label, const char *value)
{
    Pb__ListSecretsRequest rq = PB__LIST_SECRETS_REQUEST__INIT;
    Pb__ListSecretsRequest__Filters f = PB__LIST_SECRETS_REQUEST__FILTERS__INIT;
    Pb__ListSecretsRequest__Filters__LabelsEntry
        l = PB__LIST_SECRETS_REQUEST__FILTERS__LABELS_ENTRY__INIT,
        *ls[] = {&l};
    char *n[] = {(char *)(uintptr_t)name}, *p[] = {(char *)(uintptr_t)prefix},
         *i[] = {(char *)(uintptr_t)id};
    rq.filters = &f;
    f.names = n;
    f.n_names = names && name;
    f.name_prefixes = p;
    f.n_name_prefixes = prefix != NULL;
    f.id_prefixes = i;
    f.n_id_prefixes = id != NULL;
    l.key = (char *)(uintptr_t)label;
    l.value = (char *)(uintptr_t)value;
    f.labels = ls;
    f.n_labels = label != NULL;
    EXPECT_INT(CTL_CALL(&c, list_secrets, &rq), RPC_OK);
    return c.response ? ((Pb__ListSecretsResponse *)c.response)->n_secrets : 999;
}

static void lists_are_filtered_by_a_union_of_names_and_ids_then_by_labels(void)
{
    char one[ID_SIZE] = "", two[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_secret(&c, "db_pwd", 3, one), RPC_OK);
    EXPECT_INT(ctl_secret(&c, "Db_user", 3, two), RPC_OK);
    EXPECT_INT(ctl_secret(&c, "other", 3, NULL), RPC_OK);
    EXPECT_INT(update(one, "db_pwd", "", "k", 0), RPC_OK);
    Pb__Secret *internal = PB_NEW(Secret, secret);
    pb_str(&internal->id, "0000000000000000000000000");
    internal->internal = true;
    internal->spec = PB_NEW(SecretSpec, secret_spec);
    internal->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&internal->spec->annotations->name, "hidden");
    ctl_put(&c, STORE_SECRET, internal);
    EXPECT_INT(list(0, NULL, NULL, NULL, NULL, NULL), 3);
    EXPECT_INT(list(1, "DB_PWD", NULL, NULL, NULL, NULL), 1);
    EXPECT_INT(list(0, NULL, "db", NULL, NULL, NULL), 2);
    EXPECT_INT(list(0, NULL, NULL, one, NULL, NULL), 1);
    EXPECT_INT(list(1, "other", "db_p", NULL, NULL, NULL), 2);
    EXPECT_INT(list(0, NULL, "db", NULL, "k", ""), 1);
    EXPECT_INT(list(0, NULL, "db", NULL, "k", "v"), 1);
    EXPECT_INT(list(0, NULL, "db", NULL, "k", "w"), 0);
    EXPECT_INT(list(1, "nope", NULL, NULL, NULL, NULL), 0);
    ctl_close(&c);
}

static void a_caller_that_leaves_before_the_answer_harms_nobody(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    c.hold_disk = true;
    EXPECT_INT(ctl_secret(&c, "s", 3, id), -1);
    rpc_client_close(c.client); /* the connection goes, the change stays */
    for (int i = 0; i < 20; i++)
        uv_run(&c.loop, UV_RUN_NOWAIT);
    EXPECT(c.done);
    EXPECT_INT(c.st.code, RPC_CANCELLED);
    fixture_run(&c.fx);
    EXPECT_INT(store_count(c.fx.store, STORE_COMMITTED, STORE_SECRET), 1);
    rpc_server_close(c.server, NULL, NULL);
    uv_run(&c.loop, UV_RUN_DEFAULT);
    fixture_close(&c.fx);
    control_free(c.control);
    EXPECT_INT(uv_loop_close(&c.loop), 0);
}

static void a_config_shows_its_data_and_is_kept_while_used(void)
{
    Pb__CreateConfigRequest rq = PB__CREATE_CONFIG_REQUEST__INIT;
    Pb__ConfigSpec spec = PB__CONFIG_SPEC__INIT;
    Pb__Annotations a = PB__ANNOTATIONS__INIT;
    char name[] = "cg", data[] = "hello";
    ctl_open(&c, NULL);
    a.name = name;
    spec.annotations = &a;
    rq.spec = &spec;
    EXPECT_INT(CTL_CALL(&c, create_config, &rq), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "config data must be larger than 0 and less than 1024000 bytes");
    spec.data = (ProtobufCBinaryData){5, (uint8_t *)data};
    EXPECT_INT(CTL_CALL(&c, create_config, &rq), RPC_OK);
    Pb__Config *made = ((Pb__CreateConfigResponse *)c.response)->config;
    EXPECT_INT(made->spec->data.len, 5);
    char id[ID_SIZE];
    snprintf(id, sizeof(id), "%s", made->id);
    EXPECT_INT(CTL_CALL(&c, create_config, &rq), RPC_ALREADY_EXISTS);
    EXPECT_STR(c.st.message, "config cg already exists");
    Pb__ServiceSpec *s = ctl_spec("web");
    Pb__ConfigReference *r = PB_NEW(ConfigReference, config_reference);
    pb_str(&r->config_id, id);
    pb_str(&r->config_name, "cg");
    r->target_case = PB__CONFIG_REFERENCE__TARGET_FILE;
    r->file = PB_NEW(FileTarget, file_target);
    pb_str(&r->file->name, "/cg");
    PB_PUSH(s->task->container->n_configs, s->task->container->configs, r);
    EXPECT_INT(ctl_service(&c, s, NULL), RPC_OK);
    Pb__RemoveConfigRequest rm = PB__REMOVE_CONFIG_REQUEST__INIT;
    rm.config_id = id;
    EXPECT_INT(CTL_CALL(&c, remove_config, &rm), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "config 'cg' is in use by the following service: web");
    ctl_close(&c);
}

int main(void)
{
    TEST(a_secret_is_answered_when_it_is_durable_and_without_its_payload);
    TEST(what_a_full_disk_refuses_is_as_if_never_asked);
    TEST(bad_names_and_sizes_are_refused_in_the_engines_words);
    TEST(a_name_is_taken_whatever_its_case_also_while_on_its_way);
    TEST(a_driver_must_have_a_name_and_be_there);
    TEST(only_labels_of_a_secret_can_change);
    TEST(a_secret_in_use_stays_and_the_refusal_names_its_users);
    TEST(lists_are_filtered_by_a_union_of_names_and_ids_then_by_labels);
    TEST(a_caller_that_leaves_before_the_answer_harms_nobody);
    TEST(a_config_shows_its_data_and_is_kept_while_used);
    return check_done();
}
