/* model/name.h - which names objects may have. Each returns NULL when the name is good, else the
 * reason in the words that clients know (an InvalidArgument). Uniqueness is not looked at: that is
 * the store's. */
#ifndef MODEL_NAME_H
#define MODEL_NAME_H

const char *name_check_service(const char *name); /* networks too: a DNS label of at most 63 */
const char *name_check_secret(const char *name);  /* configs too: at most 64 of [a-zA-Z0-9-_.] */
const char *name_check_cluster(const char *name);
/* An image reference: NULL, or the reason ("ContainerSpec: image reference must be provided", …;
 * static or cut to fit `ret`). */
enum { NAME_REASON_SIZE = 512 };
const char *name_check_image(const char *reference, char ret[NAME_REASON_SIZE]);
#endif
