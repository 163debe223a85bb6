/* model/constraint.c - see model/constraint.h. */
#include "model/constraint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/node.h"

struct constraint {
    char *key, *value;
    bool equal; /* ==, else != */
};

static void constraint_done(struct constraint *c)
{
    free(c->key);
    free(c->value);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char *trimmed(const char *p, size_t n)
{
    while (n && is_blank(*p))
        p++, n--;
    while (n && is_blank(p[n - 1]))
        n--;
    return mem_strn(p, n);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool key_ok(const char *s)
{
    if (!is_letter(s[0]) && s[0] != '_')
        return false;
    size_t i = 1;
    while (s[i] && (is_letter(s[i]) || strchr("0123456789-_.", s[i])))
        i++;
    return !s[i] && i >= 2;
}

static bool value_ok(const char *s)
{
    size_t i = 0;

    while (s[i] &&
           (is_letter(s[i]) || is_blank(s[i]) || strchr("0123456789:-_.*()?+[]\\^$|/", s[i])))
        i++;
    return !s[i] && i >= 1;
}

static int parse(const char *expr, struct constraint *ret, struct err *e)
{
    const char *op = strstr(expr, "==");
    struct constraint c = {.equal = op != NULL};

    if (!op)
        op = strstr(expr, "!=");
    if (!op)
        return err_set(e, -EINVAL, "constraint expected one operator from ==, !=");
    c.key = trimmed(expr, (size_t)(op - expr));
    c.value = trimmed(op + 2, strlen(op + 2));
    int r = 0;
    if (!key_ok(c.key))
        r = err_set(e, -EINVAL, "key '%s' is invalid", c.key);
    else if (!value_ok(c.value))
        r = err_set(e, -EINVAL, "value '%s' is invalid", c.value);
    if (r == 0)
        *ret = c;
    else
        constraint_done(&c);
    return r;
}

int constraint_check(const char *expr, struct err *e)
{
    struct constraint c;
    int r = parse(str_or(expr, ""), &c, e);

    if (r == 0)
        constraint_done(&c);
    return r;
}

/* An address as 16 bytes, IPv4 as its mapped form. */
static bool parse_ip(const char *s, uint8_t ret[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(ret, mapped, 12);
    return inet_pton(AF_INET, s, ret + 12) == 1 || inet_pton(AF_INET6, s, ret) == 1;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

/* 1: the node's address is that or lies in that network, 0: not, -1: the value is neither. */
static int ip_within(const char *addr, const char *value)
{
    uint8_t have[16], want[16];
    char text[INET6_ADDRSTRLEN + 4];
    uint64_t bits = 128;

    if (strlen(value) >= sizeof text)
        return -1;
    str_copy(text, sizeof text, value);
    char *slash = strchr(text, '/');
    if (slash) {
        *slash = '\0';
        bool v4 = strchr(text, ':') == NULL;
        if (str_to_u64(slash + 1, v4 ? 32 : 128, &bits) < 0)
            return -1;
        bits += v4 ? 96 : 0;
    }
    if (!parse_ip(text, want))
        return -1;
    return parse_ip(addr, have) && same_bits(have, want, (unsigned)bits);
}

/* What the key stands for on this node; NULL when the key is unknown. */
static const char *node_value(const char *key, const Pb__Node *n)
{
    static const char node_prefix[] = "node.labels.", engine_prefix[] = "engine.labels.";
    const Pb__Platform *p = n->description ? n->description->platform : NULL;

    if (str_ieq(key, "node.id"))
        return str_or(n->id, "");
    if (str_ieq(key, "node.hostname"))
        return node_hostname(n);
    if (str_ieq(key, "node.role"))
        return node_role_name((int)n->role);
    if (str_ieq(key, "node.platform.os"))
        return p ? str_or(p->os, "") : "";
    if (str_ieq(key, "node.platform.arch"))
        return p ? str_or(p->architecture, "") : "";
    if (str_istarts(key, node_prefix) && key[sizeof node_prefix - 1])
        return str_or(node_label(n, key + sizeof node_prefix - 1), "");
    if (str_istarts(key, engine_prefix) && key[sizeof engine_prefix - 1])
        return str_or(node_engine_label(n, key + sizeof engine_prefix - 1), "");
    return NULL;
}

static bool holds(const struct constraint *c, const Pb__Node *n)
{
    if (str_ieq(c->key, "node.ip")) {
        int within = ip_within(n->status ? str_or(n->status->addr, "") : "", c->value);
        return within >= 0 && (within == 1) == c->equal;
    }
    const char *have = node_value(c->key, n);
    return have && str_ieq(have, c->value) == c->equal;
}

bool constraint_match(char *const *exprs, size_t n, const Pb__Node *node)
{
    for (size_t i = 0; i < n; i++) {
        struct constraint c;
        if (parse(str_or(exprs[i], ""), &c, NULL) < 0)
            return false;
        bool ok = holds(&c, node);
        constraint_done(&c);
        if (!ok)
            return false;
    }
    return true;
}

bool constraint_match_task(const Pb__TaskSpec *spec, const Pb__Node *node)
{
    if (!spec || !spec->placement)
        return true;
    return constraint_match(spec->placement->constraints, spec->placement->n_constraints, node);
}
