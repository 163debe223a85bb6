/* network/subnet.c - the arithmetic of one IPv4 subnet. */
#include "network/subnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"

static uint32_t mask_of(unsigned prefix_len)
{
    return prefix_len == 0 ? 0 : 0xffffffffU << (32 - prefix_len);
}

void ip_text(uint32_t ip, char ret[16])
{
    snprintf(ret, 16, "%u.%u.%u.%u", ip >> 24, (ip >> 16) & 255, (ip >> 8) & 255, ip & 255);
}

int ip_parse(const char *s, uint32_t *ret)
{
    struct in_addr a;
    if (inet_pton(AF_INET, s, &a) != 1)
        return -EINVAL;
    *ret = ntohl(a.s_addr);
    return 0;
}

int subnet_parse(const char *s, struct subnet *ret, struct err *e)
{
    char ip[24];
    uint64_t len;
    uint32_t net;
    const char *slash = strchr(s, '/');
    if (!slash || (size_t)(slash - s) >= sizeof ip)
        return err_set(e, -EINVAL, "\"%.40s\" is not a subnet such as 172.29.0.0/16", s);
    str_copy(ip, (size_t)(slash - s) + 1, s);
    if (ip_parse(ip, &net) != 0 || str_to_u64(slash + 1, 32, &len) != 0)
        return err_set(e, -EINVAL, "\"%.40s\" is not a subnet such as 172.29.0.0/16", s);
    if (len < SUBNET_PREFIX_MIN || len > SUBNET_PREFIX_MAX)
        return err_set(e, -EINVAL, "the subnet %.40s is not between /%d and /%d", s,
                       SUBNET_PREFIX_MIN, SUBNET_PREFIX_MAX);
    if (net & ~mask_of((unsigned)len))
        return err_set(e, -EINVAL, "the subnet %.40s has bits after its prefix", s);
    *ret = (struct subnet){.net = net, .prefix_len = (unsigned)len, .cursor = 1};
    return 0;
}

void subnet_text(const struct subnet *s, char ret[SUBNET_TEXT_SIZE])
{
    char ip[16];
    ip_text(s->net, ip);
    snprintf(ret, SUBNET_TEXT_SIZE, "%s/%u", ip, s->prefix_len);
}

uint32_t subnet_gateway(const struct subnet *s)
{
    return s->net + 1;
}

bool subnet_overlaps(const struct subnet *s, uint32_t net, unsigned prefix_len)
{
    uint32_t mask = mask_of(prefix_len < s->prefix_len ? prefix_len : s->prefix_len);
    return (s->net & mask) == (net & mask);
}

static uint32_t size_of(const struct subnet *s)
{
    return 1U << (32 - s->prefix_len);
}

bool subnet_has(const struct subnet *s, uint32_t ip)
{
    uint32_t at = ip - s->net;
    return at >= 2 && at < size_of(s) - 1; /* not the network, the gateway, the broadcast */
}

static bool is_taken(const struct subnet *s, uint32_t at)
{
    return s->taken[at / 8] & (1U << (at % 8));
}

int subnet_take(struct subnet *s, uint32_t *ret_ip)
{
    uint32_t last = size_of(s) - 2, at = s->cursor;
    for (uint32_t i = 2; i <= last; i++) {
        at = at < last ? at + 1 : 2;
        if (at < 2 || is_taken(s, at))
            continue;
        s->cursor = at;
        *ret_ip = s->net + at;
        subnet_mark(s, *ret_ip, true);
        return 0;
    }
    return -EADDRNOTAVAIL;
}

void subnet_mark(struct subnet *s, uint32_t ip, bool taken)
{
    uint32_t at = ip - s->net;
    if (!subnet_has(s, ip))
        return;
    if (taken)
        s->taken[at / 8] = (uint8_t)(s->taken[at / 8] | 1U << (at % 8));
    else
        s->taken[at / 8] = (uint8_t)(s->taken[at / 8] & ~(1U << (at % 8)));
}
