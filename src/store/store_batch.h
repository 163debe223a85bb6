/* store/store_batch.h - what a batch does to the two views. Internal to the room. */
#ifndef STORE_STORE_BATCH_H
#define STORE_STORE_BATCH_H
#include "store/store_int.h"

void batch_to_tip(struct store_batch *b,
                  int64_t now);                 /* stamps; aborts on what the contract forbids */
void batch_to_committed(struct store_batch *b); /* in the order of the proposals */
void batch_take_back(struct store_batch *b);    /* of all that are pending, none may be left out */
void store_retire(struct store *s, enum store_kind k,
                  void *object); /* freed when control returns to the loop */
#endif
