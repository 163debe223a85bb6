/* api/lists.h - the filters of a list call as fields of its request: borrowed pointers into the
 * filters, freed after the request was packed. */
#ifndef API_LISTS_H
#define API_LISTS_H
#include "api/route.h"
#include "model/pb.h"

struct list_words { /* arrays that a request's filter fields point to */
    char **v;
    size_t n;
};
struct list_words list_words(const struct api_filters *f, const char *key);
void list_words_add(struct list_words *l, const struct api_filters *f,
                    const char *key);       /* more of the same */
void list_words_free(struct list_words *l); /* the array, not the words */

/* Is one of the values of key equal to word? True when there are none. */
bool list_fits_exact(const struct api_filters *f, const char *key, const char *word);
bool list_fits_prefix(const struct api_filters *f, const char *key, const char *word);
const char *list_label(void *arg /* Pb__Annotations, may be NULL */,
                       const char *key); /* for api_filters_labels */
#endif
