/* http/json.h - reading request bodies the engine's way: member names without regard to case, type
 * errors in its decoder's words.
 *
 * json_body_parse checks and reads one JSON value. A struct json_in then collects the first type
 * error of a walk through it, as the engine does: the walk goes on, the caller looks at the end. A
 * struct json_at is one object on the way: its Go type's name and the path of members to it make
 * the words "json: cannot unmarshal string into Go struct field
 * ContainerSpec.TaskTemplate.ContainerSpec.TTY of type bool". null and absent are the same
 * everywhere. Strings that are returned are borrowed from the JSON unless said otherwise. Limits:
 * the caller bounds the text; depth JSON_SCAN_DEPTH; a string holds no NUL. Not for bodies with
 * secrets: http/secret_body.h. */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum { JSON_BODY_EMPTY = 1 };
/* 0; JSON_BODY_EMPTY: nothing but white space; -EINVAL with the words. What follows the first value
 * is ignored. */
MUST_CHECK int json_body_parse(const char *p, size_t n, json_t **ret, struct err *e);

struct json_in {
    struct err e;
    bool failed;
};
struct json_at {
    struct json_in *in;
    const json_t *o;  /* an object; NULL: absent, every member of it is absent too */
    const char *type; /* the Go struct's short name, "ContainerSpec" */
    const struct json_at *up;
    const char *key; /* its name in `up` */
};
/* The root of a walk. v not an object: "json: cannot unmarshal array into Go value of type
 * swarm.SecretSpec" (go_type). */
struct json_at json_at_root(struct json_in *in, const json_t *v, const char *go_type);

json_t *json_at_any(const struct json_at *at,
                    const char *key); /* as it is; NULL when absent or null */
const char *json_at_str(const struct json_at *at, const char *key); /* "" when absent */
char *json_at_dup(const struct json_at *at, const char *key);       /* malloc'ed; "" when absent */
int64_t json_at_int(const struct json_at *at, const char *key, int64_t otherwise,
                    const char *go_type /* "int64" */);
uint64_t json_at_uint(const struct json_at *at, const char *key, uint64_t max, const char *go_type,
                      bool *ret_present /* may be NULL */);
double json_at_real(const struct json_at *at, const char *key, const char *go_type);
bool json_at_bool(const struct json_at *at, const char *key);
int json_at_tristate(const struct json_at *at, const char *key); /* -1 absent, 0, 1 */
bool json_at_object(const struct json_at *at, const char *key, const char *type,
                    const char *go_type, struct json_at *ret); /* true: there is one */
/* An array of strings: malloc'ed vector of malloc'ed strings, *ret_n of them (not NULL-terminated;
 * NULL for none). */
char **json_at_strings(const struct json_at *at, const char *key, size_t *ret_n);
char **json_at_strv(const struct json_at *at,
                    const char *key); /* NULL-terminated; NULL when absent */
/* An array of objects: how many; then each with json_at_element. */
size_t json_at_array(const struct json_at *at, const char *key,
                     const char *go_type /* "[]swarm.SecretReference" */, json_t **ret);
bool json_at_element(const struct json_at *at, const char *key, const json_t *array, size_t i,
                     const char *type, const char *go_type, struct json_at *ret);
/* map[string]string: calls put for every pair, in order. */
void json_at_map(const struct json_at *at, const char *key,
                 void (*put)(void *arg, const char *k, const char *v), void *arg);
void json_at_fail(const struct json_at *at, const char *key, const json_t *v,
                  const char *go_type); /* notes the type error */
#endif
