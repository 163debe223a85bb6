/* api/swarm_addr.c - see the header. */
#include "api/swarm_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"

struct split {
    char host[SWARM_ADDR_SIZE];
    unsigned port;
    bool has_port;
};

/* "host", "host:port", "[v6]:port", "v6" */
static int split(const char *text, struct split *ret)
{
    const char *colon = strrchr(text, ':');
    bool bare_v6 = colon && strchr(text, ':') != colon && *text != '[';
    uint64_t port = 0;
    *ret = (struct split){.port = 0};
    size_t len = strlen(text);
    if (colon && !bare_v6 && colon > strchr(text, ']')) {
        if (colon[1] && str_to_u64(colon + 1, 999999, &port) != 0)
            return -EINVAL;
        ret->has_port = colon[1] != '\0';
        len = (size_t)(colon - text);
    }
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= sizeof(ret->host))
        return -EINVAL;
    memcpy(ret->host, text, len);
    ret->port = (unsigned)port;
    return 0;
}

static void address_text(const struct sockaddr *sa, char ret[SWARM_ADDR_SIZE])
{
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, ret,
                  SWARM_ADDR_SIZE);
    else
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, ret,
                  SWARM_ADDR_SIZE);
}

static bool is_zero(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool is_ip(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* The address of an interface: the IPv4 one if it has one. */
static int of_interface(const char *name, char ret[SWARM_ADDR_SIZE])
{
    struct ifaddrs *all = NULL;
    int found = -ENOENT;
    if (getifaddrs(&all) != 0)
        return -errno;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || strcmp(i->ifa_name, name) != 0)
            continue;
        if (i->ifa_addr->sa_family == AF_INET) {
            address_text(i->ifa_addr, ret);
            found = 0;
            break;
        }
        if (i->ifa_addr->sa_family == AF_INET6 && found != 0) {
            address_text(i->ifa_addr, ret);
            found = 0;
        }
    }
    freeifaddrs(all);
    return found;
}

/* The only IPv4 address of the machine that is no loopback and no bridge of ours; several are the
 * user's choice. */
static int only_address(char ret[SWARM_ADDR_SIZE], struct err *e)
{
    struct ifaddrs *all = NULL;
    unsigned found = 0;
    char first_name[IF_NAMESIZE] = "", other[SWARM_ADDR_SIZE] = "", other_name[IF_NAMESIZE] = "";
    if (getifaddrs(&all) != 0)
        return err_sys(e, errno, "the addresses of this machine");
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        bool usable = i->ifa_addr && i->ifa_addr->sa_family == AF_INET && (i->ifa_flags & IFF_UP) &&
                      !(i->ifa_flags & IFF_LOOPBACK) && !str_starts(i->ifa_name, "keep") &&
                      !str_starts(i->ifa_name, "docker") && !str_starts(i->ifa_name, "veth");
        if (!usable)
            continue;
        address_text(i->ifa_addr, found ? other : ret);
        str_copy(found ? other_name : first_name, IF_NAMESIZE, i->ifa_name);
        if (++found == 2)
            break;
    }
    freeifaddrs(all);
    if (found == 0)
        return err_set(
            e, -EINVAL,
            "could not find the system's IP address - specify one with --advertise-addr");
    if (found == 1)
        return 0;
    if (strcmp(first_name, other_name) == 0)
        return err_set(e, -EINVAL,
                       "could not choose an IP address to advertise since this system has multiple "
                       "addresses on interface %s (%s and %s) - "
                       "specify one with --advertise-addr",
                       first_name, ret, other);
    return err_set(e, -EINVAL,
                   "could not choose an IP address to advertise since this system has multiple "
                   "addresses on different interfaces "
                   "(%s on %s and %s on %s) - specify one with --advertise-addr",
                   ret, first_name, other, other_name);
}

static void join(const char *host, unsigned port, char ret[SWARM_ADDR_SIZE])
{
    snprintf(ret, SWARM_ADDR_SIZE, strchr(host, ':') ? "[%.60s]:%u" : "%.60s:%u", host, port);
}

int swarm_addr_listen(const char *text, char ret[SWARM_ADDR_SIZE], unsigned *ret_status,
                      struct err *e)
{
    struct split s;
    char ip[SWARM_ADDR_SIZE] = "";
    *ret_status = 400;
    if (split(*text ? text : "0.0.0.0:2377", &s) != 0 ||
        (!is_ip(s.host) && of_interface(s.host, ip) != 0))
        return err_set(e, -EINVAL,
                       "listen address must be an IP address or network interface (with optional "
                       "port number)");
    if (s.has_port && (s.port == 0 || s.port > 65535)) {
        *ret_status = 500;
        return err_set(e, -EINVAL,
                       "manager stopped: failed to listen on remote API address: listen tcp: "
                       "address %u: invalid port",
                       s.port);
    }
    join(*ip ? ip : s.host, s.has_port ? s.port : SWARM_PORT, ret);
    return 0;
}

int swarm_addr_advertise(const char *text, const char *listen, char ret[SWARM_ADDR_SIZE],
                         unsigned *ret_status, struct err *e)
{
    struct split s, l;
    char ip[SWARM_ADDR_SIZE] = "";
    *ret_status = 400;
    if (split(listen, &l) != 0)
        return err_set(e, -EINVAL,
                       "listen address must be an IP address or network interface (with optional "
                       "port number)");
    if (*text == '\0') {
        if (is_zero(l.host)) {
            int r = only_address(ip, e);
            if (r < 0)
                return r;
        }
        join(*ip ? ip : l.host, l.port, ret);
        return 0;
    }
    if (split(text, &s) != 0 || is_zero(s.host) ||
        (!is_ip(s.host) && of_interface(s.host, ip) != 0) || s.port > 65535)
        return err_set(e, -EINVAL,
                       "advertise address must be a non-zero IP address or network interface (with "
                       "optional port number)");
    join(*ip ? ip : s.host, s.has_port ? s.port : l.port, ret);
    return 0;
}

int swarm_addr_data_path(const char *text, char ret[SWARM_ADDR_SIZE], unsigned *ret_status,
                         struct err *e)
{
    *ret_status = 400;
    *ret = '\0';
    if (*text == '\0')
        return 0;
    if (is_ip(text) && !is_zero(text) && strlen(text) < SWARM_ADDR_SIZE) {
        str_copy(ret, SWARM_ADDR_SIZE, text);
        return 0;
    }
    if (is_zero(text) || of_interface(text, ret) != 0)
        return err_set(e, -EINVAL,
                       "data path address must be a non-zero IP address or network interface "
                       "(without a port number)");
    return 0;
}
