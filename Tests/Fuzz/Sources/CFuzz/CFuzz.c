#define _GNU_SOURCE
#include "CFuzz.h"
#include "CBulkheadSystem.h"
#include "CBulkheadWire.h"
#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>
#include <time.h>

extern int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const uint8_t *, size_t));
extern int __real_clock_gettime(clockid_t clock, struct timespec *value);

int fuzz_drive(int argc, char **argv, int (*one)(const uint8_t *, size_t)) { return LLVMFuzzerRunDriver(&argc, &argv, one); }

static uint64_t monotonic;

void fuzz_clock_set(uint64_t nanoseconds) { monotonic = nanoseconds; }

/* The linker sends every call of clock_gettime here (--wrap). */
int __wrap_clock_gettime(clockid_t clock, struct timespec *value) {
    if (clock != CLOCK_MONOTONIC || monotonic == 0) return __real_clock_gettime(clock, value);
    monotonic++;
    value->tv_sec = (time_t)(monotonic / 1000000000);
    value->tv_nsec = (long)(monotonic % 1000000000);
    return 0;
}

void fuzz_take_executor(void (*schedule)(void *job)) { bh_take_global_executor(schedule); }

void fuzz_run_job(void *job) { bh_run_job(job); }

/* Only one thread runs inputs. The size stands before the memory; 16 bytes keep it aligned as malloc's. */
#define BEFORE 16
static size_t live_blocks, live_bytes, peak_bytes;

static void *counted(size_t size, void *(*allocate)(size_t, size_t)) {
    unsigned char *memory = allocate(1, size + BEFORE);
    if (memory == NULL) return NULL;
    *(size_t *)memory = size;
    live_blocks++;
    live_bytes += size;
    if (live_bytes > peak_bytes) peak_bytes = live_bytes;
    return memory + BEFORE;
}

static void *uninitialised(size_t count, size_t size) { return malloc(count * size); }

void *fuzz_malloc(size_t size) { return counted(size, uninitialised); }

void fuzz_free(void *pointer) {
    if (pointer == NULL) return;
    unsigned char *memory = (unsigned char *)pointer - BEFORE;
    live_blocks--;
    live_bytes -= *(size_t *)memory;
    free(memory);
}

size_t fuzz_live_blocks(void) { return live_blocks; }
size_t fuzz_live_bytes(void) { return live_bytes; }
size_t fuzz_peak_bytes(void) { return peak_bytes; }
void fuzz_forget_peak(void) { peak_bytes = live_bytes; }
void fuzz_empty_arena(void) { bh_arena_take(0); }

/* Zeroed, as the arena's memory is: libprotobuf-c 1.4.1 reads an unknown-field pointer it has not written. */
static void *allocate(void *unused, size_t size) {
    (void)unused;
    return counted(size, calloc);
}

static void release(void *unused, void *pointer) {
    (void)unused;
    fuzz_free(pointer);
}

int fuzz_unpack(const void *descriptor, const uint8_t *bytes, size_t length, void *context, void (*use)(void *, const void *)) {
    ProtobufCAllocator allocator = {allocate, release, NULL};
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, length, bytes);
    if (message == NULL) return 0;
    use(context, message);
    protobuf_c_message_free_unpacked(message, &allocator);
    return 1;
}
