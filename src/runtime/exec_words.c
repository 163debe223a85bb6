/* runtime/exec_words.c - why an exec did not begin: what the OCI runtime says, in the engine's
 * words. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime/internal.h"

enum { CODE_NOT_STARTED = 126 };

void exec_error(const struct runtime *rt, const char *word, const char *message, struct err *e,
                int *ret_code)
{
    static const char start[] = "OCI runtime exec failed: exec failed: ";
    AUTO_FREE char *text = mem_str(message);
    text[strcspn(text, "\n")] = '\0';
    *ret_code = CODE_NOT_STARTED;
    if (rt->is_crun && strstr(text, "executable file") && strstr(text, "not found")) {
        if (strchr(word, '/'))
            (void)err_set(e, -ENOENT,
                          "%sunable to start container process: exec: \"%.256s\": stat %.256s: no "
                          "such file or directory: unknown",
                          start, word, word);
        else
            (void)err_set(e, -ENOENT,
                          "%sunable to start container process: exec: \"%.256s\": executable file "
                          "not found in $PATH: unknown",
                          start, word);
    } else if (rt->is_crun && strstr(text, "executable") && strstr(text, "ermission denied")) {
        (void)err_set(
            e, -EACCES,
            "%sunable to start container process: exec: \"%.256s\": permission denied: unknown",
            start, word);
    } else if (str_starts(text, "exec failed: ")) {
        (void)err_set(e, -EIO, "OCI runtime exec failed: %.700s: unknown", text);
    } else {
        (void)err_set(e, -EIO, "%s%.700s: unknown", start,
                      text[0] ? text : "the runtime did not say why");
    }
}

/* The last message of the runtime's log of JSON lines. */
char *exec_read_log(const char *dir)
{
    AUTO_FREE char *path = mem_printf("%s/log", dir);
    AUTO_BUF struct buf b = BUF_INIT(CHILD_TEXT_MAX);
    char *text = NULL;
    if (buf_read_file(&b, path, NULL) != 0)
        return mem_str("");
    for (char *line = b.p; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        json_t *o = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        const char *level = json_string_value(json_object_get(o, "level"));
        const char *msg = json_string_value(json_object_get(o, "msg"));
        if (msg && str_eq(level, "error")) {
            free(text);
            text = mem_str(msg);
        }
        json_decref(o);
    }
    return text ? text : mem_str("");
}
