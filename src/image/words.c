/* image/words.c - the words of a Dockerfile instruction. */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/changes.h"

enum { WORD_MAX = 1 << 20 };

/* Length of the piece at p that a blank does not end: quoted text, an escaped or a plain character.
 */
static size_t piece_len(const char *p)
{
    if (*p == '\\' && p[1])
        return 2;
    if (*p != '\'' && *p != '"')
        return 1;
    size_t n = 1;
    while (p[n] && p[n] != *p)
        n += *p == '"' && p[n] == '\\' && p[n + 1] ? 2 : 1;
    return p[n] ? n + 1 : n;
}

char **words_split(const char *s)
{
    char **words = NULL;
    for (;;) {
        s += strspn(s, " \t");
        if (!*s)
            return words;
        const char *start = s;
        while (*s && *s != ' ' && *s != '\t')
            s += piece_len(s);
        strv_push(&words, mem_strn(start, (size_t)(s - start)));
    }
}

char **words_json(const char *s)
{
    json_error_t je;
    json_t *v, *root = json_loads(s, JSON_REJECT_DUPLICATES, &je);
    size_t i;
    char **words = json_is_array(root) ? mem_array(json_array_size(root) + 1, sizeof *words) : NULL;
    json_array_foreach(root, i, v)
    {
        if (!json_is_string(v)) {
            strv_free(words);
            words = NULL;
            break;
        }
        words[i] = mem_str(json_string_value(v));
    }
    json_decref(root);
    return words;
}

static const char *env_value(const char *const *env, const char *name, size_t n)
{
    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

static size_t name_span(const char *p)
{
    size_t n = 0;
    if (!isalpha((unsigned char)*p) && *p != '_')
        return 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_')
        n++;
    return n;
}

/* p is just past '$'. Returns what was used; 0: the dollar stands for itself. */
static size_t expand_variable(struct buf *out, const char *p, const char *const *env)
{
    bool braces = *p == '{';
    const char *name = p + braces;
    size_t n = name_span(name);
    if (n == 0)
        return 0;
    const char *value = env_value(env, name, n);
    if (!braces) {
        buf_str(out, value ? value : "");
        return n;
    }
    const char *rest = name + n, *end = strchr(rest, '}');
    if (!end || (*rest != '}' && !str_starts(rest, ":-") && !str_starts(rest, ":+")))
        return 0;
    bool set = value && *value;
    if (*rest == '}' || (rest[1] == '-' && set))
        buf_str(out, value ? value : "");
    else if ((rest[1] == '-') != set)
        buf_append(out, rest + 2, (size_t)(end - rest - 2));
    return (size_t)(end - p) + 1;
}

char *words_expand(const char *word, const char *const *env)
{
    struct buf out = BUF_INIT(WORD_MAX);
    char quote = '\0';
    for (const char *p = word; *p; p++) {
        if (quote != '\'' && *p == '\\' && p[1]) {
            bool kept = quote == '"' && !strchr("\"\\$", p[1]);
            if (kept)
                buf_char(&out, '\\');
            buf_char(&out, *++p);
        } else if (quote != '\'' && *p == '$') {
            size_t used = expand_variable(&out, p + 1, env);
            if (used == 0)
                buf_char(&out, '$');
            p += used;
        } else if (*p == quote) {
            quote = '\0';
        } else if (!quote && (*p == '\'' || *p == '"')) {
            quote = *p;
        } else {
            buf_char(&out, *p);
        }
    }
    char *text = buf_take(&out);
    return text ? text : mem_str("");
}
