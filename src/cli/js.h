/* cli/js.h - reading JSON by path, and writing it as Go programs do. */
#ifndef CLI_JS_H
#define CLI_JS_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

/* "A.B.C" walks objects; what is absent or null gives NULL, "", 0, false. Nothing is owned by the
 * caller. */
json_t *js_at(json_t *o, const char *path);
const char *js_str(json_t *o, const char *path);
int64_t js_int(json_t *o, const char *path);
double js_real(json_t *o, const char *path);
bool js_bool(json_t *o, const char *path);
size_t js_len(json_t *o, const char *path);
int64_t js_time(json_t *o, const char *path); /* ns since 1970; 0 when it is none */

void js_set_str(json_t *o, const char *key, const char *s); /* "" for NULL */
void js_push_str(json_t *array, const char *s);
json_t *js_sub(json_t *o, const char *key); /* the object of that key, made if need be */
json_t *js_list(json_t *o, const char *key);
json_t *js_strings(const char *const *v);
json_t *js_own(json_t *o); /* aborts on NULL: out of memory */
json_t *js_text(const char *s, size_t n);
const char **js_sorted_keys(json_t *o); /* NULL-terminated; free() it */

/* Compact, keys sorted unless keep_order, '<' '>' '&' as \u003c and so on: what Go's encoder
 * writes. */
void js_write(struct buf *b, json_t *v, bool keep_order);
/* Four blanks per level, the order and spelling of the source. Invalid JSON is copied as it is. */
void js_indent(struct buf *b, const char *json, size_t n, unsigned level);
#define AUTO_JSON __attribute__((cleanup(auto_json_)))
void auto_json_(json_t **p);
#endif
