/* unit/network/test_network.c - endpoints of containers. Runs in a network namespace of its own:
 * the machine's is never touched. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "lib/check.h"
#include "network/netns.h"
#include "network/network.h"

static const char *why_not;

static bool cannot(void)
{
    if (why_not)
        check_skip(why_not);
    return why_not != NULL;
}

struct env {
    uv_loop_t loop;
    struct network *n;
    char *root;
};
struct result {
    int r, calls;
    char error[ERR_TEXT_MAX];
    struct network_endpoint ep;
};

static void env_reopen(struct env *t, const char *subnet)
{
    struct err e = {0};
    struct network_options o = {.exec_root = t->root, .instance = "t1", .subnet = subnet};
    if (network_open(&t->loop, &o, &t->n, &e) != 0) {
        printf("# %s\n", err_text(&e));
        exit(2);
    }
}

static void env_open(struct env *t, const char *subnet)
{
    memset(t, 0, sizeof *t);
    uv_loop_init(&t->loop);
    t->root = check_tmpdir();
    env_reopen(t, subnet);
}

static bool keep_none(void *arg, const char *id)
{
    (void)arg, (void)id;
    return false;
}

static void env_close(struct env *t)
{
    network_sweep(t->n, keep_none, NULL);
    network_close(t->n);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&t->loop), 0);
    if (system("ip link del keept1 2>/dev/null; nft delete table ip keep_t1 2>/dev/null; :") != 0)
        check_fail(__FILE__, __LINE__, "clean up");
}

static void on_attached(void *arg, int r, const struct err *e, const struct network_endpoint *ep)
{
    struct result *res = arg;
    res->r = r;
    res->calls++;
    str_copy(res->error, sizeof res->error, err_text(e));
    if (ep)
        res->ep = *ep;
    if (r != 0)
        printf("# %s\n", res->error);
}

static struct result attach(struct env *t, const char *id, enum network_mode mode)
{
    static struct result res;
    memset(&res, 0, sizeof res);
    network_attach(t->n, id, mode, on_attached, &res);
    EXPECT_INT(res.calls, 0); /* never from inside */
    while (res.calls == 0)
        uv_run(&t->loop, UV_RUN_ONCE);
    return res;
}

/* Runs in the namespace, in a child; its exit status. */
static int inside(const char *netns, int (*fn)(void *arg), void *arg)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(netns, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
            _exit(100);
        _exit(fn(arg));
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

static int run_command(void *arg)
{
    return system(arg) == 0 ? 0 : 1;
}

static int inside_run(const char *netns, const char *cmd)
{
    AUTO_FREE char *copy = mem_str(cmd);
    return inside(netns, run_command, copy);
}

struct call {
    const char *ip;
    int timeout_ms;
};

/* 0: connected and read the peer's answer into stdout's place; 1: no answer in time; 2: refused */
static int try_connect(void *arg)
{
    const struct call *c = arg;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7777)};
    inet_pton(AF_INET, c->ip, &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;
    socklen_t n = sizeof err;
    connect(fd, (struct sockaddr *)&a, sizeof a);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (poll(&p, 1, c->timeout_ms) == 0)
        return 1;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n);
    return err ? 2 : 0;
}

/* Listens in the namespace; the first peer's address, or "" when none came. */
static int listen_in(void *arg)
{
    int *report = arg;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7777)}, peer;
    socklen_t n = sizeof peer;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 1) < 0 ||
        write(*report, "r", 1) != 1)
        return 1;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, 3000) != 1 || accept4(fd, (struct sockaddr *)&peer, &n, SOCK_CLOEXEC) < 0)
        return 1;
    char text[32] = "";
    inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
    return write(*report, text, sizeof text) == sizeof text ? 0 : 1;
}

static pid_t listener(const char *netns, int *ret_fd)
{
    int p[2];
    char ready;
    if (pipe2(p, O_CLOEXEC) < 0)
        exit(2);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(netns, O_RDONLY | O_CLOEXEC);
        _exit(fd < 0 || setns(fd, CLONE_NEWNET) < 0 ? 100 : listen_in(&p[1]));
    }
    close(p[1]);
    *ret_fd = p[0];
    if (read(p[0], &ready, 1) != 1)
        check_fail(__FILE__, __LINE__, "a listener");
    return pid;
}

static void a_container_without_network_has_a_loopback_only(void)
{
    struct env t;
    if (cannot())
        return;
    env_open(&t, NULL);
    struct result a = attach(&t, "aaa", NETWORK_NONE);
    REQUIRE(a.r == 0);
    EXPECT_STR(a.ep.ip, "");
    EXPECT(netns_is_pinned(a.ep.netns_path));
    EXPECT_INT(
        inside_run(
            a.ep.netns_path,
            "test \"$(ls /sys/class/net | wc -l)\" = x || ip -o link | grep -q 'lo:.*LOWER_UP'"),
        0);
    EXPECT_INT(inside_run(a.ep.netns_path, "test $(ip -o link | wc -l) = 1"), 0);
    EXPECT(if_nametoindex("keept1") == 0); /* no bridge was needed */
    struct result h = attach(&t, "bbb", NETWORK_HOST);
    EXPECT_INT(h.r, 0);
    EXPECT_STR(h.ep.netns_path, "");
    network_detach(t.n, "aaa");
    EXPECT(!netns_is_pinned(a.ep.netns_path) && access(a.ep.netns_path, F_OK) != 0);
    network_detach(t.n, "aaa"); /* again: fine */
    env_close(&t);
}

static void containers_on_the_bridge_reach_each_other(void)
{
    struct env t;
    int fd;
    char peer[32] = "";
    if (cannot())
        return;
    env_open(&t, "172.29.0.0/16");
    struct result a = attach(&t, "aaa", NETWORK_BRIDGE), b = attach(&t, "bbb", NETWORK_BRIDGE);
    REQUIRE(a.r == 0 && b.r == 0);
    EXPECT_STR(a.ep.ip, "172.29.0.2");
    EXPECT_STR(b.ep.ip, "172.29.0.3");
    EXPECT_STR(a.ep.gateway, "172.29.0.1");
    EXPECT_STR(a.ep.mac, "02:42:ac:1d:00:02");
    EXPECT_STR(a.ep.bridge, "keept1");
    EXPECT_INT(a.ep.prefix_len, 16);
    EXPECT_INT(
        inside_run(a.ep.netns_path, "ip -o -4 addr show eth0 | grep -q 'inet 172.29.0.2/16'"), 0);
    EXPECT_INT(inside_run(a.ep.netns_path, "ip route | grep -q 'default via 172.29.0.1 dev eth0'"),
               0);
    EXPECT_INT(inside_run(a.ep.netns_path, "ip -o link show eth0 | grep -q 02:42:ac:1d:00:02"), 0);
    pid_t pid = listener(b.ep.netns_path, &fd);
    struct call c = {b.ep.ip, 2000};
    EXPECT_INT(inside(a.ep.netns_path, try_connect, &c), 0);
    EXPECT_INT(read(fd, peer, sizeof peer), sizeof peer);
    EXPECT_STR(peer, a.ep.ip); /* among themselves nothing is rewritten */
    close(fd);
    waitpid(pid, NULL, 0);
    const struct network_endpoint *found = network_find(t.n, "aaa");
    EXPECT(found && str_eq(found->ip, a.ep.ip));
    env_close(&t);
}

static void the_outside_is_reached_but_does_not_reach_in(void)
{
    struct env t;
    int fd, nsfd = -1;
    char peer[32] = "";
    struct rtnl *there = NULL;
    if (cannot())
        return;
    env_open(&t, "172.29.0.0/16");
    AUTO_FREE char *outside = mem_printf("%s/outside", t.root);
    REQUIRE(netns_create(outside, &nsfd, &there, NULL) == 0);
    rtnl_close(there);
    close(nsfd);
    AUTO_FREE char *wire = mem_printf(
        "ip link add up0 type veth peer name out0 && mount --bind %s /run/netns/keep-test-out && "
        "ip link set out0 netns keep-test-out && ip addr add 198.51.100.1/24 dev up0 && ip link "
        "set up0 up",
        outside);
    EXPECT_INT(system("mkdir -p /run/netns && touch /run/netns/keep-test-out"), 0);
    EXPECT_INT(system(wire), 0);
    EXPECT_INT(inside_run(outside, "ip addr add 198.51.100.2/24 dev out0 && ip link set out0 up && "
                                   "ip route add 172.29.0.0/16 via 198.51.100.1"),
               0);
    struct result a = attach(&t, "aaa", NETWORK_BRIDGE);
    REQUIRE(a.r == 0);
    pid_t pid = listener(outside, &fd);
    struct call out = {"198.51.100.2", 2000}, in = {a.ep.ip, 300};
    EXPECT_INT(inside(a.ep.netns_path, try_connect, &out), 0);
    EXPECT_INT(read(fd, peer, sizeof peer), sizeof peer);
    EXPECT_STR(peer, "198.51.100.1"); /* masqueraded: the outside knows no route back */
    close(fd);
    waitpid(pid, NULL, 0);
    pid = listener(a.ep.netns_path, &fd);
    EXPECT_INT(inside(outside, try_connect, &in), 1); /* no answer */
    in.timeout_ms = 2000;
    EXPECT_INT(try_connect(&in), 0); /* the node itself may */
    close(fd);
    waitpid(pid, NULL, 0);
    umount2("/run/netns/keep-test-out", MNT_DETACH);
    unlink("/run/netns/keep-test-out");
    netns_release(outside);
    EXPECT_INT(system("ip link del up0 2>/dev/null; :"),
               0); /* it goes with its peer's namespace, sooner or later */
    env_close(&t);
}

static void an_address_is_freed_but_not_given_again_at_once(void)
{
    struct env t;
    if (cannot())
        return;
    env_open(&t, "10.99.0.0/29");
    struct result a = attach(&t, "aaa", NETWORK_BRIDGE);
    EXPECT_STR(a.ep.ip, "10.99.0.2");
    network_detach(t.n, "aaa");
    EXPECT_STR(attach(&t, "bbb", NETWORK_BRIDGE).ep.ip, "10.99.0.3");
    EXPECT_STR(attach(&t, "bbb", NETWORK_BRIDGE).ep.ip, "10.99.0.3"); /* the same again */
    EXPECT_INT(attach(&t, "c", NETWORK_BRIDGE).r + attach(&t, "d", NETWORK_BRIDGE).r +
                   attach(&t, "e", NETWORK_BRIDGE).r,
               0);
    EXPECT_STR(attach(&t, "f", NETWORK_BRIDGE).ep.ip, "10.99.0.2");
    struct result full = attach(&t, "g", NETWORK_BRIDGE);
    EXPECT_INT(full.r, -EADDRNOTAVAIL);
    EXPECT_STR(full.error, "no address of 10.99.0.0/29 is free");
    EXPECT(network_find(t.n, "g") == NULL);
    AUTO_FREE char *left = mem_printf("%s/netns/g", t.root);
    EXPECT(access(left, F_OK) != 0);
    env_close(&t);
}

static bool keep_a(void *arg, const char *id)
{
    (void)arg;
    return str_eq(id, "aaa");
}

static void a_restart_finds_endpoints_and_sweeps_the_rest(void)
{
    struct env t;
    struct network_info info[3];
    char id[65];
    if (cannot())
        return;
    env_open(&t, NULL);
    struct result a = attach(&t, "aaa", NETWORK_BRIDGE), b = attach(&t, "bbb", NETWORK_BRIDGE);
    REQUIRE(a.r == 0 && b.r == 0);
    EXPECT_INT(network_list(t.n, info, 3), 3);
    EXPECT_STR(info[0].name, "bridge");
    str_copy(id, sizeof id, info[0].id);
    network_close(t.n);
    AUTO_FREE char *orphan = mem_printf("%s/netns/orphan", t.root);
    int fd = -1;
    struct rtnl *in;
    REQUIRE(netns_create(orphan, &fd, &in, NULL) ==
            0); /* a crash before the endpoint was written */
    rtnl_close(in);
    close(fd);
    EXPECT_INT(
        system("ip link add kvlost type veth peer name kvpeer && ip link set kvlost master keept1"),
        0);
    AUTO_FREE char *bad = mem_printf("echo garbage > %s/network/damaged", t.root);
    EXPECT_INT(system(bad), 0);
    env_reopen(&t, NULL);
    network_list(t.n, info, 3);
    EXPECT_STR(info[0].id, id);
    const struct network_endpoint *ep = network_find(t.n, "aaa");
    REQUIRE(ep != NULL);
    EXPECT_STR(ep->ip, a.ep.ip);
    EXPECT_STR(ep->netns_path, a.ep.netns_path);
    network_sweep(t.n, keep_a, NULL);
    EXPECT(network_find(t.n, "aaa") && !network_find(t.n, "bbb"));
    EXPECT(access(orphan, F_OK) != 0 && access(b.ep.netns_path, F_OK) != 0);
    AUTO_FREE char *veth = mem_printf("kv%.12s", a.ep.endpoint_id);
    EXPECT(if_nametoindex("kvlost") == 0 && if_nametoindex(veth) != 0);
    struct result c = attach(&t, "ccc", NETWORK_BRIDGE);
    EXPECT(c.r == 0 && strcmp(c.ep.ip, a.ep.ip) != 0);
    EXPECT(strcmp(c.ep.ip, b.ep.ip) != 0); /* the round goes on after a restart */
    env_close(&t);
}

static void a_subnet_that_the_machine_uses_is_not_chosen(void)
{
    struct env t;
    struct network_info info[1];
    if (cannot())
        return;
    EXPECT_INT(system("ip link add busy0 type bridge && ip addr add 172.29.7.1/24 dev busy0 && ip "
                      "link set busy0 up"),
               0);
    env_open(&t, NULL);
    network_list(t.n, info, 1);
    EXPECT_STR(info[0].subnet, "172.28.0.0/16");
    network_close(t.n);
    char *root = t.root;
    AUTO_FREE char *rm = mem_printf("rm -r %s/network", root);
    EXPECT_INT(system(rm), 0);
    env_reopen(&t, "172.29.0.0/16"); /* the operator insists */
    struct result a = attach(&t, "aaa", NETWORK_BRIDGE);
    EXPECT_INT(a.r, -EADDRINUSE);
    EXPECT_STR(a.error,
               "the subnet 172.29.0.0/16 of the containers overlaps a route of this machine");
    EXPECT_INT(system("ip link del busy0"), 0);
    EXPECT_INT(attach(&t, "aaa", NETWORK_BRIDGE).r, 0);
    env_close(&t);
}

static void what_cannot_be_done_is_told_in_a_sentence(void)
{
    struct env t;
    struct err e = {0};
    struct network *n;
    if (cannot())
        return;
    env_open(&t, NULL);
    struct network_options bad = {.exec_root = t.root, .instance = "x y"};
    EXPECT_INT(network_open(&t.loop, &bad, &n, &e), -EINVAL);
    EXPECT_INT(attach(&t, "../../x", NETWORK_NONE).r, -EINVAL);
    EXPECT_INT(attach(&t, "", NETWORK_NONE).r, -EINVAL);
    EXPECT_INT(system("ip link add keept1 type veth peer name keepx1"), 0);
    struct result a = attach(&t, "aaa", NETWORK_BRIDGE);
    EXPECT_INT(a.r, -EEXIST);
    EXPECT_STR(a.error, "the interface keept1 is not a bridge");
    EXPECT_INT(system("ip link del keept1"), 0);
    EXPECT_INT(attach(&t, "aaa", NETWORK_BRIDGE).r, 0);
    env_close(&t);
}

static void many_at_once_are_served_in_order(void)
{
    struct env t;
    static struct result res[100];
    if (cannot())
        return;
    env_open(&t, NULL);
    memset(res, 0, sizeof res);
    EXPECT_INT(attach(&t, "warm", NETWORK_BRIDGE).r, 0);
    int64_t start = clock_mono_ns();
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "c%d", i);
        network_attach(t.n, id, NETWORK_BRIDGE, on_attached, &res[i]);
    }
    while (res[99].calls == 0)
        uv_run(&t.loop, UV_RUN_ONCE);
    int64_t end = clock_mono_ns();
    for (int i = 0; i < 100; i++)
        EXPECT(res[i].calls == 1 && res[i].r == 0);
    printf("# attach: %.2f ms each\n", (double)(end - start) / 1e8);
    start = clock_mono_ns();
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "c%d", i);
        network_detach(t.n, id);
    }
    printf("# detach: %.2f ms each\n", (double)(clock_mono_ns() - start) / 1e8);
    env_close(&t);
}

static void what_waits_when_the_daemon_stops_is_told(void)
{
    struct env t;
    struct result res = {0};
    if (cannot())
        return;
    env_open(&t, NULL);
    network_attach(t.n, "aaa", NETWORK_BRIDGE, on_attached, &res);
    uv_run(&t.loop, UV_RUN_NOWAIT); /* the rules are being set */
    network_close(t.n);
    EXPECT_INT(res.calls, 1);
    EXPECT_INT(res.r, -ECANCELED);
    env_reopen(&t, NULL);
    env_close(&t);
}

int main(void)
{
    if (geteuid() != 0)
        why_not = "networks need root";
    else if (system("command -v ip >/dev/null && command -v nft >/dev/null") != 0)
        why_not = "the programs ip and nft are needed";
    else if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
        why_not = "no network namespace can be made here";
    else if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        why_not = "mounts cannot be made private here";
    TEST(a_container_without_network_has_a_loopback_only);
    TEST(containers_on_the_bridge_reach_each_other);
    TEST(the_outside_is_reached_but_does_not_reach_in);
    TEST(an_address_is_freed_but_not_given_again_at_once);
    TEST(a_restart_finds_endpoints_and_sweeps_the_rest);
    TEST(a_subnet_that_the_machine_uses_is_not_chosen);
    TEST(what_cannot_be_done_is_told_in_a_sentence);
    TEST(many_at_once_are_served_in_order);
    TEST(what_waits_when_the_daemon_stops_is_told);
    return check_done();
}
