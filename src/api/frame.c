/* api/frame.c - see frame.h. */
#include "api/frame.h"

#include <stdint.h>
#include <string.h>

void frame_reserve(struct buf *b)
{
    static const char empty[FRAME_HEAD];
    buf_append(b, empty, sizeof(empty));
}

void frame_fill(struct buf *b, enum stream_fd fd)
{
    if (b->failed || b->len < FRAME_HEAD)
        return;
    uint32_t n = (uint32_t)(b->len - FRAME_HEAD);
    const unsigned char head[FRAME_HEAD] = {(unsigned char)fd,
                                            0,
                                            0,
                                            0,
                                            (unsigned char)(n >> 24),
                                            (unsigned char)(n >> 16),
                                            (unsigned char)(n >> 8),
                                            (unsigned char)n};
    memcpy(b->p, head, sizeof(head));
}

const char *frame_content_type(unsigned api_minor, bool tty)
{
    return !tty && api_minor >= 42 ? "application/vnd.docker.multiplexed-stream"
                                   : "application/vnd.docker.raw-stream";
}
