/* api/api.c - the api as a whole: its beginning, its end, what main tells it. */
#include "api/api.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "api/route_table.h"
#include "api/state.h"
#include "base/version.h"

static const char *swarm_header(const struct api_node *n)
{
    switch (n->state) {
    case API_NODE_INACTIVE:
        break;
    case API_NODE_PENDING:
        return "pending";
    case API_NODE_ERROR:
        return "error";
    case API_NODE_LOCKED:
        return "locked";
    case API_NODE_ACTIVE:
        return n->manager ? "active/manager" : "active/worker";
    }
    return "inactive";
}

void api_node_changed(struct api *a)
{
    struct api_node n = {.state = API_NODE_INACTIVE};
    if (a->o.node.get)
        a->o.node.get(a->o.node.arg, &n);
    a->swarm_header = swarm_header(&n);
}

/* Twelve groups of four letters that stay the same for this machine and this data root, as the
 * engine's ids look. */
static void engine_id(const char *data_root, char ret[60])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    AUTO_BUF struct buf b = BUF_INIT(8192);
    unsigned char digest[32];
    if (buf_read_file(&b, "/etc/machine-id", NULL) < 0)
        buf_clear(&b);
    buf_str(&b, data_root);
    if (EVP_Digest(b.p ? b.p : "", b.len, digest, NULL, EVP_sha256(), NULL) != 1)
        memset(digest, 0, sizeof(digest));
    char *w = ret;
    for (unsigned i = 0; i < 48; i++) {
        unsigned bit = i * 5, word = (unsigned)digest[bit / 8] << 8 | digest[(bit / 8 + 1) % 32];
        if (i > 0 && i % 4 == 0)
            *w++ = ':';
        *w++ = letters[word >> (11 - bit % 8) & 31];
    }
    *w = '\0';
}

int api_new(const struct api_options *o, struct api **ret, struct err *e)
{
    struct api *a = NEW(struct api);
    *a = (struct api){.o = *o, .data_root = mem_str(o->data_root ? o->data_root : "")};
    a->o.manager = NULL;
    int r = http_server_new(o->loop, api_on_request, a, &a->http, e);
    if (r < 0) {
        free(a->data_root);
        free(a);
        return err_wrap(e, r, "Engine API");
    }
    http_server_header(a->http, "Api-Version", API_VERSION);
    http_server_header(a->http, "Docker-Experimental", "false");
    http_server_header(a->http, "Ostype", "linux");
    http_server_header(a->http, "Server", "Docker/" KEEP_VERSION " (linux)");
    engine_id(a->data_root, a->engine_id);
    a->events = api_events_new(a);
    api_node_changed(a);
    api_set_manager(a, o->manager);
    *ret = a;
    return 0;
}

int api_listen_fd(struct api *a, int fd, struct err *e)
{
    return http_server_listen_fd(a->http, fd, e);
}

void api_set_manager(struct api *a, struct rpc_client *manager)
{
    a->o.manager = manager;
    api_events_manager(a->events, manager);
    api_node_changed(a);
}

void api_close(struct api *a)
{
    if (!a)
        return;
    http_server_close(a->http);
    api_events_free(a->events);
    free(a->data_root);
    free(a);
}

struct runtime *api_runtime(struct api *a)
{
    return a->o.runtime;
}

struct image_store *api_images(struct api *a)
{
    return a->o.images;
}

struct network *api_network(struct api *a)
{
    return a->o.network;
}

uv_loop_t *api_loop(struct api *a)
{
    return a->o.loop;
}
