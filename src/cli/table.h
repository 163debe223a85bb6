/* cli/table.h - text with tabs laid out in columns: at least ten wide, three blanks between. Pure.
 *
 * A cell ends with a tab; what follows the last tab of a line is not padded. A column is as wide as
 * its widest cell within consecutive lines that have it, so that one long line does not widen a
 * table elsewhere. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H
#include "base/buf.h"

void table_layout(const char *text, unsigned least, unsigned gap, struct buf *out);
size_t text_width(const char *s, size_t n); /* characters, not bytes */
#endif
