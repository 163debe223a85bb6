/* api/errors.c - errors as answers: gRPC codes to HTTP statuses, and which texts carry "rpc error:
 * code = … desc = …". */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "api/state.h"

unsigned api_status_of(enum rpc_code code)
{
    switch (code) {
    case RPC_INVALID_ARGUMENT:
    case RPC_FAILED_PRECONDITION:
    case RPC_OUT_OF_RANGE:
        return 400;
    case RPC_UNAUTHENTICATED:
        return 401;
    case RPC_PERMISSION_DENIED:
        return 403;
    case RPC_NOT_FOUND:
        return 404;
    case RPC_ALREADY_EXISTS:
        return 409;
    case RPC_UNIMPLEMENTED:
        return 501;
    case RPC_UNAVAILABLE:
        return 503;
    case RPC_OK:
    case RPC_CANCELLED:
    case RPC_UNKNOWN:
    case RPC_DEADLINE_EXCEEDED:
    case RPC_RESOURCE_EXHAUSTED:
    case RPC_ABORTED:
    case RPC_INTERNAL:
    case RPC_DATA_LOSS:
        break;
    }
    return 500;
}

void api_error(struct api_call *c, unsigned status, const char *fmt, ...)
{
    va_list ap;
    if (!c->rq || c->answered)
        return;
    va_start(ap, fmt);
    AUTO_FREE char *text = mem_vprintf(fmt, ap);
    va_end(ap);
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str(&w, "message", text);
    jw_end_object(&w);
    api_reply_json(c, status, &b);
}

void api_error_status(struct api_call *c, const struct rpc_status *st)
{
    api_error(c, api_status_of(st->code), "rpc error: code = %s desc = %s", rpc_code_name(st->code),
              st->message);
}

void api_error_unexpected(struct api_call *c, const struct err *e)
{
    api_error(c, 500, "%s", err_text(e));
}
