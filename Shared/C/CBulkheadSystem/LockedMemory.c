#define _GNU_SOURCE
#include "CBulkheadSystem.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_DONTDUMP
#define MADV_DONTDUMP 16
#endif

void *bh_guarded_map(size_t bytes, int *lock_error) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = (bytes + page - 1) / page * page;
    char *base = mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return NULL;
    char *memory = base + page;
    if (mprotect(memory, whole, PROT_READ | PROT_WRITE) != 0) {
        munmap(base, whole + 2 * page);
        return NULL;
    }
    *lock_error = mlock(memory, whole) == 0 ? 0 : errno;
    // Hints beyond the locks: a kernel without them is no reason to fail.
    madvise(memory, whole, MADV_DONTDUMP);
    madvise(memory, whole, MADV_DONTFORK);
    return memory;
}

void bh_guarded_unmap(void *memory, size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = (bytes + page - 1) / page * page;
    explicit_bzero(memory, whole);
    munmap((char *)memory - page, whole + 2 * page);
}
