/* dispatcher/sessions.h - which nodes are connected, by which session, and until when they are
 * believed to live. Pure: no clock of its own.
 *
 * Sessions live in memory only: after a restart every node registers again. Times are of one
 * monotonic clock, ns. */
#ifndef DISPATCHER_SESSIONS_H
#define DISPATCHER_SESSIONS_H
#include <stdbool.h>
#include <stdint.h>
#include "base/id.h"
#include "model/idmap.h"

enum { SESSION_GRACE = 3, SESSION_GRACE_UNKNOWN = 6, SESSION_RATE_COUNT = 3 };
#define SESSION_RATE_NS                                                                            \
    (8 * 1000000000LL) /* more than SESSION_RATE_COUNT registrations, each within that of the      \
                          last, are refused */

struct session {
    char *node_id;
    char id[ID_SIZE];
    bool live;        /* registered, and heard of in time */
    bool expected;    /* was there before this manager, and has not come back yet */
    int64_t deadline; /* when live or expected */
    int64_t registered_at;
    unsigned attempts;
    void *user; /* the owner's */
};
struct sessions {
    struct idmap by_node;
};
void sessions_done(struct sessions *ss, void (*free_user)(void *user));

enum { SESSION_CONTINUES = 1, SESSION_NEW, SESSION_TOO_MANY };
/* A node asks for a session and names the one that it had ("" for none). `limited`: the rate
 * counts. */
int session_register(struct sessions *ss, const char *node_id, const char *had, bool limited,
                     int64_t period, int64_t now, struct session **ret);
enum { SESSION_NONE = 1, SESSION_INVALID };
int session_check(const struct sessions *ss, const char *node_id, const char *id,
                  struct session **ret); /* 0, SESSION_… */
struct session *session_of(const struct sessions *ss,
                           const char *node_id); /* NULL: never heard of */
void session_beat(struct session *s, int64_t period, int64_t now);
void session_end(struct session *s);
void session_expect(struct sessions *ss, const char *node_id, int64_t period, int64_t now);
/* One whose time has passed, ended by this call; NULL: none. *ret_expected: it had not come back
 * since the manager started. */
struct session *session_expire(struct sessions *ss, int64_t now, bool *ret_expected);
int64_t session_next_deadline(const struct sessions *ss); /* INT64_MAX: none */
#endif
