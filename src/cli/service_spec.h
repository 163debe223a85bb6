/* cli/service_spec.h - the parts of a service's spec that `service create` and `service update`
 * both set.
 *
 * Each function changes only what its flags name, so that create may start from an empty spec and
 * update from the one that the engine gave. */
#ifndef CLI_SERVICE_SPEC_H
#define CLI_SERVICE_SPEC_H
#include <jansson.h>
#include "cli/command.h"

void spec_int(json_t *o, const char *key, int64_t v);
int spec_restart(struct cli *c, json_t *task);
int spec_rollout(struct cli *c, json_t *spec, const char *prefix,
                 const char *key); /* "update", "UpdateConfig" */
int spec_health(struct cli *c, json_t *container);
void spec_resources(struct cli *c, json_t *task);
void spec_log_driver(struct cli *c, json_t *task);
int spec_generic(const char *const *values, json_t *reservations, struct err *e);
void spec_strings(struct cli *c,
                  json_t *container); /* hostname, user, dir, signal and their like */
void spec_capabilities(struct cli *c, json_t *container);
int spec_credential(struct cli *c, json_t *container);
char *host_entry(const char *flag); /* "a:1.2.3.4" as "1.2.3.4 a"; malloc'ed */
/* Looks the names up; gives an array of references with ids. NULL: c->err says what is missing. */
json_t *spec_files(struct cli *c, const char *const *values, const char *kind);
int spec_networks(struct cli *c, const char *const *values, json_t **ret);
/* Asks the registry for the image's digest; *ret_warn when it cannot be had. */
int spec_image_digest(struct cli *c, json_t *spec, bool *ret_warn);
void warn_no_digest(const char *image);
char *image_with_tag(const char *image); /* ":latest" where a tag is missing; malloc'ed */
char *image_full_name(const char *image, char **ret_tag,
                      struct err *e); /* "docker.io/library/redis"; malloc'ed */

#define FLAGS_SERVICE_COMMON_A                                                                     \
    {.name = "cap-add", .type = "list", .help = "Give Linux capabilities"},                        \
    {                                                                                              \
        .name = "cap-drop", .type = "list", .help = "Take Linux capabilities away"                 \
    }
#define FLAG_CREDSPEC                                                                              \
    {                                                                                              \
        .name = "credential-spec", .type = "credential-spec",                                      \
        .help = "Managed service account (Windows only)"                                           \
    }
#define FLAG_DETACH                                                                                \
    {                                                                                              \
        .name = "detach", .letter = 'd', .help = "Do not wait until the service runs as it should" \
    }
#define FLAG_ENTRYPOINT                                                                            \
    {                                                                                              \
        .name = "entrypoint", .type = "command",                                                   \
        .help = "Run this instead of the image's ENTRYPOINT"                                       \
    }
#define FLAGS_HEALTH                                                                               \
    {.name = "health-cmd",                                                                         \
     .type = "string",                                                                             \
     .help = "Command that tells whether the container is well"},                                  \
        {.name = "health-interval",                                                                \
         .type = "duration",                                                                       \
         .help = "Time between two checks (ms|s|m|h)"},                                            \
        {.name = "health-retries",                                                                 \
         .type = "int",                                                                            \
         .help = "How many failures in a row make it unhealthy"},                                  \
        {.name = "health-start-interval",                                                          \
         .type = "duration",                                                                       \
         .api = "1.44",                                                                            \
         .help = "Time between two checks during the start period (ms|s|m|h)"},                    \
        {.name = "health-start-period",                                                            \
         .type = "duration",                                                                       \
         .help = "Time to start in, when failures do not count (ms|s|m|h)"},                       \
    {                                                                                              \
        .name = "health-timeout", .type = "duration",                                              \
        .help = "How long one check may take (ms|s|m|h)"                                           \
    }
#define FLAG_HOSTNAME                                                                              \
    {                                                                                              \
        .name = "hostname", .type = "string", .help = "Host name inside the container"             \
    }
#define FLAGS_INIT_ISOLATION                                                                       \
    {.name = "init", .help = "Run an init in each container, which passes signals on and reaps"},  \
    {                                                                                              \
        .name = "isolation", .type = "string", .help = "How the container is isolated (Windows)"   \
    }
#define FLAGS_LIMITS                                                                               \
    {.name = "limit-cpu", .type = "decimal", .help = "Most CPUs to use"},                          \
        {.name = "limit-memory", .type = "bytes", .help = "Most memory to use"},                   \
        {.name = "limit-pids",                                                                     \
         .type = "int",                                                                            \
         .help = "Most processes to have (default 0 = unlimited)",                                 \
         .api = "1.41"},                                                                           \
        {.name = "log-driver", .type = "string", .help = "Where the service's output goes"},       \
        {.name = "log-opt", .type = "list", .help = "Options of that log driver"},                 \
    {                                                                                              \
        .name = "max-concurrent", .type = "uint", .api = "1.41",                                   \
        .help = "How many tasks of a job run at once (default equal to --replicas)"                \
    }
#define FLAGS_NO_HEALTH_RESOLVE                                                                    \
    {.name = "no-healthcheck", .help = "Ignore the HEALTHCHECK of the image"},                     \
        {.name = "no-resolve-image", .help = "Do not ask the registry for digest and platforms"},  \
    {                                                                                              \
        .name = "oom-score-adj", .type = "int64",                                                  \
        .help = "Preference of the kernel's OOM killer (-1000 to 1000)", .api = "1.46"             \
    }
#define FLAG_QUIET_PROGRESS                                                                        \
    {                                                                                              \
        .name = "quiet", .letter = 'q', .help = "Show no progress"                                 \
    }
#define FLAGS_ROOT_REPLICAS                                                                        \
    {.name = "read-only", .help = "The container cannot write to its root file system"},           \
        {.name = "replicas", .type = "uint", .help = "How many tasks"},                            \
        {.name = "replicas-max-per-node",                                                          \
         .type = "uint",                                                                           \
         .api = "1.40",                                                                            \
         .help = "Most tasks on one node (default 0 = unlimited)"},                                \
        {.name = "reserve-cpu", .type = "decimal", .help = "CPUs to set aside"},                   \
    {                                                                                              \
        .name = "reserve-memory", .type = "bytes", .help = "Memory to set aside"                   \
    }
#define FLAGS_RESTART(d1, d2)                                                                      \
    {.name = "restart-condition",                                                                  \
     .type = "string",                                                                             \
     .def = d1,                                                                                    \
     .help = "When to start a task again (\"none\", \"on-failure\", \"any\")"},                    \
        {.name = "restart-delay",                                                                  \
         .type = "duration",                                                                       \
         .help = "Time before that (ns|us|ms|s|m|h)",                                              \
         .def = d2},                                                                               \
        {.name = "restart-max-attempts",                                                           \
         .type = "uint",                                                                           \
         .help = "How many starts before giving up"},                                              \
    {                                                                                              \
        .name = "restart-window", .type = "duration",                                              \
        .help = "Time over which starts are counted (ns|us|ms|s|m|h)"                              \
    }
#define FLAGS_ROLLOUT(word, what, actions, d_delay, d_action, d_monitor, d_order, d_parallel)      \
    {.name = word "-delay",                                                                        \
     .type = "duration",                                                                           \
     .help = "Time between two tasks of " what " (ns|us|ms|s|m|h)",                                \
     .def = d_delay},                                                                              \
        {.name = word "-failure-action",                                                           \
         .type = "string",                                                                         \
         .help = "What to do when " what " fails (" actions ")",                                   \
         .def = d_action},                                                                         \
        {.name = word "-max-failure-ratio",                                                        \
         .type = "float",                                                                          \
         .help = "Share of failures that " what " may have",                                       \
         .def = "0"},                                                                              \
        {.name = word "-monitor",                                                                  \
         .type = "duration",                                                                       \
         .def = d_monitor,                                                                         \
         .help = "How long each task of " what " is watched for failure (ns|us|ms|s|m|h)"},        \
        {.name = word "-order",                                                                    \
         .type = "string",                                                                         \
         .def = d_order,                                                                           \
         .help = "Order of stopping and starting (\"start-first\", \"stop-first\")"},              \
    {                                                                                              \
        .name = word "-parallelism", .type = "uint", .def = d_parallel,                            \
        .help = "How many tasks of " what " at once (0: all)"                                      \
    }
#define FLAGS_ROLLBACKS(d, a, m, o, p)                                                             \
    FLAGS_ROLLOUT("rollback", "a rollback", "\"pause\", \"continue\"", d, a, m, o, p)
#define FLAGS_UPDATES(d, a, m, o, p)                                                               \
    FLAGS_ROLLOUT("update", "an update", "\"pause\", \"continue\", \"rollback\"", d, a, m, o, p)
#define FLAGS_STOP(d)                                                                              \
    {.name = "stop-grace-period",                                                                  \
     .type = "duration",                                                                           \
     .def = d,                                                                                     \
     .help = "Time between the stop signal and the kill (ns|us|ms|s|m|h)"},                        \
    {                                                                                              \
        .name = "stop-signal", .type = "string", .help = "Signal that asks a container to stop"    \
    }
#define FLAGS_USER_AUTH_DIR                                                                        \
    {.name = "user",                                                                               \
     .letter = 'u',                                                                                \
     .type = "string",                                                                             \
     .help = "User name or id (format: <name|uid>[:<group|gid>])"},                                \
        {.name = "with-registry-auth", .help = "Give the registry's credentials to the nodes"},    \
    {                                                                                              \
        .name = "workdir", .letter = 'w', .type = "string",                                        \
        .help = "Working directory in the container"                                               \
    }
#define FLAG_TTY                                                                                   \
    {                                                                                              \
        .name = "tty", .letter = 't', .help = "Allocate a pseudo-TTY"                              \
    }
#endif
