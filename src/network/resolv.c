/* network/resolv.c - what a container's resolv.conf says. */
#include "network/resolv.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/network.h"

enum { RESOLV_MAX = 65536 };
#define HOST_FILE "/etc/resolv.conf"
/* systemd-resolved: the host's own file names its loopback stub, which a container cannot reach;
 * the real servers are here */
#define RESOLVED_FILE "/run/systemd/resolve/resolv.conf"

/* The rest of a line that begins with the keyword and a blank, or NULL. */
static const char *value_of(const char *line, const char *keyword)
{
    size_t n = strlen(keyword);
    if (strncmp(line, keyword, n) != 0 || (line[n] != ' ' && line[n] != '\t'))
        return NULL;
    return line + n + strspn(line + n, " \t");
}

static bool is_loopback(const char *server)
{
    return str_starts(server, "127.") || str_eq(server, "::1");
}

static char **lines_of(const char *text)
{
    char **lines = NULL;
    while (text && *text) {
        size_t n = strcspn(text, "\n"), end = n;
        const char *start = text + strspn(text, " \t");
        while (end > 0 && strchr(" \t\r", text[end - 1]))
            end--;
        if (text + end > start)
            strv_push(&lines, mem_strn(start, (size_t)(text + end - start)));
        text += n + (text[n] == '\n');
    }
    return lines;
}

bool resolv_only_loopback(const char *host)
{
    AUTO_STRV char **lines = lines_of(host);
    bool any = false;
    for (size_t i = 0; lines && lines[i]; i++) {
        const char *server = value_of(lines[i], "nameserver");
        if (server && !is_loopback(server))
            return false;
        any |= server != NULL;
    }
    return any;
}

static void put_list(struct buf *b, const char *keyword, const char *const *v)
{
    buf_str(b, keyword);
    for (; *v; v++)
        if (!strpbrk(*v, " \t\r\n")) /* a value cannot begin a line of its own */
            buf_printf(b, " %s", *v);
    buf_char(b, '\n');
}

/* The host's lines of one keyword; the last one counts, as in the resolver. */
static void put_host(struct buf *b, char **lines, const char *keyword)
{
    const char *last = NULL;
    for (size_t i = 0; lines && lines[i]; i++)
        last = value_of(lines[i], keyword) ? lines[i] : last;
    if (last)
        buf_printf(b, "%s\n", last);
}

char *resolv_compose(const char *host, const char *const *dns, const char *const *search,
                     const char *const *options)
{
    struct buf b = BUF_INIT(RESOLV_MAX);
    AUTO_STRV char **lines = lines_of(host);
    if (search && *search) {
        if (!str_eq(*search, ".")) /* a lone dot: no search list */
            put_list(&b, "search", search);
    } else {
        put_host(&b, lines, "search");
    }
    for (size_t i = 0; dns && dns[i]; i++)
        if (!strpbrk(dns[i], " \t\r\n"))
            buf_printf(&b, "nameserver %s\n", dns[i]);
    for (size_t i = 0; !(dns && *dns) && lines && lines[i]; i++) {
        const char *server = value_of(lines[i], "nameserver");
        if (server && !is_loopback(server))
            buf_printf(&b, "nameserver %s\n", server);
    }
    if (options && *options)
        put_list(&b, "options", options);
    else
        put_host(&b, lines, "options");
    char *text = buf_take(&b);
    return text ? text : mem_str("");
}

char *network_resolv_conf(const char *const *dns, const char *const *search,
                          const char *const *options)
{
    AUTO_BUF struct buf host = BUF_INIT(RESOLV_MAX), real = BUF_INIT(RESOLV_MAX);
    const char *text = buf_read_file(&host, HOST_FILE, NULL) == 0 && host.p ? host.p : "";
    if (resolv_only_loopback(text) && buf_read_file(&real, RESOLVED_FILE, NULL) == 0 && real.p)
        text = real.p;
    return resolv_compose(text, dns, search, options);
}
