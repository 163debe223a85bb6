/* network/bridge.c - the node's bridge: its subnet, the interface, and what lets its containers
 * out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "network/state.h"

enum { NFT_TIMEOUT_MS = 20000, NFT_STDERR_MAX = 1024 };

/* Private ranges that neither the engine's defaults (172.17 to 172.20) nor home routers like. */
static const char *const candidates[] = {
    "172.29.0.0/16", "172.28.0.0/16", "172.30.0.0/16", "172.27.0.0/16",    "172.26.0.0/16",
    "172.25.0.0/16", "10.201.0.0/16", "10.202.0.0/16", "192.168.224.0/20", "192.168.240.0/20",
};

struct overlap {
    const struct subnet *s;
    int own; /* our bridge's routes do not count */
    bool found;
};

static void on_route(void *arg, const struct rtnl_route *r)
{
    struct overlap *o = arg;
    if (r->prefix_len > 0 && r->oif != o->own && subnet_overlaps(o->s, r->net, r->prefix_len))
        o->found = true;
}

/* 1: a route of the machine leads into it; 0: none; or an error. */
static int overlaps(struct network *n, const struct subnet *s, struct err *e)
{
    int own = rtnl_link_index(n->rtnl, n->bridge, NULL, NULL);
    struct overlap o = {.s = s, .own = own};
    int r = rtnl_routes(n->rtnl, on_route, &o, e);
    return r < 0 ? r : o.found;
}

int bridge_choose_subnet(struct network *n, struct err *e)
{
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct subnet s;
        int r = subnet_parse(candidates[i], &s, e);
        if (r == 0)
            r = overlaps(n, &s, e);
        if (r < 0)
            return r;
        if (r == 0) {
            n->subnet = s;
            state_subnet_changed(n);
            return 0;
        }
    }
    return err_set(e, -EADDRNOTAVAIL,
                   "every subnet that containers could use is taken by a route of this machine: "
                   "name a free one");
}

/* Another daemon, or a VPN, may have come since the subnet was chosen. */
static int check_subnet(struct network *n, struct err *e)
{
    int r = overlaps(n, &n->subnet, e);
    if (r <= 0)
        return r;
    if (n->subnet_fixed || n->n > 0)
        return err_set(e, -EADDRINUSE,
                       "the subnet %s of the containers overlaps a route of this machine",
                       n->subnet_str);
    r = bridge_choose_subnet(n, e);
    return r < 0 ? r : state_save(n, e);
}

static struct rtnl_mac mac_of(uint32_t ip)
{
    return (struct rtnl_mac){
        {0x02, 0x42, (uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip}};
}

static int bridge_new(struct network *n, struct err *e)
{
    int r = check_subnet(n, e);
    if (r < 0)
        return r;
    r = rtnl_bridge_add(n->rtnl, n->bridge, mac_of(subnet_gateway(&n->subnet)), e);
    if (r == -EPERM)
        return err_set(e, r,
                       "cannot make the bridge %s: the daemon lacks the right to administer "
                       "networks (CAP_NET_ADMIN)",
                       n->bridge);
    return r < 0 ? r : rtnl_link_index(n->rtnl, n->bridge, NULL, e);
}

int bridge_make(struct network *n, struct err *e)
{
    char kind[32];
    int index = rtnl_link_index(n->rtnl, n->bridge, kind, e);
    if (index == -ENODEV)
        index = bridge_new(n, e);
    else if (index >= 0 && !str_eq(kind, "bridge"))
        return err_set(e, -EEXIST, "the interface %s is not a bridge", n->bridge);
    if (index < 0)
        return index;
    int r = rtnl_addr_add(n->rtnl, index, subnet_gateway(&n->subnet), n->subnet.prefix_len, e);
    if (r == 0)
        r = rtnl_link_up(n->rtnl, index, e);
    if (r == 0)
        n->bridge_index = index;
    return r;
}

int bridge_enable_forwarding(struct network *n, struct err *e)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_forward";
    char now[8];
    int r = file_read_line(path, now, sizeof now, e);
    if (r < 0 || str_eq(now, "1"))
        return r;
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1\n", 2) != 2)
        return err_sys(e, errno, "cannot switch on IPv4 forwarding (%s)", path);
    log_info("network: IPv4 forwarding switched on for the bridge %s", n->bridge);
    return 0;
}

/* One table, replaced as a whole: out with masquerading, between containers, and back only what was
 * asked for from inside. */
static char *filter_text(const struct network *n)
{
    const char *b = n->bridge;
    return mem_printf("table ip keep_%s\n"
                      "delete table ip keep_%s\n"
                      "table ip keep_%s {\n"
                      "  chain out {\n"
                      "    type nat hook postrouting priority 100; policy accept;\n"
                      "    ip saddr %s oifname != \"%s\" masquerade\n"
                      "  }\n"
                      "  chain through {\n"
                      "    type filter hook forward priority 0; policy accept;\n"
                      "    iifname \"%s\" accept\n"
                      "    oifname \"%s\" ct state established,related accept\n"
                      "    oifname \"%s\" drop\n"
                      "  }\n"
                      "}\n",
                      n->instance, n->instance, n->instance, n->subnet_str, b, b, b, b);
}

static void on_nft_exit(void *data, const struct child_result *res)
{
    struct network *n = data;
    int r = 0;
    n->nft = NULL;
    if (res->status != 0) {
        char *nl = strchr(res->err->p, '\n');
        if (nl)
            *nl = '\0';
        r = err_set(&n->nft_err, -EIO, "nft refused the rules of the bridge %s: %s", n->bridge,
                    res->timed_out ? "no answer" : str_or(res->err->p, "no reason given"));
    }
    n->on_filtered(n, r);
}

int bridge_filter(struct network *n, void (*on_done)(struct network *n, int r), struct err *e)
{
    static const char *const argv[] = {"nft", "-f", "-", NULL};
    free(n->nft_text);
    n->nft_text = filter_text(n);
    n->on_filtered = on_done;
    struct child_spec spec = {
        .argv = argv,
        .in = {.from = CHILD_DATA, .data = n->nft_text, .len = strlen(n->nft_text)},
        .err = {.to = CHILD_CAPTURE, .max = NFT_STDERR_MAX},
        .timeout_ms = NFT_TIMEOUT_MS,
        .on_exit = on_nft_exit,
        .data = n,
    };
    int r = child_start(n->loop, &spec, &n->nft, e);
    if (r == -ENOENT)
        return err_set(e, r,
                       "containers cannot get a network: the program nft is missing (apt-get "
                       "install nftables)");
    return r;
}
