/* runtime/config_json.h - a container's configuration as JSON, to be found again after a restart.
 * Never a payload: those are not in it. */
#ifndef RUNTIME_CONFIG_JSON_H
#define RUNTIME_CONFIG_JSON_H
#include "base/buf.h"
#include "runtime/runtime.h"

enum { CONFIG_JSON_MAX = 8 << 20 };
struct config_record { /* what does not change but by a rename */
    char id[ID_HEX_SIZE];
    char image_id[IMAGE_ID_SIZE];
    int64_t created_ns;
    char **layers; /* of the image, lowest first: to mount again without asking */
    struct container_config *config;
};
struct state_record { /* what changes with its life */
    enum container_state state;
    int pid, exit_code;
    uint64_t
        pid_start; /* clock ticks since boot, as the kernel tells it: against reuse of the number */
    bool oom_killed;
    int64_t started_ns, finished_ns;
    char *error;
};
void config_json_write(const struct config_record *r, struct buf *ret);
MUST_CHECK int config_json_read(const char *text, size_t n, struct config_record *ret,
                                struct err *e);
void config_record_done(struct config_record *r);
void state_json_write(const struct state_record *s, struct buf *ret);
MUST_CHECK int state_json_read(const char *text, size_t n, struct state_record *ret,
                               struct err *e); /* error malloc'ed */
#endif
