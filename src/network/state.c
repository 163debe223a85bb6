/* network/state.c - endpoints in memory and the files that outlive the daemon. */
#include "network/state.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/jw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"

enum { STATE_FILE_MAX = 4096 };
#define NETWORKS_FILE "networks.json"

bool container_id_valid(const char *id)
{
    size_t n = strlen(id);
    if (n == 0 || n > CONTAINER_ID_MAX || *id == '.' || str_eq(id, NETWORKS_FILE))
        return false;
    for (const char *p = id; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '-' || *p == '_' || *p == '.'))
            return false;
    return true;
}

/* ---- endpoints ---- */

struct endpoint *endpoint_find(const struct network *n, const char *container)
{
    for (size_t i = 0; i < n->n; i++)
        if (str_eq(n->endpoints[i]->container, container))
            return n->endpoints[i];
    return NULL;
}

struct endpoint *endpoint_insert(struct network *n, const char *container)
{
    struct endpoint *ep = NEW(struct endpoint);
    str_copy(ep->container, sizeof ep->container, container);
    n->endpoints = mem_grow(n->endpoints, n->n + 1, sizeof *n->endpoints);
    n->endpoints[n->n++] = ep;
    return ep;
}

static char *endpoint_path(const struct network *n, const char *container)
{
    return mem_printf("%s/%s", n->dir, container);
}

void endpoint_forget(struct network *n, struct endpoint *ep)
{
    uint32_t ip;
    AUTO_FREE char *path = endpoint_path(n, ep->container);
    unlink(path);
    if (ep->pub.ip[0] && ip_parse(ep->pub.ip, &ip) == 0)
        subnet_mark(&n->subnet, ip, false);
    for (size_t i = 0; i < n->n; i++)
        if (n->endpoints[i] == ep) {
            n->endpoints[i] = n->endpoints[--n->n];
            break;
        }
    free(ep);
}

int endpoint_save(struct network *n, const struct endpoint *ep, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(STATE_FILE_MAX);
    AUTO_FREE char *path = endpoint_path(n, ep->container);
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_int(&w, "mode", ep->pub.mode);
    jw_str(&w, "ip", ep->pub.ip);
    jw_str(&w, "mac", ep->pub.mac);
    jw_str(&w, "endpoint", ep->pub.endpoint_id);
    jw_end_object(&w);
    return file_replace(path, b.p, b.len, 0600, e);
}

static const char *text_of(json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

static json_t *read_state(const char *path, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(STATE_FILE_MAX);
    json_error_t je;
    if (buf_read_file(&b, path, e) < 0)
        return NULL;
    json_t *o = json_loadb(b.p ? b.p : "", b.len, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(o)) {
        json_decref(o);
        err_set(e, -EPROTO, "%s is damaged", path);
        return NULL;
    }
    return o;
}

static bool take_endpoint(struct network *n, struct endpoint *ep, json_t *o)
{
    uint32_t ip;
    json_int_t mode = json_integer_value(json_object_get(o, "mode"));
    if (mode != NETWORK_NONE && mode != NETWORK_BRIDGE && mode != NETWORK_HOST)
        return false;
    ep->pub.mode = (enum network_mode)mode;
    str_copy(ep->pub.endpoint_id, sizeof ep->pub.endpoint_id, text_of(o, "endpoint"));
    str_copy(ep->pub.network_id, sizeof ep->pub.network_id,
             n->ids[mode == NETWORK_BRIDGE ? 0
                    : mode == NETWORK_HOST ? 1
                                           : 2]);
    if (mode != NETWORK_HOST)
        snprintf(ep->pub.netns_path, sizeof ep->pub.netns_path, "%s/%s", n->netns_dir,
                 ep->container);
    if (mode != NETWORK_BRIDGE)
        return true;
    if (ip_parse(text_of(o, "ip"), &ip) != 0 || !subnet_has(&n->subnet, ip))
        return false;
    subnet_mark(&n->subnet, ip, true);
    str_copy(ep->pub.ip, sizeof ep->pub.ip, text_of(o, "ip"));
    str_copy(ep->pub.mac, sizeof ep->pub.mac, text_of(o, "mac"));
    str_copy(ep->pub.gateway, sizeof ep->pub.gateway, n->gateway_str);
    str_copy(ep->pub.bridge, sizeof ep->pub.bridge, n->bridge);
    ep->pub.prefix_len = n->subnet.prefix_len;
    return true;
}

static void load_endpoint(struct network *n, const char *container)
{
    struct err e = {0};
    AUTO_FREE char *path = endpoint_path(n, container);
    json_t *o = read_state(path, &e);
    struct endpoint *ep = o ? endpoint_insert(n, container) : NULL;
    if (!o || !take_endpoint(n, ep, o)) {
        log_warn("network: endpoint %s is damaged and forgotten%s%s", container, o ? "" : ": ",
                 err_text(&e));
        if (ep)
            endpoint_forget(n, ep);
        else
            unlink(path);
    }
    json_decref(o);
}

static int load_endpoints(struct network *n, struct err *e)
{
    DIR *d = opendir(n->dir);
    if (!d)
        return err_sys(e, errno, "cannot read %s", n->dir);
    for (struct dirent *it = readdir(d); it; it = readdir(d))
        if (container_id_valid(it->d_name) && n->n < NETWORK_ENDPOINTS_MAX)
            load_endpoint(n, it->d_name);
    closedir(d);
    return 0;
}

/* ---- the networks ---- */

void state_subnet_changed(struct network *n)
{
    subnet_text(&n->subnet, n->subnet_str);
    ip_text(subnet_gateway(&n->subnet), n->gateway_str);
}

int state_save(struct network *n, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(STATE_FILE_MAX);
    AUTO_FREE char *path = mem_printf("%s/" NETWORKS_FILE, n->dir);
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str(&w, "bridge", n->ids[0]);
    jw_str(&w, "host", n->ids[1]);
    jw_str(&w, "none", n->ids[2]);
    jw_int(&w, "created", n->created_ns);
    jw_str(&w, "subnet", n->subnet_str);
    jw_uint(&w, "cursor", n->subnet.cursor);
    jw_end_object(&w);
    return file_replace(path, b.p, b.len, 0600, e);
}

static int state_new(struct network *n, struct err *e)
{
    for (int i = 0; i < 3; i++)
        id_hex_new(n->ids[i]);
    n->created_ns = clock_wall_ns();
    int r = n->subnet_fixed ? 0 : bridge_choose_subnet(n, e);
    state_subnet_changed(n);
    return r < 0 ? r : state_save(n, e);
}

static int take_networks(struct network *n, json_t *o, struct err *e)
{
    static const char *const names[] = {"bridge", "host", "none"};
    for (int i = 0; i < 3; i++) {
        if (!str_is_hex(text_of(o, names[i]), 64))
            return err_set(e, -EPROTO, "the list of networks is damaged");
        str_copy(n->ids[i], sizeof n->ids[i], text_of(o, names[i]));
    }
    struct subnet was;
    n->created_ns = json_integer_value(json_object_get(o, "created"));
    int r = subnet_parse(text_of(o, "subnet"), &was, e);
    if (r < 0)
        return r;
    json_int_t cursor = json_integer_value(json_object_get(o, "cursor"));
    bool same = was.net == n->subnet.net && was.prefix_len == n->subnet.prefix_len;
    if (!n->subnet_fixed || same) {
        n->subnet = was;
        n->subnet.cursor = cursor > 0 && cursor < 65536 ? (uint32_t)cursor : 1;
    }
    state_subnet_changed(n);
    return 0;
}

int state_load(struct network *n, struct err *e)
{
    struct err why = {0};
    AUTO_FREE char *path = mem_printf("%s/" NETWORKS_FILE, n->dir);
    if (!file_exists(path))
        return state_new(n, e);
    json_t *o = read_state(path, &why);
    int r = o ? take_networks(n, o, &why) : -EPROTO;
    json_decref(o);
    if (r < 0) {
        log_warn("%s: made anew",
                 err_text(&why)); /* it is below /run: nothing in it is worth a failed start */
        return state_new(n, e);
    }
    return load_endpoints(n, e);
}
