/* api/container_json.h - a container as the Engine API shows it: list entry, inspection, the words
 * of its status. Pure over its arguments. */
#ifndef API_CONTAINER_JSON_H
#define API_CONTAINER_JSON_H
#include "base/jw.h"
#include "runtime/runtime.h"

void container_json_list_entry(struct jw *w, const struct container *c, int64_t now_ns);
void container_json_inspect(struct jw *w, const struct container *c, const char *runtime_name);
/* "Up 5 seconds", "Exited (0) 3 minutes ago" */
void container_status_text(const struct container *c, int64_t now_ns, struct buf *out);
/* The engine's words for a length of time: "Less than a second", "About a minute", "3 weeks". */
void human_duration(int64_t ns, struct buf *out);
#endif
