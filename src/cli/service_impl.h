/* cli/service_impl.h - what the files of `keep service` share. */
#ifndef CLI_SERVICE_IMPL_H
#define CLI_SERVICE_IMPL_H
#include <jansson.h>
#include "base/buf.h"
#include "cli/command.h"

extern const struct command cmd_service_create, cmd_service_update, cmd_service_logs;
int service_fetch(struct cli *c, const char *ref, json_t **ret); /* without defaults */
/* Sends a spec, with the registry's credentials when --with-registry-auth asks for them. */
int service_send(struct cli *c, const char *path, json_t *spec, const char *image, json_t **ret);
char *service_update_path(json_t *service,
                          const char *more); /* "/services/ID/update?…version=N"; malloc'ed */
void service_pretty(struct cli *c, json_t *service, struct buf *out);
#endif
