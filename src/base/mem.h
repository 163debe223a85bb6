/* base/mem.h - ordinary memory.
 *
 * Small allocations of our own making never return NULL: when the system has none left the process
 * says so and aborts, because a crash is the normal exit here and everything acknowledged is
 * durable (docs/adr/0003). Whatever has a size that a stranger chose is bounded first and taken
 * with mem_try, which may return NULL.
 *
 * AUTO_FREE frees a pointer at the end of its scope; TAKE(p) gives it away and leaves NULL. */
#ifndef BASE_MEM_H
#define BASE_MEM_H
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include "base/err.h"

void *mem_new(size_t size);                     /* zeroed */
void *mem_array(size_t n, size_t size);         /* zeroed; aborts on overflow */
void *mem_grow(void *p, size_t n, size_t size); /* realloc to n elements; new part not zeroed */
void *mem_try(size_t size);                     /* not zeroed; NULL when there is none */
char *mem_str(const char *s);                   /* copy; NULL for NULL */
char *mem_strn(const char *s, size_t n);        /* copy of at most n bytes, terminated */
char *mem_printf(const char *fmt, ...) PRINTF(1, 2);
char *mem_vprintf(const char *fmt, va_list ap);
void *mem_dup(const void *p, size_t n);

char **strv_dup(const char *const *v); /* NULL-terminated vectors; NULL gives NULL */
void strv_free(char **v);              /* NULL is fine */
size_t strv_len(const char *const *v); /* NULL is 0 */
void strv_push(char ***v, char *s);    /* takes s */

void auto_free_(void *p);
void auto_strv_(char ***p);
void auto_close_(int *fd);
void auto_fclose_(FILE **f);
#define AUTO_FREE __attribute__((cleanup(auto_free_)))
#define AUTO_STRV __attribute__((cleanup(auto_strv_)))
#define AUTO_CLOSE __attribute__((cleanup(auto_close_)))
#define AUTO_FCLOSE __attribute__((cleanup(auto_fclose_)))
#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) take_ = (p);                                                                 \
        (p) = NULL;                                                                                \
        take_;                                                                                     \
    })
#define TAKE_FD(fd)                                                                                \
    __extension__({                                                                                \
        int take_ = (fd);                                                                          \
        (fd) = -1;                                                                                 \
        take_;                                                                                     \
    })
#define NEW(type) ((type *)mem_new(sizeof(type)))
#endif
