/* fuzz/fuzz_rpc_session.c - bytes from a stranger into a session.
 *
 * The first byte of the input chooses: bit 0 server or client, bit 1 the HTTP/2 preface is put in
 * front (so that the fuzzer gets past it), bits 2..4 how large the pieces are that the bytes arrive
 * in. The server answers every whole request. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/control.pb-c.h"
#include "rpc/methods.h"
#include "rpc/rpc_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rpc_stream *on_open(void *owner)
{
    (void)owner;
    return NEW(struct rpc_stream);
}

static const struct rpc_method *on_path(struct rpc_stream *st, const char *path, size_t n,
                                        struct rpc_status *why)
{
    static const struct rpc_method *const methods[] = {
        &rpc_method_control_create_service, &rpc_method_control_list_tasks, &rpc_method_watch_watch,
        &rpc_method_dispatcher_update_task_status, &rpc_method_log_broker_publish_logs};
    (void)st;
    if (n == 2 && path[1] >= '0' && path[1] < '5')
        return methods[path[1] - '0'];
    rpc_status_set(why, RPC_UNIMPLEMENTED, "unknown %.*s", (int)(n < 64 ? n : 64), path);
    return NULL;
}

static void answer(struct rpc_stream *st)
{
    Pb__ListTasksResponse res = PB__LIST_TASKS_RESPONSE__INIT;
    struct rpc_bytes *b = NULL;
    if (rpc_bytes_pack(&res.base, false, &b) == 0)
        rpc_stream_send(st, b);
    rpc_stream_status(st, 0, NULL);
}

static void on_message(struct rpc_stream *st, ProtobufCMessage *m, struct rpc_chunk *memory)
{
    (void)st;
    protobuf_c_message_get_packed_size(m); /* reads all of it */
    rpc_chunks_free(memory);
}

static void nothing(struct rpc_stream *st)
{
    (void)st;
}

static void nothing_of(void *owner)
{
    (void)owner;
}

static void on_closed(struct rpc_stream *st, uint32_t error)
{
    (void)error;
    rpc_stream_detach(st);
    free(st);
}

static const struct rpc_session_ops ops = {
    .on_open = on_open,
    .on_path = on_path,
    .on_message = on_message,
    .on_peer_ended = answer,
    .on_drained = nothing,
    .on_closed = on_closed,
    .on_goaway = nothing_of,
    .on_dirty = nothing_of,
};

static void begin_calls(struct rpc_session *s)
{
    Pb__ListTasksRequest r = PB__LIST_TASKS_REQUEST__INIT;
    const struct rpc_method *m[] = {&rpc_method_control_list_tasks, &rpc_method_watch_watch};
    for (int i = 0; i < 2; i++) {
        struct rpc_stream *st = NEW(struct rpc_stream);
        struct rpc_bytes *b = NULL;
        if (rpc_session_call(s, st, m[i], 1000)) {
            free(st);
            continue;
        }
        if (rpc_bytes_pack(&r.base, false, &b) == 0)
            rpc_stream_send(st, b);
        rpc_stream_end(st);
    }
}

static int pump(struct rpc_session *s)
{
    int r = rpc_session_pump(s, NULL);
    struct rpc_out *out = rpc_session_out(s);
    rpc_out_consume(out, out->total);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct rpc_session *s = NULL;
    if (!size)
        return 0;
    unsigned how = *data++;
    size--;
    bool server = !(how & 1);
    size_t step = (size_t)1 << (how >> 2 & 7) * 2;
    if (rpc_session_new(server, &ops, NULL, &s))
        return 0;
    if (!server)
        begin_calls(s);
    int r = pump(s);
    if (!r && server && (how & 2))
        r = rpc_session_feed(s, (const uint8_t *)preface, sizeof(preface) - 1, NULL);
    while (!r && size) {
        size_t n = size < step ? size : step;
        r = rpc_session_feed(s, data, n, NULL);
        data += n;
        size -= n;
        if (!r)
            r = pump(s);
    }
    struct rpc_stream *st;
    while ((st = rpc_session_first(s)))
        on_closed(st, 0);
    rpc_session_free(s);
    return 0;
}
