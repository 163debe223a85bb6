/* cli/service_edit.h - the "-add" and "-rm" flags of `service update`: removal first, then
 * addition. */
#ifndef CLI_SERVICE_EDIT_H
#define CLI_SERVICE_EDIT_H
#include <jansson.h>
#include "cli/command.h"

void edit_map(struct cli *c, json_t *o, const char *key, const char *add, const char *rm);
void edit_set(struct cli *c, json_t *o, const char *key, const char *add,
              const char *rm); /* sorted, without doubles */
void edit_env(struct cli *c, json_t *container);
void edit_hosts(struct cli *c, json_t *container);
int edit_words(struct cli *c, json_t *container, const char *flag, const char *key);
int edit_mounts(struct cli *c, json_t *container);
int edit_ulimits(struct cli *c, json_t *container);
int edit_generic(struct cli *c, json_t *reservations);
int edit_placement(struct cli *c, json_t *task);
int edit_endpoint(struct cli *c, json_t *spec);
int edit_files(struct cli *c, json_t *container);
int edit_networks(struct cli *c, json_t *spec);
#endif
