/* cli/swarm_impl.h - what the two files of `keep swarm` share. */
#ifndef CLI_SWARM_IMPL_H
#define CLI_SWARM_IMPL_H
#include <jansson.h>
#include "cli/command.h"

#define HELP_CERT_EXPIRY "How long the certificates of nodes are valid (ns|us|ms|s|m|h)"
#define HELP_HEARTBEAT "How often nodes report to the managers (ns|us|ms|s|m|h)"
#define HELP_EXTERNAL_CA "Authorities outside that sign certificates"
#define HELP_MAX_SNAPSHOTS "How many older snapshots to keep as well"
#define HELP_SNAPSHOT_INTERVAL "Log entries between two snapshots"
#define HELP_TASK_HISTORY "How many old tasks to remember per slot"

extern const struct command cmd_swarm_ca, cmd_swarm_unlock, cmd_swarm_unlock_key;
int swarm_merge_flags(struct cli *c, json_t *spec);
int swarm_merge_cas(struct cli *c, json_t *ca_config);
int swarm_rotate(struct cli *c, json_t *swarm,
                 const char *what); /* sends the spec; what: worker, manager, key, "" */
void swarm_print_key(const char *key);
#endif
