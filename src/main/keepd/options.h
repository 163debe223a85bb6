/* main/keepd/options.h - keepd's command line and configuration file, said as values. Flag names
 * are dockerd's where it has them.
 *
 * The file (JSON, --config-file) knows: hosts, data-root, exec-root, pidfile, group, debug, bip,
 * labels. A key that is unknown, of a wrong type, or also given as a flag is refused with its name,
 * as dockerd does. */
#ifndef MAIN_KEEPD_OPTIONS_H
#define MAIN_KEEPD_OPTIONS_H
#include <stdbool.h>
#include "base/err.h"

enum { KEEPD_HOSTS_MAX = 16 };
struct keepd_options {
    char **hosts; /* unix://PATH, fd:// */
    char *data_root, *exec_root, *pidfile, *config_file, *group, *subnet, *manager_user,
        *cgroup_parent;
    bool debug;
};
enum { OPTIONS_HELP = 1, OPTIONS_VERSION };

/* 0 and filled in with defaults; OPTIONS_HELP / OPTIONS_VERSION: print and end; negative with words
 * that name the flag. */
MUST_CHECK int keepd_options_parse(int argc, char **argv, struct keepd_options *ret, struct err *e);
void keepd_options_done(struct keepd_options *o);
extern const char keepd_usage[];
#endif
