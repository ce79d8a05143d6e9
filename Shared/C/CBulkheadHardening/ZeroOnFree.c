// free and realloc of this executable, and with it of every library in it: memory is zeroed before it goes back to the heap.
// Secrets pass through strings, buffers and TLS records whose owners do not know what they hold; none leaves a copy behind.
#define _GNU_SOURCE
#include "CBulkheadHardening.h"
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

extern void __libc_free(void *);

void free(void *memory) {
    if (memory == NULL) return;
    int error = errno;
    explicit_bzero(memory, malloc_usable_size(memory));
    __libc_free(memory);
    errno = error;
}

// A block never moves without being zeroed where it was. It stays where it is while it fits and is not mostly empty.
void *realloc(void *memory, size_t size) {
    if (memory == NULL) return malloc(size);
    if (size == 0) {
        free(memory);
        return NULL;
    }
    size_t room = malloc_usable_size(memory);
    if (size <= room && (size >= room / 2 || room <= 256)) {
        explicit_bzero((char *)memory + size, room - size);
        return memory;
    }
    void *moved = malloc(size);
    if (moved == NULL) return NULL;
    memcpy(moved, memory, size < room ? size : room);
    free(memory);
    return moved;
}

void *reallocarray(void *memory, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, bytes);
}
