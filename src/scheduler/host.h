/* scheduler/host.h - what the scheduler knows of one node while it decides: what is used, and
 * whether a task fits. Private to the room. */
#ifndef SCHEDULER_HOST_H
#define SCHEDULER_HOST_H
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "proto/swarm.pb-c.h"

enum filter {
    FILTER_READY,
    FILTER_RESOURCES,
    FILTER_PLUGINS,
    FILTER_CONSTRAINTS,
    FILTER_PLATFORM,
    FILTER_PORTS,
    FILTER_MAX_REPLICAS,
    FILTERS
};

struct host {
    const Pb__Node *node;
    int64_t cpus, memory; /* free */
    uint64_t active;      /* tasks that are meant to run here */
    uint64_t *ports;      /* host-mode ports in use: port, with the protocol above it */
    size_t n_ports;
    struct {
        char *kind, *value; /* generic resources that are free: one by name, or a number of them */
        int64_t count;
    } * generic;
    size_t n_generic;
    /* for the group at hand */
    uint64_t of_service;
    enum filter fixed;  /* the first filter it fails of those that no placement changes */
    unsigned failures;  /* recent, of this version of the service */
    uint32_t branch[8]; /* which branch of each level of the spread it belongs to */
};
enum { HOST_SPREAD_MAX = 8, HOST_FAILURES_BAD = 5 };
#define HOST_FAILURE_WINDOW_NS (5 * 60 * 1000000000LL)

void host_init(struct host *h, const Pb__Node *n);
void host_done(struct host *h);
void host_take(struct host *h, const Pb__Task *t); /* counts what the task uses */
void host_claim(struct host *h,
                Pb__Task *t); /* gives generic resources to a task that was just placed here */
enum filter host_filter_fixed(const struct host *h, const Pb__Task *t);
/* The first filter that it fails, after h->fixed was set for the task's group; FILTERS: it fits. */
enum filter host_filter(const struct host *h, const Pb__Task *t);

struct why_not {
    uint64_t n[FILTERS];
};
/* "scheduling constraints not satisfied on 2 nodes; 1 node not available for new tasks": most
 * first. */
void why_not_explain(const struct why_not *w, struct buf *b);
#endif
