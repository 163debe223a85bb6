/* network/rtnl.c - rtnetlink messages by libmnl. */
#include "network/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "base/str.h"

/* libmnl's loops over attributes hold conversions of their own */
#pragma GCC diagnostic ignored "-Wconversion"

enum { MESSAGE_MAX = 8192, ANSWER_MAX = 32768 };

struct rtnl {
    struct mnl_socket *socket;
    unsigned seq;
    char message[MESSAGE_MAX], answer[ANSWER_MAX];
};

int rtnl_open(struct rtnl **ret, struct err *e)
{
    struct rtnl *n = NEW(struct rtnl);
    n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!n->socket || mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int x = errno;
        rtnl_close(n);
        return err_sys(e, x, "cannot open a route socket");
    }
    *ret = n;
    return 0;
}

void rtnl_close(struct rtnl *n)
{
    if (!n)
        return;
    if (n->socket)
        mnl_socket_close(n->socket);
    free(n);
}

static struct nlmsghdr *begin(struct rtnl *n, int type, int flags)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(n->message);
    h->nlmsg_type = (uint16_t)type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    h->nlmsg_seq = ++n->seq;
    return h;
}

/* Sends, and hands every message of the answer to cb, to its end or error. */
static int talk(struct rtnl *n, struct nlmsghdr *h, mnl_cb_t cb, void *arg)
{
    unsigned port = mnl_socket_get_portid(n->socket);
    if (mnl_socket_sendto(n->socket, h, h->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(n->socket, n->answer, sizeof n->answer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        int r = mnl_cb_run(n->answer, (size_t)got, h->nlmsg_seq, port, cb, arg);
        if (r < 0)
            return -errno;
        if (r == MNL_CB_STOP)
            return 0;
    }
}

static int order(struct rtnl *n, struct nlmsghdr *h)
{
    h->nlmsg_flags |= NLM_F_ACK;
    return talk(n, h, NULL, NULL);
}

/* ---- links ---- */

struct link_seen {
    int index;
    char *kind;
};

static int on_link_answer(const struct nlmsghdr *h, void *arg)
{
    struct link_seen *seen = arg;
    const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
    const struct nlattr *a, *b;
    seen->index = i->ifi_index;
    mnl_attr_for_each(a, h, sizeof *i)
    {
        if (mnl_attr_get_type(a) != IFLA_LINKINFO)
            continue;
        mnl_attr_for_each_nested(b, a)
        {
            if (mnl_attr_get_type(b) == IFLA_INFO_KIND && seen->kind)
                str_copy(seen->kind, 32, mnl_attr_get_str(b));
        }
    }
    return MNL_CB_OK;
}

int rtnl_link_index(struct rtnl *n, const char *name, char ret_kind[32], struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_GETLINK, NLM_F_ACK);
    struct link_seen seen = {.kind = ret_kind};
    if (ret_kind)
        *ret_kind = '\0';
    struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    i->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    int r = talk(n, h, on_link_answer, &seen);
    if (r < 0)
        return err_sys(e, -r, "interface %s", name);
    return seen.index;
}

static void put_flags_up(struct ifinfomsg *i)
{
    i->ifi_flags = IFF_UP;
    i->ifi_change = IFF_UP;
}

int rtnl_bridge_add(struct rtnl *n, const char *name, struct rtnl_mac mac, struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    put_flags_up(i);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    mnl_attr_put(h, IFLA_ADDRESS, sizeof mac.b,
                 mac.b); /* else it would change with every container */
    struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(h, info);
    int r = order(n, h);
    return r < 0 ? err_sys(e, -r, "cannot make the bridge %s", name) : 0;
}

int rtnl_veth_add(struct rtnl *n, const char *name, int bridge_index, int netns_fd,
                  struct rtnl_mac mac, struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    put_flags_up(i);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    mnl_attr_put_u32(h, IFLA_MASTER, (uint32_t)bridge_index);
    struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(
        h, sizeof(struct ifinfomsg)); /* up only later: the kernel refuses it here */
    mnl_attr_put_strz(h, IFLA_IFNAME, "eth0");
    mnl_attr_put(h, IFLA_ADDRESS, sizeof mac.b, mac.b);
    mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    mnl_attr_nest_end(h, peer);
    mnl_attr_nest_end(h, data);
    mnl_attr_nest_end(h, info);
    int r = order(n, h);
    return r < 0 ? err_sys(e, -r, "cannot make the interface %s", name) : 0;
}

int rtnl_link_up(struct rtnl *n, int index, struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_NEWLINK, 0);
    struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    i->ifi_index = index;
    put_flags_up(i);
    int r = order(n, h);
    return r < 0 ? err_sys(e, -r, "cannot switch an interface on") : 0;
}

int rtnl_link_delete(struct rtnl *n, const char *name, struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_DELLINK, 0);
    mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    int r = order(n, h);
    return r < 0 && r != -ENODEV ? err_sys(e, -r, "cannot remove the interface %s", name) : 0;
}

struct links_arg {
    int master;
    void (*on_link)(void *arg, const char *name);
    void *arg;
};

static int on_link_listed(const struct nlmsghdr *h, void *arg)
{
    struct links_arg *x = arg;
    const struct nlattr *a;
    const char *name = NULL;
    int master = 0;
    mnl_attr_for_each(a, h, sizeof(struct ifinfomsg))
    {
        if (mnl_attr_get_type(a) == IFLA_IFNAME)
            name = mnl_attr_get_str(a);
        else if (mnl_attr_get_type(a) == IFLA_MASTER)
            master = (int)mnl_attr_get_u32(a);
    }
    if (name && master == x->master)
        x->on_link(x->arg, name);
    return MNL_CB_OK;
}

int rtnl_links_of(struct rtnl *n, int master, void (*on_link)(void *arg, const char *name),
                  void *arg, struct err *e)
{
    struct links_arg x = {master, on_link, arg};
    struct nlmsghdr *h = begin(n, RTM_GETLINK, NLM_F_DUMP);
    mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
    int r = talk(n, h, on_link_listed, &x);
    return r < 0 ? err_sys(e, -r, "cannot list the interfaces") : 0;
}

/* ---- addresses and routes ---- */

int rtnl_addr_add(struct rtnl *n, int index, uint32_t ip, unsigned prefix_len, struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *a = mnl_nlmsg_put_extra_header(h, sizeof *a);
    uint32_t all_ones = prefix_len < 32 ? 0xffffffffU >> prefix_len : 0;
    a->ifa_family = AF_INET;
    a->ifa_prefixlen = (uint8_t)prefix_len;
    a->ifa_scope = RT_SCOPE_UNIVERSE;
    a->ifa_index = (uint32_t)index;
    mnl_attr_put_u32(h, IFA_LOCAL, htonl(ip));
    mnl_attr_put_u32(h, IFA_ADDRESS, htonl(ip));
    mnl_attr_put_u32(h, IFA_BROADCAST, htonl(ip | all_ones));
    int r = order(n, h);
    return r < 0 && r != -EEXIST ? err_sys(e, -r, "cannot give an interface its address") : 0;
}

int rtnl_default_route(struct rtnl *n, int index, uint32_t gateway, struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->rtm_family = AF_INET;
    m->rtm_table = RT_TABLE_MAIN;
    m->rtm_protocol = RTPROT_STATIC;
    m->rtm_scope = RT_SCOPE_UNIVERSE;
    m->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(h, RTA_GATEWAY, htonl(gateway));
    mnl_attr_put_u32(h, RTA_OIF, (uint32_t)index);
    int r = order(n, h);
    return r < 0 ? err_sys(e, -r, "cannot set the default route") : 0;
}

struct routes_arg {
    void (*on_route)(void *arg, const struct rtnl_route *r);
    void *arg;
};

static int on_route_listed(const struct nlmsghdr *h, void *arg)
{
    struct routes_arg *x = arg;
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    struct rtnl_route route = {.prefix_len = m->rtm_dst_len};
    const struct nlattr *a;
    mnl_attr_for_each(a, h, sizeof *m)
    {
        if (mnl_attr_get_type(a) == RTA_DST && mnl_attr_get_payload_len(a) == 4)
            route.net = ntohl(mnl_attr_get_u32(a));
        else if (mnl_attr_get_type(a) == RTA_OIF)
            route.oif = (int)mnl_attr_get_u32(a);
    }
    if (m->rtm_family == AF_INET && m->rtm_type != RTN_BROADCAST && m->rtm_type != RTN_MULTICAST)
        x->on_route(x->arg, &route);
    return MNL_CB_OK;
}

int rtnl_routes(struct rtnl *n, void (*on_route)(void *arg, const struct rtnl_route *r), void *arg,
                struct err *e)
{
    struct routes_arg x = {on_route, arg};
    struct nlmsghdr *h = begin(n, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->rtm_family = AF_INET;
    int r = talk(n, h, on_route_listed, &x);
    return r < 0 ? err_sys(e, -r, "cannot list the routes") : 0;
}
