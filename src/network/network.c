/* network/network.c - attach, detach, sweep: the room's front. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "network/netns.h"
#include "network/state.h"

#define VETH_PREFIX "kv"

/* After the endpoint, not the container: a container that comes back at once never meets its former
 * interface, which the kernel may still be taking away. */
static void veth_name(const struct endpoint *ep, char ret[16])
{
    snprintf(ret, 16, VETH_PREFIX "%.12s", ep->pub.endpoint_id);
}

static char *netns_path(const struct network *n, const char *container)
{
    return mem_printf("%s/%s", n->netns_dir, container);
}

/* ---- opening ---- */

static void serve_queue(void *arg);

static bool instance_valid(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789");
    return n > 0 && n <= 8 && !s[n];
}

static int network_start(struct network *n, const struct network_options *o, struct err *e)
{
    int r = 0;
    if (!instance_valid(o->instance))
        return err_set(e, -EINVAL, "\"%.20s\" cannot name the daemon's bridge", o->instance);
    if (o->subnet)
        r = subnet_parse(o->subnet, &n->subnet, e);
    if (r == 0)
        r = file_mkdirs(n->dir, 0700, e);
    if (r == 0)
        r = file_mkdirs(n->netns_dir, 0700, e);
    if (r == 0)
        r = rtnl_open(&n->rtnl, e);
    if (r == 0)
        r = state_load(n, e);
    return r;
}

int network_open(uv_loop_t *loop, const struct network_options *o, struct network **ret,
                 struct err *e)
{
    struct network *n = NEW(struct network);
    n->loop = loop;
    n->queue_end = &n->queue;
    n->dir = mem_printf("%s/network", o->exec_root);
    n->netns_dir = mem_printf("%s/netns", o->exec_root);
    n->subnet_fixed = o->subnet != NULL;
    str_copy(n->instance, sizeof n->instance, o->instance);
    snprintf(n->bridge, sizeof n->bridge, "keep%s", n->instance);
    n->due = deferred_new(loop, serve_queue, n);
    int r = network_start(n, o, e);
    if (r < 0) {
        network_close(n);
        return err_wrap(e, r, "cannot open the networks");
    }
    *ret = n;
    return 0;
}

void network_close(struct network *n)
{
    if (!n)
        return;
    child_abandon(n->nft);
    while (n->queue) {
        struct attach *a = n->queue;
        struct err e = {0};
        n->queue = a->next;
        err_set(&e, -ECANCELED, "the daemon is stopping");
        a->on_done(a->arg, -ECANCELED, &e, NULL);
        free(a);
    }
    struct err e = {0};
    if (n->n == 0 && n->bridge_ready && rtnl_link_delete(n->rtnl, n->bridge, &e) < 0)
        log_warn("the bridge %s was left: %s", n->bridge, e.text);
    for (size_t i = 0; i < n->n; i++)
        free(n->endpoints[i]);
    free(n->endpoints);
    deferred_free(n->due);
    rtnl_close(n->rtnl);
    free(n->nft_text);
    free(n->dir);
    free(n->netns_dir);
    free(n);
}

/* ---- making an endpoint ---- */

static void fill(struct network *n, struct endpoint *ep, enum network_mode mode)
{
    struct network_endpoint *p = &ep->pub;
    p->mode = mode;
    str_copy(p->network_id, sizeof p->network_id,
             n->ids[mode == NETWORK_BRIDGE ? 0
                    : mode == NETWORK_HOST ? 1
                                           : 2]);
    id_hex_new(p->endpoint_id);
    if (mode != NETWORK_HOST)
        snprintf(p->netns_path, sizeof p->netns_path, "%s/%s", n->netns_dir, ep->container);
}

/* Docker's way: the address makes the hardware address, so that a peer's memory of one fits the
 * other. */
static struct rtnl_mac mac_of(uint32_t ip)
{
    return (struct rtnl_mac){
        {0x02, 0x42, (uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip}};
}

static int give_address(struct network *n, struct endpoint *ep, uint32_t *ret_ip, struct err *e)
{
    struct network_endpoint *p = &ep->pub;
    if (!p->ip[0] || ip_parse(p->ip, ret_ip) != 0) {
        if (subnet_take(&n->subnet, ret_ip) < 0)
            return err_set(e, -EADDRNOTAVAIL, "no address of %s is free", n->subnet_str);
        char text[16];
        ip_text(*ret_ip, text);
        str_copy(p->ip, sizeof p->ip, text);
    }
    struct rtnl_mac m = mac_of(*ret_ip);
    snprintf(p->mac, sizeof p->mac, "%02x:%02x:%02x:%02x:%02x:%02x", m.b[0], m.b[1], m.b[2], m.b[3],
             m.b[4], m.b[5]);
    str_copy(p->gateway, sizeof p->gateway, n->gateway_str);
    str_copy(p->bridge, sizeof p->bridge, n->bridge);
    p->prefix_len = n->subnet.prefix_len;
    return 0;
}

static int inside_up(struct rtnl *inside, const char *name, struct err *e)
{
    int index = rtnl_link_index(inside, name, NULL, e);
    if (index < 0)
        return index;
    int r = rtnl_link_up(inside, index, e);
    return r < 0 ? r : index;
}

static int connect_bridge(struct network *n, struct endpoint *ep, int netns_fd, struct rtnl *inside,
                          struct err *e)
{
    char veth[16];
    uint32_t ip;
    int r = give_address(n, ep, &ip, e);
    if (r < 0)
        return r;
    veth_name(ep, veth);
    r = rtnl_veth_add(n->rtnl, veth, n->bridge_index, netns_fd, mac_of(ip), e);
    if (r < 0)
        return r;
    int index = inside_up(inside, "eth0", e);
    if (index < 0)
        return index;
    r = rtnl_addr_add(inside, index, ip, n->subnet.prefix_len, e);
    return r < 0 ? r : rtnl_default_route(inside, index, subnet_gateway(&n->subnet), e);
}

static int build(struct network *n, struct endpoint *ep, struct err *e)
{
    AUTO_CLOSE int fd = -1;
    struct rtnl *inside = NULL;
    if (ep->pub.mode == NETWORK_HOST)
        return 0;
    int r = netns_create(ep->pub.netns_path, &fd, &inside, e);
    if (r < 0)
        return r;
    r = inside_up(inside, "lo", e);
    if (r > 0)
        r = ep->pub.mode == NETWORK_BRIDGE ? connect_bridge(n, ep, fd, inside, e) : 0;
    rtnl_close(inside);
    return r;
}

/* The kernel takes the interfaces away with the namespace, in its own time: asking it to do so now
 * would stop the loop for some 30 ms. */
static void take_down(struct network *n, const char *container)
{
    AUTO_FREE char *path = netns_path(n, container);
    netns_release(path);
}

static int attach_now(struct network *n, const struct attach *a, struct endpoint **ret,
                      struct err *e)
{
    if (!*a->container)
        return err_set(e, -EINVAL, "the container's id cannot name a namespace");
    struct endpoint *ep = endpoint_find(n, a->container);
    if (ep && ep->pub.mode != a->mode) {
        take_down(n, a->container);
        endpoint_forget(n, ep);
        ep = NULL;
    }
    if (ep && (a->mode == NETWORK_HOST || netns_is_pinned(ep->pub.netns_path))) {
        *ret = ep;
        return 0;
    }
    if (!ep && n->n >= NETWORK_ENDPOINTS_MAX)
        return err_set(e, -ENOSPC, "there are %d endpoints: no more are possible",
                       NETWORK_ENDPOINTS_MAX);
    if (!ep)
        ep = endpoint_insert(n, a->container);
    fill(n, ep, a->mode);
    int r = build(n, ep, e);
    if (r == 0)
        r = endpoint_save(n, ep, e);
    if (r == 0 && a->mode == NETWORK_BRIDGE)
        r = state_save(n, e); /* where the addresses go on */
    if (r < 0) {
        take_down(n, a->container);
        endpoint_forget(n, ep);
        return r;
    }
    *ret = ep;
    return 0;
}

/* ---- the queue: only the first use of the bridge makes anybody wait ---- */

static void answer_first(struct network *n, int r, const struct err *e, const struct endpoint *ep)
{
    struct attach *a = n->queue;
    n->queue = a->next;
    if (!n->queue)
        n->queue_end = &n->queue;
    a->on_done(a->arg, r, e, r == 0 ? &ep->pub : NULL);
    free(a);
}

static void on_filtered(struct network *n, int r)
{
    n->bridge_ready = r == 0;
    if (r < 0 && n->queue)
        answer_first(n, r, &n->nft_err, NULL); /* the next one in the queue tries again */
    if (n->queue)
        deferred_ask(n->due);
}

/* 0: go on; 1: wait; or an error */
static int ensure_bridge(struct network *n, struct err *e)
{
    if (n->nft)
        return 1;
    if (n->bridge_ready && rtnl_link_index(n->rtnl, n->bridge, NULL, NULL) == n->bridge_index)
        return 0;
    int r = bridge_make(n, e);
    if (r == 0)
        r = bridge_enable_forwarding(n, e);
    if (r == 0)
        r = bridge_filter(n, on_filtered, e);
    return r < 0 ? r : 1;
}

static void serve_queue(void *arg)
{
    struct network *n = arg;
    while (n->queue) {
        struct err e = {0};
        struct endpoint *ep = NULL;
        int r = n->queue->mode == NETWORK_BRIDGE ? ensure_bridge(n, &e) : 0;
        if (r == 1)
            return; /* on_filtered goes on */
        if (r == 0)
            r = attach_now(n, n->queue, &ep, &e);
        answer_first(n, r, &e, ep);
    }
}

void network_attach(struct network *n, const char *container_id, enum network_mode mode,
                    void (*on_done)(void *arg, int r, const struct err *e,
                                    const struct network_endpoint *ep),
                    void *arg)
{
    struct attach *a = NEW(struct attach);
    *a = (struct attach){.mode = mode, .on_done = on_done, .arg = arg};
    str_copy(a->container, sizeof a->container,
             container_id_valid(container_id) ? container_id : "");
    *n->queue_end = a;
    n->queue_end = &a->next;
    deferred_ask(n->due);
}

/* ---- the rest ---- */

void network_detach(struct network *n, const char *container_id)
{
    struct endpoint *ep = endpoint_find(n, container_id);
    if (!ep)
        return;
    if (ep->pub.mode != NETWORK_HOST)
        take_down(n, container_id);
    endpoint_forget(n, ep);
}

const struct network_endpoint *network_find(const struct network *n, const char *container_id)
{
    const struct endpoint *ep = endpoint_find(n, container_id);
    return ep ? &ep->pub : NULL;
}

static void sweep_netns(struct network *n)
{
    AUTO_STRV char **names = NULL;
    DIR *d = opendir(n->netns_dir);
    for (struct dirent *it = d ? readdir(d) : NULL; it; it = readdir(d))
        if (*it->d_name != '.' && !endpoint_find(n, it->d_name))
            strv_push(&names, mem_str(it->d_name));
    if (d)
        closedir(d);
    for (size_t i = 0; names && names[i]; i++)
        take_down(n, names[i]);
}

struct veths {
    struct network *n;
    char **names;
};

static void on_veth(void *arg, const char *name)
{
    struct veths *v = arg;
    char own[16];
    if (!str_starts(name, VETH_PREFIX))
        return;
    for (size_t i = 0; i < v->n->n; i++) {
        veth_name(v->n->endpoints[i], own);
        if (str_eq(own, name))
            return;
    }
    strv_push(&v->names, mem_str(name));
}

static void sweep_veths(struct network *n)
{
    struct veths v = {.n = n};
    struct err e = {0};
    int bridge = rtnl_link_index(n->rtnl, n->bridge, NULL, NULL);
    if (bridge < 0)
        return;
    int r = rtnl_links_of(n->rtnl, bridge, on_veth, &v, &e);
    for (size_t i = 0; v.names && v.names[i] && r == 0; i++)
        r = rtnl_link_delete(n->rtnl, v.names[i], &e);
    if (r < 0)
        log_warn("network: %s", err_text(&e));
    strv_free(v.names);
}

void network_sweep(struct network *n, bool (*keep)(void *arg, const char *container_id), void *arg)
{
    for (size_t i = n->n; i-- > 0;) {
        char id[CONTAINER_ID_MAX + 1];
        str_copy(id, sizeof id, n->endpoints[i]->container);
        if (!keep(arg, id))
            network_detach(n, id);
    }
    sweep_netns(n);
    sweep_veths(n);
}

size_t network_list(const struct network *n, struct network_info *ret, size_t max)
{
    const struct network_info all[] = {
        {.id = n->ids[0],
         .name = "bridge",
         .driver = "bridge",
         .scope = "local",
         .subnet = n->subnet_str,
         .gateway = n->gateway_str,
         .bridge = n->bridge,
         .created_ns = n->created_ns},
        {.id = n->ids[1],
         .name = "host",
         .driver = "host",
         .scope = "local",
         .subnet = "",
         .gateway = "",
         .bridge = "",
         .created_ns = n->created_ns},
        {.id = n->ids[2],
         .name = "none",
         .driver = "null",
         .scope = "local",
         .subnet = "",
         .gateway = "",
         .bridge = "",
         .created_ns = n->created_ns},
    };
    size_t count = max < 3 ? max : 3;
    memcpy(ret, all, count * sizeof *ret);
    return count;
}
