/* api/event_text.h - one event: what it says, whether a filter wants it, how it is written; and
 * what a change in the store says. Pure. */
#ifndef API_EVENT_TEXT_H
#define API_EVENT_TEXT_H
#include <stdbool.h>
#include <stdint.h>
#include "api/route.h"
#include "proto/watch.pb-c.h"

struct event {
    char type[16], action[192], scope[8];
    char *id, *from;   /* from: an image name, or NULL */
    char **attributes; /* key, value, …; sorted when written */
    int64_t time_ns;
};
void event_init(struct event *ev, const char *type, const char *action, const char *id,
                const char *scope, int64_t time_ns);
void event_attribute(struct event *ev, const char *key, const char *value);
void event_done(struct event *ev); /* frees its parts */
bool event_fits(const struct event *ev, const struct api_filters *f);
void event_write(const struct event *ev, struct buf *b); /* one line of JSON */
/* false: a change that nobody is told of. now: the time of a removal. */
bool event_of_object(const Pb__WatchMessage__Event *change, int64_t now, struct event *ret);
#endif
