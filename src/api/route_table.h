/* api/route_table.h - where requests enter this room. */
#ifndef API_ROUTE_TABLE_H
#define API_ROUTE_TABLE_H
#include "api/route.h"
void api_on_request(void *arg /* struct api */, struct http_request *rq);
#endif
