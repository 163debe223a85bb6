/* unit/api/test_encode.c - specs as real clients sent them come back as the engine gave them back.
 */
#include "lib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/decode.h"
#include "api/encode.h"

static int decode(const char *text, Pb__ServiceSpec **ret, struct err *e)
{
    json_t *v = NULL;
    int r = json_body_parse(text, strlen(text), &v, e);
    if (r == 0)
        r = decode_service_spec(v, ret, e);
    json_decref(v);
    return r;
}

static void comes_back_as(const char *sent, const char *want)
{
    Pb__ServiceSpec *s = NULL;
    struct err e = {""};
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    struct jw w = JW_INIT(&b);
    if (decode(sent, &s, &e) != 0) {
        check_fail(__FILE__, __LINE__, e.text);
        return;
    }
    encode_service_spec(&w, NULL, s);
    EXPECT_STR(b.p, want);
    pb_free(s);
}

static void a_plain_service_gets_its_defaults(void)
{
    comes_back_as("{\"Name\":\"redis\",\"Labels\":{},\"TaskTemplate\":{\"ContainerSpec\":{"
                  "\"Image\":\"redis:alpine\",\"Init\":false,\"DNSConfig\":{},"
                  "\"Secrets\":[{\"File\":{\"Name\":\"db_pwd\",\"UID\":\"0\",\"GID\":\"0\","
                  "\"Mode\":292},\"SecretID\":\"sc8y9sdlbgl66bkucldeaxctk\","
                  "\"SecretName\":\"db_pwd\"}]},\"Resources\":{\"Limits\":{},\"Reservations\":{}},"
                  "\"Placement\":{},\"ForceUpdate\":0},"
                  "\"Mode\":{\"Replicated\":{}},\"EndpointSpec\":{\"Mode\":\"vip\"}}",
                  "{\"Name\":\"redis\",\"Labels\":{},\"TaskTemplate\":{\"ContainerSpec\":{"
                  "\"Image\":\"redis:alpine\",\"Init\":false,\"DNSConfig\":{},"
                  "\"Secrets\":[{\"File\":{\"Name\":\"db_pwd\",\"UID\":\"0\",\"GID\":\"0\","
                  "\"Mode\":292},\"SecretID\":\"sc8y9sdlbgl66bkucldeaxctk\","
                  "\"SecretName\":\"db_pwd\"}],\"Isolation\":\"default\"},\"Resources\":{"
                  "\"Limits\":{},\"Reservations\":{}},\"Placement\":{},"
                  "\"ForceUpdate\":0,\"Runtime\":\"container\"},\"Mode\":{\"Replicated\":{"
                  "\"Replicas\":1}},\"EndpointSpec\":{\"Mode\":\"vip\"}}");
}

static void a_stack_service_keeps_mounts_networks_and_ports(void)
{
    comes_back_as("{\"Name\":\"gitea_app\",\"Labels\":{\"com.docker.stack.namespace\":\"gitea\","
                  "\"com.docker.stack.image\":\"gitea/gitea:1.13.0\"},"
                  "\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"gitea/"
                  "gitea:1.13.0\",\"Labels\":{\"com.docker.stack.namespace\":\"gitea\"},"
                  "\"Env\":[\"DB_TYPE=mysql\",\"USER_UID=1000\"],\"Privileges\":{"
                  "\"CredentialSpec\":null,\"SELinuxContext\":null,\"NoNewPrivileges\":false},"
                  "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"gitea_app_data\",\"Target\":\"/"
                  "data\",\"VolumeOptions\":{\"Labels\":"
                  "{\"com.docker.stack.namespace\":\"gitea\"}}},{\"Type\":\"bind\",\"Source\":\"/"
                  "etc/timezone\",\"Target\":\"/etc/timezone\",\"ReadOnly\":true}]},"
                  "\"Resources\":{},\"RestartPolicy\":{\"Condition\":\"any\"},\"Placement\":{},"
                  "\"Networks\":[{\"Target\":\"tri9nz7qeancd6huv03vimqq2\","
                  "\"Aliases\":[\"app\"]}],\"ForceUpdate\":0},\"Mode\":{\"Replicated\":{}},"
                  "\"EndpointSpec\":{\"Ports\":[{\"Protocol\":\"tcp\","
                  "\"TargetPort\":22,\"PublishedPort\":222,\"PublishMode\":\"ingress\"}]}}",
                  "{\"Name\":\"gitea_app\",\"Labels\":{\"com.docker.stack.image\":\"gitea/"
                  "gitea:1.13.0\",\"com.docker.stack.namespace\":\"gitea\"},"
                  "\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"gitea/"
                  "gitea:1.13.0\",\"Labels\":{\"com.docker.stack.namespace\":\"gitea\"},"
                  "\"Env\":[\"DB_TYPE=mysql\",\"USER_UID=1000\"],\"Privileges\":{"
                  "\"CredentialSpec\":null,\"SELinuxContext\":null},"
                  "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"gitea_app_data\",\"Target\":\"/"
                  "data\",\"VolumeOptions\":{\"Labels\":"
                  "{\"com.docker.stack.namespace\":\"gitea\"}}},{\"Type\":\"bind\",\"Source\":\"/"
                  "etc/timezone\",\"Target\":\"/etc/timezone\",\"ReadOnly\":true}],"
                  "\"Isolation\":\"default\"},\"Resources\":{},\"RestartPolicy\":{\"Condition\":"
                  "\"any\",\"MaxAttempts\":0},\"Placement\":{},"
                  "\"Networks\":[{\"Target\":\"tri9nz7qeancd6huv03vimqq2\",\"Aliases\":[\"app\"]}],"
                  "\"ForceUpdate\":0,\"Runtime\":\"container\"},"
                  "\"Mode\":{\"Replicated\":{\"Replicas\":1}},\"EndpointSpec\":{\"Mode\":\"vip\","
                  "\"Ports\":[{\"Protocol\":\"tcp\",\"TargetPort\":22,"
                  "\"PublishedPort\":222,\"PublishMode\":\"ingress\"}]}}");
}

/* Everything a spec can say, in the order of the answer: must come back byte for byte. */
static const char whole[] =
    "{\"Name\":\"all\",\"Labels\":{\"a\":\"1\",\"b\":\"\"},\"TaskTemplate\":{\"ContainerSpec\":{"
    "\"Image\":\"i\",\"Labels\":{\"l\":\"v\"},"
    "\"Command\":[\"c\"],\"Args\":[\"d\",\"e\"],\"Hostname\":\"h.{{.Task.Slot}}\",\"Env\":[\"A=b\"]"
    ",\"Dir\":\"/w\",\"User\":\"u\",\"Groups\":[\"g\"],"
    "\"Privileges\":{\"CredentialSpec\":{\"Config\":\"\",\"File\":\"f\",\"Registry\":\"\"},"
    "\"SELinuxContext\":{\"Disable\":true,\"User\":\"a\","
    "\"Role\":\"b\",\"Type\":\"c\",\"Level\":\"d\"},\"Seccomp\":{\"Mode\":\"unconfined\"},"
    "\"AppArmor\":{\"Mode\":\"disabled\"},"
    "\"NoNewPrivileges\":true},\"Init\":true,\"StopSignal\":\"SIGINT\",\"TTY\":true,\"OpenStdin\":"
    "true,\"ReadOnly\":true,"
    "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/"
    "b\",\"Consistency\":\"cached\",\"BindOptions\":{\"Propagation\":\"rslave\","
    "\"NonRecursive\":true}},{\"Type\":\"tmpfs\",\"Target\":\"/"
    "t\",\"TmpfsOptions\":{\"SizeBytes\":65536,\"Mode\":448}},{\"Type\":\"volume\","
    "\"Target\":\"/"
    "v\",\"VolumeOptions\":{\"NoCopy\":true,\"DriverConfig\":{\"Name\":\"local\",\"Options\":{"
    "\"o\":\"p\"}}}}],"
    "\"StopGracePeriod\":3000000000,\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":"
    "1000000000,\"Timeout\":2000000000,"
    "\"StartPeriod\":3000000000,\"StartInterval\":4000000000,\"Retries\":5},\"Hosts\":[\"1.2.3.4 "
    "a\"],\"DNSConfig\":{\"Nameservers\":[\"9.9.9.9\"],"
    "\"Search\":[\"s\"],\"Options\":[\"o\"]},\"Secrets\":[{\"File\":{\"Name\":\"n\",\"UID\":\"1\","
    "\"GID\":\"2\",\"Mode\":256},\"SecretID\":\"id\","
    "\"SecretName\":\"sn\"}],\"Configs\":[{\"File\":{\"Name\":\"n\",\"UID\":\"0\",\"GID\":\"0\","
    "\"Mode\":292},\"ConfigID\":\"ci\","
    "\"ConfigName\":\"cn\"},{\"Runtime\":{},\"ConfigID\":\"c2\",\"ConfigName\":\"n2\"}],"
    "\"Isolation\":\"default\","
    "\"Sysctls\":{\"net.ipv4.ip_forward\":\"1\"},\"CapabilityAdd\":[\"CAP_NET_ADMIN\"],"
    "\"CapabilityDrop\":[\"CAP_CHOWN\"],"
    "\"Ulimits\":[{\"Name\":\"nofile\",\"Hard\":200,\"Soft\":100}],\"OomScoreAdj\":7},"
    "\"Resources\":{\"Limits\":{\"NanoCPUs\":500000000,"
    "\"MemoryBytes\":67108864,\"Pids\":99},\"Reservations\":{\"NanoCPUs\":100000000,"
    "\"MemoryBytes\":1048576,"
    "\"GenericResources\":[{\"NamedResourceSpec\":{\"Kind\":\"gpu\",\"Value\":\"u1\"}},{"
    "\"DiscreteResourceSpec\":{\"Kind\":\"ssd\",\"Value\":3}}]}},"
    "\"RestartPolicy\":{\"Condition\":\"on-failure\",\"Delay\":1000000000,\"MaxAttempts\":3,"
    "\"Window\":9000000000},"
    "\"Placement\":{\"Constraints\":[\"node.role==manager\"],\"Preferences\":[{\"Spread\":{"
    "\"SpreadDescriptor\":\"node.labels.zone\"}}],"
    "\"MaxReplicas\":4,\"Platforms\":[{\"Architecture\":\"amd64\",\"OS\":\"linux\"}]},\"Networks\":"
    "[{\"Target\":\"t\",\"Aliases\":[\"a\"],"
    "\"DriverOpts\":{\"k\":\"v\"}}],\"LogDriver\":{\"Name\":\"json-file\",\"Options\":{\"max-"
    "size\":\"1m\"}},\"ForceUpdate\":2,"
    "\"Runtime\":\"container\"},\"Mode\":{\"ReplicatedJob\":{\"MaxConcurrent\":2,"
    "\"TotalCompletions\":6}},\"UpdateConfig\":{\"Parallelism\":2,"
    "\"Delay\":1000000000,\"FailureAction\":\"rollback\",\"Monitor\":5000000000,"
    "\"MaxFailureRatio\":0.1,\"Order\":\"start-first\"},"
    "\"RollbackConfig\":{\"Parallelism\":0,\"FailureAction\":\"pause\",\"MaxFailureRatio\":0,"
    "\"Order\":\"stop-first\"},"
    "\"EndpointSpec\":{\"Mode\":\"dnsrr\",\"Ports\":[{\"Name\":\"p\",\"Protocol\":\"udp\","
    "\"TargetPort\":53,\"PublishedPort\":5353,"
    "\"PublishMode\":\"host\"}]}}";

static void everything_that_a_spec_can_say_survives(void)
{
    comes_back_as(whole, whole);
}

static void every_mode_comes_back(void)
{
    static const char *const modes[][2] = {
        {"{\"Global\":{}}", "{\"Global\":{}}"},
        {"{\"GlobalJob\":{}}", "{\"GlobalJob\":{}}"},
        {"{\"ReplicatedJob\":{\"MaxConcurrent\":2}}",
         "{\"ReplicatedJob\":{\"MaxConcurrent\":2,\"TotalCompletions\":2}}"},
        {"{\"Replicated\":{\"Replicas\":0}}", "{\"Replicated\":{\"Replicas\":0}}"},
        {"{}", "{\"Replicated\":{\"Replicas\":1}}"}};
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        AUTO_FREE char *sent = mem_printf(
            "{\"Name\":\"n\",\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"i\"}},\"Mode\":%s}",
            modes[i][0]);
        AUTO_FREE char *want =
            mem_printf("{\"Name\":\"n\",\"Labels\":{},\"TaskTemplate\":{\"ContainerSpec\":{"
                       "\"Image\":\"i\",\"Isolation\":\"default\"},"
                       "\"ForceUpdate\":0,\"Runtime\":\"container\"},\"Mode\":%s}",
                       modes[i][1]);
        comes_back_as(sent, want);
    }
}

static void refused(const char *sent, const char *words)
{
    Pb__ServiceSpec *s = NULL;
    struct err e = {""};
    EXPECT_INT(decode(sent, &s, &e), -EINVAL);
    EXPECT_STR(e.text, words);
    pb_free(s);
}

static void words_and_combinations_that_cannot_be_are_refused(void)
{
    refused(
        "{\"TaskTemplate\":{\"ContainerSpec\":{},\"RestartPolicy\":{\"Condition\":\"sometimes\"}}}",
        "invalid RestartCondition: \"sometimes\"");
    refused(
        "{\"TaskTemplate\":{\"ContainerSpec\":{}},\"UpdateConfig\":{\"FailureAction\":\"nope\"}}",
        "unrecognized update failure action nope");
    refused("{\"TaskTemplate\":{\"ContainerSpec\":{}},\"Mode\":{\"Replicated\":{},\"Global\":{}}}",
            "must specify only one service mode");
    refused("{\"TaskTemplate\":{\"Runtime\":\"plugin\",\"ContainerSpec\":{}}}",
            "mismatched Runtime and *Spec fields");
    refused("{\"TaskTemplate\":{\"ContainerSpec\":{\"Mounts\":[{\"Type\":\"floppy\"}]}}}",
            "invalid MountType: \"floppy\"");
    refused("{\"TaskTemplate\":{\"ContainerSpec\":{\"Mounts\":[{\"Type\":\"bind\",\"BindOptions\":{"
            "\"Propagation\":\"x\"}}]}}}",
            "invalid MountBindPropagation: \"x\"");
    refused("{\"TaskTemplate\":{\"ContainerSpec\":{\"TTY\":1}}}",
            "json: cannot unmarshal number into Go struct field "
            "ContainerSpec.TaskTemplate.ContainerSpec.TTY of type bool");
    refused("{\"Mode\":{\"Replicated\":{\"Replicas\":-1}}}",
            "json: cannot unmarshal number -1 into Go struct field "
            "ReplicatedService.Mode.Replicated.Replicas of type uint64");
    refused(
        "{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[{\"File\":{\"Mode\":4294967296}}]}}}",
        "json: cannot unmarshal number 4294967296 into Go struct field "
        "SecretReferenceFileTarget.TaskTemplate.ContainerSpec.Secrets.File.Mode of type "
        "fs.FileMode");
}

static void a_secret_is_written_without_its_data(void)
{
    Pb__Secret *s = PB_NEW(Secret, secret);
    AUTO_BUF struct buf b = BUF_INIT(4096);
    struct jw w = JW_INIT(&b);
    pb_str(&s->id, "lbcu2oj17s7yo8v7cwohc5rhc");
    s->meta = PB_NEW(Meta, meta);
    pb_set_version(&s->meta->version, 27);
    pb_set_time(&s->meta->created_at, 1795301251140509578);
    pb_set_time(&s->meta->updated_at, 1795301251140509578);
    s->spec = PB_NEW(SecretSpec, secret_spec);
    s->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&s->spec->annotations->name, "l1");
    pb_label_set(s->spec->annotations, "env", "prod");
    pb_label_set(s->spec->annotations, "bare", "");
    pb_bytes(&s->spec->data, "payload", 7);
    encode_secret(&w, NULL, s);
    EXPECT_STR(b.p, "{\"ID\":\"lbcu2oj17s7yo8v7cwohc5rhc\",\"Version\":{\"Index\":27},"
                    "\"CreatedAt\":\"2026-11-21T22:47:31.140509578Z\","
                    "\"UpdatedAt\":\"2026-11-21T22:47:31.140509578Z\",\"Spec\":{\"Name\":\"l1\","
                    "\"Labels\":{\"bare\":\"\",\"env\":\"prod\"}}}");
    pb_free(s);
}

static void an_empty_object_of_each_kind_can_be_written(void)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 16);
    struct jw w = JW_INIT(&b);
    Pb__Secret se = PB__SECRET__INIT;
    Pb__Config co = PB__CONFIG__INIT;
    Pb__Service sv = PB__SERVICE__INIT;
    Pb__Task ta = PB__TASK__INIT;
    Pb__Node no = PB__NODE__INIT;
    Pb__Cluster cl = PB__CLUSTER__INIT;
    Pb__Network ne = PB__NETWORK__INIT;
    jw_array(&w, NULL);
    encode_secret(&w, NULL, &se);
    encode_config(&w, NULL, &co);
    encode_service(&w, NULL, &sv, NULL);
    encode_task(&w, NULL, &ta);
    encode_node(&w, NULL, &no);
    encode_cluster(&w, NULL, &cl, true);
    encode_network(&w, NULL, &ne, true);
    encode_network(&w, NULL, &ne, false);
    jw_end_array(&w);
    json_t *v = json_loadb(b.p, b.len, 0, NULL);
    EXPECT_INT(json_array_size(v), 8);
    json_decref(v);
}

static void a_running_task_reads_as_the_engine_writes_it(void)
{
    Pb__Task *t = PB_NEW(Task, task);
    AUTO_BUF struct buf b = BUF_INIT(1 << 16);
    struct jw w = JW_INIT(&b);
    pb_str(&t->id, "tzgseipbc1jdqlavikzvs1qk4");
    t->meta = PB_NEW(Meta, meta);
    pb_set_version(&t->meta->version, 16);
    t->spec = PB_NEW(TaskSpec, task_spec);
    t->slot = 1;
    pb_str(&t->service_id, "s");
    pb_str(&t->node_id, "n");
    t->desired_state = PB__TASK_STATE__TASK_STATE_RUNNING;
    t->status = PB_NEW(TaskStatus, task_status);
    t->status->state = PB__TASK_STATE__TASK_STATE_RUNNING;
    pb_str(&t->status->message, "started");
    t->status->runtime_status_case = PB__TASK_STATUS__RUNTIME_STATUS_CONTAINER;
    t->status->container = PB_NEW(ContainerStatus, container_status);
    pb_str(&t->status->container->container_id, "cid");
    t->status->container->pid = 42;
    encode_task(&w, NULL, t);
    EXPECT_STR(b.p, "{\"ID\":\"tzgseipbc1jdqlavikzvs1qk4\",\"Version\":{\"Index\":16},"
                    "\"CreatedAt\":\"0001-01-01T00:00:00Z\","
                    "\"UpdatedAt\":\"0001-01-01T00:00:00Z\",\"Labels\":{},\"Spec\":{"
                    "\"ForceUpdate\":0},\"ServiceID\":\"s\",\"Slot\":1,"
                    "\"NodeID\":\"n\",\"Status\":{\"Timestamp\":\"0001-01-01T00:00:00Z\",\"State\":"
                    "\"running\",\"Message\":\"started\","
                    "\"ContainerStatus\":{\"ContainerID\":\"cid\",\"PID\":42,\"ExitCode\":0},"
                    "\"PortStatus\":{}},\"DesiredState\":\"running\"}");
    pb_free(t);
}

static void node_specs_need_both_words(void)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"{\"Role\":\"manager\",\"Availability\":\"bogus\"}", "invalid Availability: \"bogus\""},
        {"{}", "invalid Role: \"\""},
        {"{\"Role\":5}",
         "json: cannot unmarshal number into Go struct field NodeSpec.Role of type string"}};
    for (size_t i = 0; i < 3; i++) {
        struct err e = {""};
        Pb__NodeSpec *s = NULL;
        json_t *v = json_loads(cases[i].text, 0, NULL);
        EXPECT_INT(decode_node_spec(v, &s, &e), -EINVAL);
        EXPECT_STR(e.text, cases[i].words);
        json_decref(v);
    }
}

static void config_data_is_decoded(void)
{
    struct err e = {""};
    Pb__ConfigSpec *s = NULL;
    json_t *v = json_loads("{\"Name\":\"c\",\"Data\":\"Y2\\nZnCg==\"}", 0, NULL);
    EXPECT_INT(decode_config_spec(v, &s, &e), 0);
    EXPECT(s && s->data.len == 4 && memcmp(s->data.data, "cfg\n", 4) == 0);
    pb_free(s);
    json_decref(v);
    v = json_loads("{\"Data\":\"a-b=\"}", 0, NULL);
    EXPECT_INT(decode_config_spec(v, &s, &e), -EINVAL);
    EXPECT_STR(e.text, "illegal base64 data at input byte 1");
    json_decref(v);
}

static void a_cluster_spec_is_merged_over_what_is_there(void)
{
    struct err e = {""};
    struct json_in in = {.failed = false};
    json_t *v = json_loads(
        "{\"Raft\":{\"SnapshotInterval\":100},\"EncryptionConfig\":{\"AutoLockManagers\":true}}", 0,
        NULL);
    Pb__ClusterSpec *base = PB_NEW(ClusterSpec, cluster_spec), *got = NULL;
    base->raft = PB_NEW(RaftConfig, raft_config);
    base->raft->snapshot_interval = 10000;
    base->raft->election_tick = 10;
    base->annotations = PB_NEW(Annotations, annotations);
    pb_label_set(base->annotations, "keep", "me");
    struct json_at at = json_at_root(&in, v, "swarm.Spec");
    REQUIRE(decode_cluster_spec(&at, base, &got, &e) == 0);
    EXPECT_INT(got->raft->snapshot_interval, 100);
    EXPECT_INT(got->raft->election_tick, 10);
    EXPECT(got->encryption_config->auto_lock_managers);
    EXPECT_INT(got->annotations->n_labels, 1);
    EXPECT_STR(got->annotations->name, "default");
    pb_free(got);
    pb_free(base);
    json_decref(v);
}

int main(void)
{
    TEST(a_plain_service_gets_its_defaults);
    TEST(a_stack_service_keeps_mounts_networks_and_ports);
    TEST(everything_that_a_spec_can_say_survives);
    TEST(every_mode_comes_back);
    TEST(words_and_combinations_that_cannot_be_are_refused);
    TEST(a_secret_is_written_without_its_data);
    TEST(an_empty_object_of_each_kind_can_be_written);
    TEST(a_running_task_reads_as_the_engine_writes_it);
    TEST(node_specs_need_both_words);
    TEST(config_data_is_decoded);
    TEST(a_cluster_spec_is_merged_over_what_is_there);
    return check_done();
}
