/* api/frame.h - the engine's multiplexed stream: eight bytes before each piece say which stream it
 * is and how long. engine-api 5.2. */
#ifndef API_FRAME_H
#define API_FRAME_H
#include <stdbool.h>
#include "base/buf.h"
#include "runtime/runtime.h"

enum { FRAME_HEAD = 8 };
void frame_reserve(struct buf *b); /* room for the head at the start of an empty buffer */
void frame_fill(struct buf *b, enum stream_fd fd); /* writes it, once the payload is behind it */
const char *frame_content_type(unsigned api_minor,
                               bool tty); /* multiplexed is announced from 1.42 on */
#endif
