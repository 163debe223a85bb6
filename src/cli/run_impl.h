/* cli/run_impl.h - the flags of `run` and `create` and the request that they make. */
#ifndef CLI_RUN_IMPL_H
#define CLI_RUN_IMPL_H
#include <jansson.h>
#include "cli/command.h"

extern const struct flag run_flags[];
int run_request(struct cli *c, bool attach, json_t **ret);
#endif
