/* base/trim.c - see trim.h. */
#include "base/trim.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18; older ones refuse it, and nothing is lost */
#endif

static int trim_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    const uintptr_t page = *(const uintptr_t *)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        /* Text only: read-only data may hold relocations, which are not in the file. */
        if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || (ph->p_flags & PF_W))
            continue;
        uintptr_t from = (uintptr_t)info->dlpi_addr + ph->p_vaddr;
        uintptr_t to = from + ph->p_memsz;
        from &= ~(page - 1);
        to = (to + page - 1) & ~(page - 1);
        madvise((void *)from, to - from, MADV_DONTNEED_LOCKED);
    }
    return 0;
}

void memory_trim(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    malloc_trim(0);
    dl_iterate_phdr(trim_object, &page);
}
