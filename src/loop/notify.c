/* loop/notify.c - one datagram to $NOTIFY_SOCKET. */
#include "loop/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/mem.h"

int notify_send(const char *state, struct err *e)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!path || !*path)
        return NOTIFY_NOBODY;
    size_t n = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || n >= sizeof(a.sun_path))
        return err_set(e, -EINVAL, "NOTIFY_SOCKET '%s' is not a socket's address", path);
    memcpy(a.sun_path, path, n);
    if (path[0] == '@') /* Linux's abstract names begin with a zero byte */
        a.sun_path[0] = 0;
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, errno, "notify the service manager");
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&a, len) < 0)
        return err_sys(e, errno, "notify the service manager at '%s'", path);
    return 0;
}
