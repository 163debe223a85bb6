/* fuzz/fuzz_secret_body.c - the streaming reader of secret bodies against any bytes in any pieces.
 * fuzz-room: http
 *
 * Besides not crashing: the same bytes whole and cut must give the same answer, and what was
 * decoded must be in no ordinary text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "http/secret_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    int r;
    char text[ERR_TEXT_MAX];
    json_t *rest;
    struct secret_buf *payload;
};

static struct result read_in_pieces(const uint8_t *data, size_t size, size_t piece)
{
    struct result res = {.r = 0};
    struct err e = {""};
    struct secret_body *b = secret_body_new("SecretSpec", "swarm.SecretSpec", 0);
    for (size_t i = 0; i < size; i += piece) {
        size_t n = size - i < piece ? size - i : piece;
        char *copy = mem_dup(data + i, n); /* a read past the piece is seen */
        int over = secret_body_step(b, copy, n);
        free(copy);
        if (over)
            break;
    }
    res.r = secret_body_end(b, &res.rest, &e);
    memcpy(res.text, e.text, sizeof(res.text));
    res.payload = secret_body_take(b);
    secret_body_free(b);
    return res;
}

static void done(struct result *r)
{
    json_decref(r->rest);
    secret_buf_free(r->payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int open = 0;
    struct err e;
    if (!open && secret_arena_open(8 << 20, &e) != 0)
        abort();
    open = 1;
    struct result whole = read_in_pieces(data, size, size ? size : 1),
                  cut = read_in_pieces(data, size, size ? 1 + data[0] % 7 : 1);
    if (whole.r != cut.r || strcmp(whole.text, cut.text) != 0 ||
        !json_equal(whole.rest, cut.rest) != !whole.rest)
        abort();
    if (!whole.payload != !cut.payload ||
        (whole.payload && !secret_buf_equal(whole.payload, cut.payload)))
        abort();
    done(&whole);
    done(&cut);
    return 0;
}
