/* runtime/user.c - passwd and group lines, read with suspicion. */
#include "runtime/user.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct span {
    const char *p;
    size_t n;
};
struct user_entry {
    struct span name, home;
    uint32_t uid, gid;
};

void user_ids_done(struct user_ids *u)
{
    free(u->groups);
    free(u->home);
    *u = (struct user_ids){0};
}

static bool span_is(struct span s, const char *text)
{
    return strlen(text) == s.n && memcmp(s.p, text, s.n) == 0;
}

/* Digits only. 0 and the value, -EINVAL when it is not a number, -ERANGE when no id may be so
 * large. */
static int id_parse(struct span s, uint32_t *ret)
{
    uint64_t v = 0;
    bool minus = s.n > 1 && s.p[0] == '-';
    if (s.n == 0)
        return -EINVAL;
    for (size_t i = minus ? 1 : 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -EINVAL;
        v = v > USER_ID_MAX ? v : v * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (minus || v > USER_ID_MAX)
        return -ERANGE;
    *ret = (uint32_t)v;
    return 0;
}

/* Cuts the next line off *text into its fields; false at the end. *ret_n is how many there were (up
 * to max). */
static bool next_line(const char **text, struct span *fields, size_t max, size_t *ret_n)
{
    const char *p = *text;
    if (!p || !*p)
        return false;
    const char *end = p + strcspn(p, "\n");
    size_t n = 0;
    for (;;) {
        const char *colon = memchr(p, ':', (size_t)(end - p));
        const char *stop = colon ? colon : end;
        if (n < max)
            fields[n] = (struct span){p, (size_t)(stop - p)};
        n++;
        if (!colon)
            break;
        p = colon + 1;
    }
    *ret_n = n;
    *text = *end ? end + 1 : end;
    return true;
}

static bool next_user(const char **text, struct user_entry *ret)
{
    struct span f[7];
    size_t n;
    while (next_line(text, f, 7, &n)) {
        if (n < 6 || f[0].n == 0 || id_parse(f[2], &ret->uid) != 0 ||
            id_parse(f[3], &ret->gid) != 0)
            continue;
        ret->name = f[0];
        ret->home = f[5];
        return true;
    }
    return false;
}

static bool next_group(const char **text, struct span *ret_name, uint32_t *ret_gid,
                       struct span *ret_members)
{
    struct span f[4];
    size_t n;
    while (next_line(text, f, 4, &n)) {
        if (n < 3 || f[0].n == 0 || id_parse(f[2], ret_gid) != 0)
            continue;
        *ret_name = f[0];
        *ret_members = n > 3 ? f[3] : (struct span){"", 0};
        return true;
    }
    return false;
}

static void add_group(struct user_ids *u, uint32_t gid)
{
    for (size_t i = 0; i < u->ngroups; i++)
        if (u->groups[i] == gid)
            return;
    if (u->ngroups >= USER_GROUPS_MAX)
        return;
    if (!u->groups)
        u->groups = mem_array(USER_GROUPS_MAX, sizeof(*u->groups));
    u->groups[u->ngroups++] = gid;
}

static bool is_member(struct span members, struct span name)
{
    while (members.n > 0) {
        const char *comma = memchr(members.p, ',', members.n);
        size_t n = comma ? (size_t)(comma - members.p) : members.n;
        if (n == name.n && memcmp(members.p, name.p, n) == 0)
            return true;
        if (!comma)
            return false;
        members.p += n + 1;
        members.n -= n + 1;
    }
    return false;
}

static int find_group(const char *word, const char *group, uint32_t *ret, struct err *e)
{
    struct span name, members;
    uint32_t gid;
    int r = id_parse((struct span){word, strlen(word)}, ret);
    if (r == 0)
        return 0;
    if (r == -ERANGE)
        return err_set(e, -EINVAL, "uids and gids must be in range 0-%d", USER_ID_MAX);
    while (next_group(&group, &name, &gid, &members)) {
        if (span_is(name, word)) {
            *ret = gid;
            return 0;
        }
    }
    return err_set(e, -EINVAL, "unable to find group %.128s: no matching entries in group file",
                   word);
}

static int find_user(const char *word, const char *passwd, struct user_entry *ret, bool *ret_listed,
                     struct err *e)
{
    struct user_entry u;
    uint32_t id = 0;
    int number = word[0] ? id_parse((struct span){word, strlen(word)}, &id) : 0;
    if (number == -ERANGE)
        return err_set(e, -EINVAL, "uids and gids must be in range 0-%d", USER_ID_MAX);
    *ret = (struct user_entry){.home = {"/", 1}, .uid = id};
    *ret_listed = false;
    while (next_user(&passwd, &u)) {
        if (number == 0 ? u.uid == id : span_is(u.name, word)) {
            *ret = u;
            *ret_listed = true;
            return 0;
        }
    }
    if (number != 0)
        return err_set(e, -EINVAL, "unable to find user %.128s: no matching entries in passwd file",
                       word);
    return 0;
}

static int add_groups(struct user_ids *u, const struct user_entry *who, bool member_groups,
                      const char *group, const char *const *extra, struct err *e)
{
    struct span name, members;
    uint32_t gid;
    const char *text = group;
    add_group(u, u->gid);
    while (member_groups && next_group(&text, &name, &gid, &members))
        if (is_member(members, who->name))
            add_group(u, gid);
    for (size_t i = 0; extra && extra[i]; i++) {
        int r = find_group(extra[i], group, &gid, e);
        if (r != 0)
            return r;
        add_group(u, gid);
    }
    return 0;
}

int user_find(const char *spec, const char *passwd, const char *group, const char *const *extra,
              struct user_ids *ret, struct err *e)
{
    const char *colon = strchr(str_or(spec, ""), ':');
    AUTO_FREE char *user =
        mem_strn(str_or(spec, ""), colon ? (size_t)(colon - spec) : strlen(str_or(spec, "")));
    const char *group_word = colon ? colon + 1 : "";
    struct user_ids u = {0};
    struct user_entry who = {0};
    bool listed = false;
    int r = find_user(user, passwd, &who, &listed, e);
    if (r != 0)
        return r;
    u.uid = who.uid;
    u.gid = who.gid;
    if (group_word[0] && (r = find_group(group_word, group, &u.gid, e)) != 0)
        return r;
    u.home = who.home.n > 0 ? mem_strn(who.home.p, who.home.n) : mem_str("/");
    r = add_groups(&u, &who, listed && !group_word[0], group, extra, e);
    if (r != 0) {
        user_ids_done(&u);
        return r;
    }
    *ret = u;
    return 0;
}
