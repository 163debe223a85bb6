/* control/invent_name.h - a name for a service whose user gave none: an adjective and the surname
 * of a scientist. */
#ifndef CONTROL_INVENT_NAME_H
#define CONTROL_INVENT_NAME_H
#include <stddef.h>
#include <stdint.h>

enum { INVENTED_NAME_SIZE = 48 };
/* The same random number gives the same name. Attempt 0 has no digit behind it, later ones one or
 * more. */
void invent_name(uint64_t random, unsigned attempt, char ret[INVENTED_NAME_SIZE]);
#endif
