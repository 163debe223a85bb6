/* api/routes_local.h - handlers of this node's own routes (containers, exec, logs, images) and what
 * they share. */
#ifndef API_ROUTES_LOCAL_H
#define API_ROUTES_LOCAL_H
#include "api/route.h"
#include "image/image.h"
#include "runtime/runtime.h"

/* routes_container.c */
struct container *api_container(struct api_call *c); /* of the first parameter; NULL: answered */
void api_error_runtime(struct api_call *c, int r,
                       const struct err *e); /* an outcome of runtime/runtime.h, or a failure */
void api_container_list(struct api_call *c);
void api_container_inspect(struct api_call *c);
void api_container_start(struct api_call *c);
void api_container_stop(struct api_call *c);
void api_container_kill(struct api_call *c);
void api_container_pause(struct api_call *c);
void api_container_unpause(struct api_call *c);
void api_container_remove(struct api_call *c);
void api_container_rename(struct api_call *c);
void api_container_wait(struct api_call *c);
void api_container_changes(struct api_call *c);

/* routes_exec.c */
void api_exec_create(struct api_call *c);
void api_exec_start(struct api_call *c);
void api_exec_resize(struct api_call *c);
void api_exec_inspect(struct api_call *c);
void api_container_attach(struct api_call *c);
void api_container_resize(struct api_call *c);

/* routes_logs.c */
void api_container_logs(struct api_call *c);

/* routes_image.c, routes_image_in.c */
void api_error_image(struct api_call *c, int r, const struct err *e, const char *ref);
void api_image_list(struct api_call *c);
void api_image_inspect(struct api_call *c);
void api_image_tag(struct api_call *c);
void api_image_remove(struct api_call *c);
void api_image_create(struct api_call *c); /* pull, import */
void api_image_load(struct api_call *c);

/* local_routes.c */
void api_not_yet(struct api_call *c); /* 501 with words: known to the engine, not to this version */
#endif
