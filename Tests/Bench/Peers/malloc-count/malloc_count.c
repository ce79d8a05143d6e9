// Counts the allocations of a process: LD_PRELOAD=malloc_count.so MALLOC_COUNT_FILE=path program.
//
// The file holds `struct counters`, mapped shared, so that anyone can read it while the process runs. Frees are counted to
// show leaks, a realloc counts as one allocation (of which `reallocs` are a part).
// With MALLOC_TRACE_FILE, whoever writes N into `trace` of the mapped file gets a line of size and return addresses there
// for each of the next N allocations.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DEPTH = 48, LINE = 32 + DEPTH * 20 };

struct counters {
    _Atomic uint64_t allocations, reallocs, frees, bytes;
    _Atomic uint64_t trace;   // how many more allocations are to be traced; set by the reader
};

static struct counters early;
static struct counters *_Atomic counters = &early;
static int trace_file = -1;
static _Thread_local int inside;

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static int (*next_posix_memalign)(void **, size_t, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);
static void *(*next_memalign)(size_t, size_t);

// dlsym may itself allocate before the real functions are known.
static char arena[65536];
static _Atomic size_t arena_used;

static void *from_arena(size_t size) {
    size_t at = atomic_fetch_add(&arena_used, (size + 31) & ~(size_t)15);
    if (at + size + 16 > sizeof arena) abort();
    return arena + ((at + 15) & ~(size_t)15);
}

static int in_arena(const void *pointer) {
    return (const char *)pointer >= arena && (const char *)pointer < arena + sizeof arena;
}

static void resolve(void) {
    static _Thread_local int resolving;
    if (resolving) return;
    resolving = 1;
    next_calloc = dlsym(RTLD_NEXT, "calloc");
    next_realloc = dlsym(RTLD_NEXT, "realloc");
    next_free = dlsym(RTLD_NEXT, "free");
    next_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    next_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    next_memalign = dlsym(RTLD_NEXT, "memalign");
    next_malloc = dlsym(RTLD_NEXT, "malloc");
    resolving = 0;
}

static void trace(size_t size) {
    void *frames[DEPTH];
    char line[LINE];
    int count = backtrace(frames, DEPTH), length = snprintf(line, sizeof line, "%zu", size);
    for (int i = 2; i < count && length < LINE - 24; i++) length += snprintf(line + length, sizeof line - length, " %p", frames[i]);
    line[length++] = '\n';
    if (write(trace_file, line, length) != length) abort();
}

static void count(size_t size) {
    if (inside) return;
    struct counters *now = atomic_load_explicit(&counters, memory_order_relaxed);
    atomic_fetch_add_explicit(&now->allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&now->bytes, size, memory_order_relaxed);
    if (trace_file >= 0 && atomic_load_explicit(&now->trace, memory_order_relaxed) > 0) {
        atomic_fetch_sub_explicit(&now->trace, 1, memory_order_relaxed);
        int saved = errno;
        inside = 1;
        trace(size);
        inside = 0;
        errno = saved;
    }
}

__attribute__((constructor)) static void begin(void) {
    if (!next_malloc) resolve();
    const char *path = getenv("MALLOC_COUNT_FILE"), *traced = getenv("MALLOC_TRACE_FILE");
    if (!path) return;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, 4096) != 0) { perror(path); _exit(70); }
    struct counters *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) { perror(path); _exit(70); }
    memset(shared, 0, sizeof *shared);
    if (traced) {
        void *frame[2];
        backtrace(frame, 2);   // loads the unwinder, which allocates
        trace_file = open(traced, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
        if (trace_file < 0) { perror(traced); _exit(70); }
    }
    atomic_store(&counters, shared);
}

void *malloc(size_t size) {
    if (!next_malloc) { resolve(); if (!next_malloc) return from_arena(size); }
    count(size);
    return next_malloc(size);
}

void *calloc(size_t number, size_t size) {
    if (!next_calloc) { resolve(); if (!next_calloc) return from_arena(number * size); }
    count(number * size);
    return next_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    if (!next_realloc) resolve();
    if (in_arena(old)) {
        void *moved = malloc(size);
        size_t most = arena + sizeof arena - (char *)old;
        if (moved) memcpy(moved, old, size < most ? size : most);
        return moved;
    }
    count(size);
    if (!inside) atomic_fetch_add_explicit(&atomic_load(&counters)->reallocs, 1, memory_order_relaxed);
    return next_realloc(old, size);
}

void free(void *pointer) {
    if (!pointer || in_arena(pointer)) return;
    if (!next_free) resolve();
    if (!inside) atomic_fetch_add_explicit(&atomic_load(&counters)->frees, 1, memory_order_relaxed);
    next_free(pointer);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    if (!next_posix_memalign) resolve();
    count(size);
    return next_posix_memalign(out, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (!next_aligned_alloc) resolve();
    count(size);
    return next_aligned_alloc(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    if (!next_memalign) resolve();
    count(size);
    return next_memalign(alignment, size);
}
