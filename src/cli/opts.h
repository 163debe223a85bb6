/* cli/opts.h - the grammars of flag values: numbers, sizes, labels, CSV records, secrets, mounts,
 * ports.
 *
 * Checks take a value and say 0, or -EINVAL with the sentence that follows 'invalid argument "…"
 * for "…" flag: '. Parsers give JSON as the engine's API wants it; the caller owns it. All pure,
 * except that env files are read. */
#ifndef CLI_OPTS_H
#define CLI_OPTS_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

int csv_record(const char *s, char ***ret_fields, struct err *e); /* one line of CSV; strv */
int parse_bool(const char *s, bool *ret, struct err *e);          /* Go's words for it */
int parse_int(const char *s, unsigned base, int64_t *ret, struct err *e);
int parse_uint(const char *s, unsigned base, unsigned bits, uint64_t *ret, struct err *e);
int parse_size(const char *s, int64_t *ret, struct err *e); /* 64m, 1GiB: powers of 1024 */
int parse_cpus(const char *s, int64_t *ret_nano, struct err *e);
int parse_cidr(const char *s, struct err *e);
char **split_words(const char *s,
                   struct err *e); /* as a shell would; NULL and e on an open quote */

int check_label(const char *s, struct err *e);
int check_env(const char *s, struct err *e);
int check_filter(const char *s, struct err *e);
int check_ip(const char *s, struct err *e);
int check_host(const char *s, struct err *e);
int check_generic(const char *s, struct err *e);
int check_secret(const char *s, struct err *e);
int check_config(const char *s, struct err *e);
int check_mount(const char *s, struct err *e);
int check_port(const char *s, struct err *e);
int check_pref(const char *s, struct err *e);
int check_ulimit(const char *s, struct err *e);
int check_credspec(const char *s, struct err *e);
int check_external_ca(const char *s, struct err *e);
int check_size(const char *s, struct err *e);
int check_cpus(const char *s, struct err *e);
int check_cidrs(const char *s, struct err *e);
int check_pem(const char *s, struct err *e);

/* {"File":{Name,UID,GID,Mode},"SecretName":…}; kind is "Secret" or "Config". The id is filled in by
 * the caller. */
int parse_file_reference(const char *s, const char *kind, json_t **ret, struct err *e);
int parse_mount(const char *s, json_t **ret, struct err *e);
int parse_ports(const char *s, json_t *into, struct err *e); /* appends port objects */
int parse_external_ca(const char *s, json_t **ret, struct err *e);
int parse_network_opt(const char *s, json_t **ret, struct err *e); /* {"Target":…,"Aliases":[…]} */
int parse_ulimit(const char *s, json_t **ret, struct err *e);

json_t *labels_object(const char *const *labels); /* k=v …; later ones win */
int env_from_files(const char *const *files, const char *const *env, json_t **ret, struct err *e);
#endif
