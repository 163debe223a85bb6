/* api/container_filter.h - which containers a list shows: the filters of GET /containers/json. */
#ifndef API_CONTAINER_FILTER_H
#define API_CONTAINER_FILTER_H
#include "api/route.h"
#include "runtime/runtime.h"

struct container_filter;
/* Reads ?all, ?limit and ?filters. 0, or an answer has been given. */
MUST_CHECK int container_filter_get(struct api_call *c, struct container_filter **ret);
void container_filter_free(struct container_filter *f);
bool container_filter_fits(struct container_filter *f, const struct container *c);
bool container_filter_full(const struct container_filter *f,
                           size_t shown); /* the limit is reached */
#endif
