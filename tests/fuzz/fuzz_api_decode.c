/* fuzz/fuzz_api_decode.c - bodies of requests about services, nodes, secrets, configs and the
 * cluster.
 *
 * fuzz-room: api
 * fuzz-max: 8192
 * The first byte chooses what the JSON is taken for. What was decoded must be packed, read again
 * and written as JSON again, and a service's spec must come out of that JSON as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/decode.h"
#include "api/encode.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(void *message)
{
    void *copy = pb_dup(message);
    if (!copy)
        abort();
    pb_free(copy);
    pb_free(message);
}

static void service(const json_t *body, struct err *e)
{
    Pb__ServiceSpec *s = NULL, *again = NULL;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20), text_again = BUF_INIT(1 << 20);
    if (decode_service_spec(body, &s, e))
        return;
    struct jw w = JW_INIT(&text);
    encode_service_spec(&w, NULL, s);
    json_t *j = json_loadb(text.p, text.len, 0, NULL);
    if (!j)
        abort();
    if (decode_service_spec(j, &again, e) == 0) {
        w = JW_INIT(&text_again);
        encode_service_spec(&w, NULL, again);
        if (text.len != text_again.len || memcmp(text.p, text_again.p, text.len) != 0)
            abort();
        pb_free(again);
    }
    json_decref(j);
    use(s);
}

static void cluster(const json_t *body, struct err *e)
{
    Pb__ClusterSpec *s = NULL;
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "swarm.Spec");
    if (decode_cluster_spec(&at, NULL, &s, e) == 0)
        use(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *body = NULL;
    struct err e = {0};
    if (size < 1 || json_body_parse((const char *)data + 1, size - 1, &body, &e))
        return 0;
    Pb__NodeSpec *node = NULL;
    Pb__SecretSpec *secret = NULL;
    Pb__ConfigSpec *config = NULL;
    switch (data[0] & 7) {
    case 0:
        if (decode_node_spec(body, &node, &e) == 0)
            use(node);
        break;
    case 1:
        if (decode_secret_spec(body, &secret, &e) == 0)
            use(secret);
        break;
    case 2:
        if (decode_config_spec(body, &config, &e) == 0)
            use(config);
        break;
    case 3:
        cluster(body, &e);
        break;
    default:
        service(body, &e);
    }
    json_decref(body);
    return 0;
}
