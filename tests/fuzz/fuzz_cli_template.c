/* fuzz/fuzz_cli_template.c - output formats: what follows --format, run over an object, a list and
 * titles.
 *
 * fuzz-room: cli
 * A template that is refused must say why; one that was read may be run many times with the same
 * outcome. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *object(void)
{
    static json_t *o;
    if (!o)
        o = json_loads("{\"ID\":\"y2k0\",\"Name\":\"db_pwd\",\"CreatedAt\":\"2020-01-02T03:04:05."
                       "678Z\",\"N\":7,\"F\":1.5,"
                       "\"T\":true,\"Nil\":null,\"Labels\":{\"a\":\"b\",\"c\":\"d\"},\"List\":["
                       "\"x\",\"y\",{\"Name\":\"z\"}],"
                       "\"Spec\":{\"Name\":\"s\",\"Empty\":[],\"Deep\":{\"Er\":\"<&>\"}}}",
                       0, NULL);
    return o;
}

static int once(const struct template *t, const struct template_env *env, char **ret_text)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    struct err e = {0};
    int r = template_run(t, object(), env, &out, &e);
    if (r && !e.text[0])
        abort();
    *ret_text = buf_take(&out);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct template_env envs[] = {{.type = "secret.secretContext", .times = true},
                                               {.header = true},
                                               {.nils = true},
                                               {.type = NULL}};
    AUTO_FREE char *text = mem_strn((const char *)data, size);
    struct template *t = NULL;
    struct err e = {0};
    if (template_new(text, &t, &e)) {
        if (!e.text[0])
            abort();
        return 0;
    }
    for (size_t i = 0; i < sizeof(envs) / sizeof(*envs); i++) {
        AUTO_FREE char *a = NULL, *b = NULL;
        int ra = once(t, &envs[i], &a), rb = once(t, &envs[i], &b);
        if (ra != rb || (a != b && (!a || !b || strcmp(a, b) != 0)))
            abort();
    }
    template_free(t);
    return 0;
}
