/* cli/prune_impl.h - the prune commands, for the groups that hold them. */
#ifndef CLI_PRUNE_IMPL_H
#define CLI_PRUNE_IMPL_H
#include "cli/command.h"
extern const struct command cmd_image_prune, cmd_container_prune, cmd_network_prune,
    cmd_volume_prune;
#endif
