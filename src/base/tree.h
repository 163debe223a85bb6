/* base/tree.h - ordered tables: libbsd's red-black trees (RB_HEAD, RB_INSERT, RB_NFIND …), usable
 * with our warnings. */
#ifndef BASE_TREE_H
#define BASE_TREE_H
#ifndef __unused /* libbsd's macros want it and define it nowhere on Linux */
#define __unused __attribute__((unused))
#endif
#include <bsd/sys/tree.h>
#endif
