/* dispatcher/sessions.c - see dispatcher/sessions.h. */
#include "dispatcher/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void sessions_done(struct sessions *ss, void (*free_user)(void *user))
{
    IDMAP_EACH(&ss->by_node, it)
    {
        struct session *s = it->p;
        if (free_user && s->user)
            free_user(s->user);
        free(s->node_id);
        free(s);
    }
    idmap_clear(&ss->by_node);
}

struct session *session_of(const struct sessions *ss, const char *node_id)
{
    const struct idmap_entry *e = idmap_get(&ss->by_node, node_id);

    return e ? e->p : NULL;
}

static struct session *session_make(struct sessions *ss, const char *node_id)
{
    struct idmap_entry *e = idmap_put(&ss->by_node, node_id);

    if (!e->p) {
        struct session *s = NEW(struct session);
        s->node_id = mem_str(node_id);
        e->p = s;
    }
    return e->p;
}

/* Counts a registration; false: there were too many. */
static bool within_rate(struct session *s, int64_t now)
{
    if (s->attempts == 0 || now - s->registered_at > SESSION_RATE_NS)
        s->attempts = 0;
    if (s->attempts >= SESSION_RATE_COUNT)
        return false;
    s->attempts++;
    s->registered_at = now;
    return true;
}

int session_register(struct sessions *ss, const char *node_id, const char *had, bool limited,
                     int64_t period, int64_t now, struct session **ret)
{
    struct session *s = session_make(ss, node_id);
    int r = SESSION_CONTINUES;

    if (!s->live || str_empty(had) || !str_eq(had, s->id)) {
        if (limited && !within_rate(s, now))
            return SESSION_TOO_MANY;
        id_new(s->id);
        r = SESSION_NEW;
    }
    s->live = true;
    s->expected = false;
    session_beat(s, period, now);
    *ret = s;
    return r;
}

int session_check(const struct sessions *ss, const char *node_id, const char *id,
                  struct session **ret)
{
    struct session *s = session_of(ss, node_id);

    if (!s || !s->live)
        return SESSION_NONE;
    if (str_empty(id) || !str_eq(id, s->id))
        return SESSION_INVALID;
    *ret = s;
    return 0;
}

void session_beat(struct session *s, int64_t period, int64_t now)
{
    s->deadline = now + SESSION_GRACE * period;
}

void session_end(struct session *s)
{
    s->live = s->expected = false;
}

void session_expect(struct sessions *ss, const char *node_id, int64_t period, int64_t now)
{
    struct session *s = session_make(ss, node_id);

    if (s->live)
        return;
    s->expected = true;
    s->deadline = now + SESSION_GRACE_UNKNOWN * period;
}

struct session *session_expire(struct sessions *ss, int64_t now, bool *ret_expected)
{
    IDMAP_EACH(&ss->by_node, it)
    {
        struct session *s = it->p;
        if ((s->live || s->expected) && now >= s->deadline) {
            *ret_expected = s->expected;
            session_end(s);
            return s;
        }
    }
    return NULL;
}

int64_t session_next_deadline(const struct sessions *ss)
{
    int64_t next = INT64_MAX;

    IDMAP_EACH(&ss->by_node, it)
    {
        const struct session *s = it->p;
        if ((s->live || s->expected) && s->deadline < next)
            next = s->deadline;
    }
    return next;
}
