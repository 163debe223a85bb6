/* cli/progress.h - lines that are redrawn in place on a terminal, and waiting for a service to
 * settle.
 *
 * Each line has a name. On a terminal a line keeps its place and is drawn over; elsewhere what
 * counts ("Loading layer 3/7") is left out and every other line is printed as it comes. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "cli/command.h"

enum { LINES_MAX = 256, LINE_NAME = 80 };
struct lines {
    FILE *out;
    bool tty, quiet;
    unsigned columns;
    size_t n;
    char names[LINES_MAX][LINE_NAME];
};
struct line_state {
    const char *name, *status;
    int64_t current, total; /* 0: no bar */
    bool counts;            /* show "3MB/7MB" */
    bool plain;             /* never drawn over */
};
void lines_init(struct lines *l, FILE *out, bool quiet);
void lines_draw(struct lines *l, const struct line_state *s);
/* Draws the messages of pull, load, import; -EIO when one is an error (in c->err). */
int lines_message(struct cli *c, struct lines *l, json_t *message);

/* The counting behind `overall progress`; no clock, no network. */
struct rollout {
    bool begun, done, rollback;
    int slots[1024]; /* a slot's line: the index is the line, less one */
    size_t nslots;
    size_t expected_nodes;
};
/* One look at a service: draws and says whether all that should run does run; *ret_job for job
 * modes. 0 or negative. */
int rollout_step(struct cli *c, struct rollout *r, struct lines *l, json_t *service, json_t *tasks,
                 json_t *active_nodes, bool *ret_converged);
#endif
