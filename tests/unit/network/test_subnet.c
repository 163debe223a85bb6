/* unit/network/test_subnet.c - addresses of a subnet, and what a container's resolv.conf says. */
#include <errno.h>
#include <stdlib.h>
#include "base/mem.h"
#include "lib/check.h"
#include "network/network.h"
#include "network/resolv.h"
#include "network/subnet.h"

static void a_subnet_is_read_and_written(void)
{
    struct subnet s;
    char text[SUBNET_TEXT_SIZE], ip[16];
    REQUIRE(subnet_parse("172.29.0.0/16", &s, NULL) == 0);
    subnet_text(&s, text);
    EXPECT_STR(text, "172.29.0.0/16");
    ip_text(subnet_gateway(&s), ip);
    EXPECT_STR(ip, "172.29.0.1");
    EXPECT(subnet_overlaps(&s, 0xac1d0500, 24) && subnet_overlaps(&s, 0xac100000, 12));
    EXPECT(!subnet_overlaps(&s, 0xac1e0000, 16) && subnet_overlaps(&s, 0, 0));
}

static void what_is_no_subnet_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "x",
                                      "1.2.3.4",
                                      "1.2.3.0/",
                                      "1.2.3.0/x",
                                      "1.2.3.0/33",
                                      "1.2.3.4/24",
                                      "1.2.0.0/15",
                                      "1.2.3.0/30",
                                      "1.2.3/24",
                                      "::1/24",
                                      "172.29.0.0/16 ",
                                      "1.2.3.0/-1",
                                      "111111111111111111111111111111.0.0.0/16"};
    struct subnet s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_INT(subnet_parse(bad[i], &s, NULL), -EINVAL);
}

static void addresses_go_round_and_never_are_the_gateway(void)
{
    struct subnet s;
    uint32_t ip, first;
    REQUIRE(subnet_parse("10.0.0.0/29", &s, NULL) == 0);
    for (uint32_t i = 2; i <= 6; i++) {
        EXPECT_INT(subnet_take(&s, &ip), 0);
        EXPECT_INT(ip, s.net + i);
    }
    EXPECT_INT(subnet_take(&s, &ip), -EADDRNOTAVAIL);
    subnet_mark(&s, s.net + 3, false);
    EXPECT_INT(subnet_take(&s, &ip), 0);
    EXPECT_INT(ip, s.net + 3);
    REQUIRE(subnet_parse("10.0.0.0/24", &s, NULL) == 0);
    EXPECT_INT(subnet_take(&s, &first), 0);
    subnet_mark(&s, first, false);
    EXPECT_INT(subnet_take(&s, &ip), 0);
    EXPECT(ip != first);              /* just freed: not given at once */
    subnet_mark(&s, s.net - 5, true); /* outside: nothing */
    subnet_mark(&s, s.net + 1, true);
    EXPECT(!subnet_has(&s, s.net + 255) && !subnet_has(&s, s.net + 1) &&
           !subnet_has(&s, s.net + 256));
}

static void a_whole_sixteen_bit_subnet_can_be_used(void)
{
    static struct subnet s;
    uint32_t ip;
    unsigned n = 0;
    REQUIRE(subnet_parse("172.29.0.0/16", &s, NULL) == 0);
    while (subnet_take(&s, &ip) == 0)
        n++;
    EXPECT_INT(n, 65536 - 3);
}

static void expect_resolv(const char *host, const char *const *dns, const char *const *search,
                          const char *const *options, const char *want)
{
    AUTO_FREE char *text = resolv_compose(host, dns, search, options);
    EXPECT_STR(text, want);
}

static void resolv_conf_is_the_hosts_without_loopback_servers(void)
{
    static const char host[] =
        "# made by something\nsearch a.example b.example\nnameserver 127.0.0.53\n"
        "nameserver  192.0.2.1 \nnameserver ::1\n  nameserver 2001:db8::1\r\noptions ndots:2\n";
    static const char *const dns[] = {"192.0.2.9", "bad\nnameserver 6.6.6.6", NULL},
                             *const search[] = {"c", NULL};
    static const char *const none[] = {".", NULL}, *const options[] = {"edns0", "rotate", NULL};
    expect_resolv(host, NULL, NULL, NULL,
                  "search a.example b.example\nnameserver 192.0.2.1\nnameserver "
                  "2001:db8::1\noptions ndots:2\n");
    expect_resolv(host, dns, search, options,
                  "search c\nnameserver 192.0.2.9\noptions edns0 rotate\n");
    expect_resolv(host, dns, none, NULL, "nameserver 192.0.2.9\noptions ndots:2\n");
    expect_resolv("", NULL, NULL, NULL, ""); /* no server is invented */
    expect_resolv("nameserver 127.0.0.1", NULL, NULL, NULL, "");
    EXPECT(resolv_only_loopback("nameserver 127.0.0.53\nnameserver ::1\n"));
    EXPECT(!resolv_only_loopback(host) && !resolv_only_loopback("search x\n"));
    AUTO_FREE char *real = network_resolv_conf(NULL, NULL, NULL);
    EXPECT(real != NULL);
}

int main(void)
{
    TEST(a_subnet_is_read_and_written);
    TEST(what_is_no_subnet_is_refused);
    TEST(addresses_go_round_and_never_are_the_gateway);
    TEST(a_whole_sixteen_bit_subnet_can_be_used);
    TEST(resolv_conf_is_the_hosts_without_loopback_servers);
    return check_done();
}
