/* rpc/rpc_status.h - a status on the wire: the text of grpc-message, the timeout header, HTTP/2's
 * error codes.
 *
 * Pure functions. Text is percent-encoded as gRPC says: bytes outside 0x20..0x7e, and '%', as %XX.
 */
#ifndef RPC_RPC_STATUS_H
#define RPC_RPC_STATUS_H
#include <stddef.h>
#include <stdint.h>
#include "rpc/rpc.h"

enum { RPC_TEXT_ENCODED = 3 * ERR_TEXT_MAX + 1, RPC_TIMEOUT_TEXT = 16 };

/* Encodes; what does not fit is left out at a whole character. Length without the NUL. */
size_t rpc_text_encode(const char *s, char ret[RPC_TEXT_ENCODED]);
/* Decodes n bytes; a '%' that starts no escape stays itself; cut at ERR_TEXT_MAX, never within a
 * UTF-8 character. */
void rpc_text_decode(const char *s, size_t n, char ret[ERR_TEXT_MAX]);
/* grpc-timeout: at most eight digits and a unit, so longer waits are given in a coarser one. */
void rpc_timeout_text(uint64_t ms, char ret[RPC_TIMEOUT_TEXT]);
/* What a stream that was reset without a status means. */
enum rpc_code rpc_code_of_reset(uint32_t http2_error);
/* What an answer that is not gRPC at all means, by its HTTP status. */
enum rpc_code rpc_code_of_http(unsigned http_status);
#endif
