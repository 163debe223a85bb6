/* cli/opt_port.c - `--publish`: "[published:]target[/proto]" with ranges, or fields
 * target=…,published=…. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/js.h"
#include "cli/opts.h"

enum { PORT_MAX = 65535 };

struct range {
    uint64_t lo, hi;
};

static int parse_range(const char *s, struct range *ret)
{
    const char *dash = strchr(s, '-');
    AUTO_FREE char *first = mem_strn(s, dash ? (size_t)(dash - s) : strlen(s));
    if (str_to_u64(first, PORT_MAX, &ret->lo) ||
        str_to_u64(dash ? dash + 1 : first, PORT_MAX, &ret->hi))
        return -EINVAL;
    return ret->hi < ret->lo ? -EINVAL : 0;
}

static bool known_protocol(const char *s)
{
    return str_ieq(s, "tcp") || str_ieq(s, "udp") || str_ieq(s, "sctp");
}

static void add_port(json_t *into, uint64_t target, uint64_t published, const char *proto,
                     const char *mode)
{
    json_t *p = js_own(json_pack("{s:s,s:I}", "Protocol", proto, "TargetPort", (json_int_t)target));
    if (published)
        json_object_set_new(p, "PublishedPort", js_own(json_integer((json_int_t)published)));
    js_set_str(p, "PublishMode", mode);
    json_array_append_new(into, p);
}

static int long_form(const char *s, json_t *into, struct err *e)
{
    AUTO_STRV char **fields = NULL;
    struct range target = {0}, published = {0};
    AUTO_FREE char *proto = mem_str("tcp"), *mode = mem_str("ingress");
    int r = csv_record(s, &fields, e);
    for (size_t i = 0; !r && fields[i]; i++) {
        char *value = strchr(fields[i], '=');
        if (!value)
            return err_set(e, -EINVAL, "invalid field: %s", fields[i]);
        *value++ = 0;
        if (str_ieq(fields[i], "target") || str_ieq(fields[i], "published")) {
            struct range *to = str_ieq(fields[i], "target") ? &target : &published;
            if (parse_range(value, to) || to->lo != to->hi)
                return err_set(e, -EINVAL, "invalid %s port (%s): value must be an integer",
                               fields[i], value);
        } else if (str_ieq(fields[i], "protocol")) {
            if (!known_protocol(value))
                return err_set(e, -EINVAL, "invalid protocol value '%s'", value);
            free(proto);
            proto = mem_str(value);
        } else if (str_ieq(fields[i], "mode")) {
            if (!str_eq(value, "ingress") && !str_eq(value, "host"))
                return err_set(e, -EINVAL,
                               "invalid publish mode value (%s): must be either '%s' or '%s'",
                               value, "ingress", "host");
            free(mode);
            mode = mem_str(value);
        } else {
            return err_set(e, -EINVAL, "invalid field key: %s", fields[i]);
        }
    }
    if (r)
        return r;
    if (!target.lo)
        return err_set(e, -EINVAL, "missing mandatory field 'target'");
    add_port(into, target.lo, published.lo, proto, mode);
    return 0;
}

/* The part before the container's port: "", "80", "1000-1010", or with an address, which services
 * do not have. */
static int host_part(const char *s, const char **ret_ports, struct err *e)
{
    const char *colon = strrchr(s, ':');
    *ret_ports = s;
    if (!colon)
        return 0;
    struct err why;
    AUTO_FREE char *ip = mem_strn(s, (size_t)(colon - s));
    if (check_ip(ip, &why))
        return err_set(e, -EINVAL, "invalid IP address: %s", ip);
    return err_set(e, -EINVAL, "hostip is not supported");
}

static int short_form(const char *s, json_t *into, struct err *e)
{
    const char *slash = strchr(s, '/');
    const char *proto = slash ? slash + 1 : "tcp";
    AUTO_FREE char *ports = mem_strn(s, slash ? (size_t)(slash - s) : strlen(s));
    char *colon = strrchr(ports, ':');
    const char *container = colon ? colon + 1 : ports, *host = "";
    struct range c, h = {0};
    if (colon)
        *colon = 0;
    if (!*container)
        return err_set(e, -EINVAL, "no port specified: %s<empty>", s);
    if (parse_range(container, &c))
        return err_set(e, -EINVAL, "invalid containerPort: %s", container);
    int r = colon ? host_part(ports, &host, e) : 0;
    if (r)
        return r;
    if (*host && parse_range(host, &h))
        return err_set(e, -EINVAL, "invalid hostPort: %s", host);
    if (!known_protocol(proto))
        return err_set(e, -EINVAL, "invalid proto: %s", proto);
    if (*host && h.hi - h.lo != c.hi - c.lo)
        return err_set(e, -EINVAL,
                       "invalid ranges specified for container and host Ports: %s and %s",
                       container, host);
    for (uint64_t i = c.lo; i <= c.hi; i++)
        add_port(into, i, *host ? h.lo + (i - c.lo) : 0, proto, "ingress");
    return 0;
}

int parse_ports(const char *s, json_t *into, struct err *e)
{
    return strchr(s, '=') ? long_form(s, into, e) : short_form(s, into, e);
}

int check_port(const char *s, struct err *e)
{
    AUTO_JSON json_t *list = js_own(json_array());
    return parse_ports(s, list, e);
}
