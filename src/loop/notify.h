/* loop/notify.h - tells the service manager, by the protocol of sd_notify(3), how far we are. */
#ifndef LOOP_NOTIFY_H
#define LOOP_NOTIFY_H
#include "base/err.h"

enum { NOTIFY_NOBODY = 1 }; /* not started by a service manager that wants to know */
/* "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=…", "MAINPID=…", lines joined by newlines. 0,
 * NOTIFY_NOBODY, or an error. */
int notify_send(const char *state, struct err *e);
#endif
