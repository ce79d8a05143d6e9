#ifndef CFUZZ_H
#define CFUZZ_H
#include <stddef.h>
#include <stdint.h>

/// Hands the process to libFuzzer, which calls `one` with every input. Returns its exit code.
int fuzz_drive(int argc, char **argv, int (*one)(const uint8_t *bytes, size_t length));

/// Sets the process's CLOCK_MONOTONIC, which from now on moves by a nanosecond each time somebody looks (two moments are never
/// the same). libFuzzer itself looks at the wall clock.
void fuzz_clock_set(uint64_t nanoseconds);

/// Gives every job of Swift Concurrency to `schedule`; `fuzz_run_job` runs one on this thread.
void fuzz_take_executor(void (*schedule)(void *job));
void fuzz_run_job(void *job);

/// What the code under test and `fuzz_unpack` have allocated and not freed.
size_t fuzz_live_blocks(void);
size_t fuzz_live_bytes(void);
/// The most bytes alive at once since `fuzz_forget_peak`.
size_t fuzz_peak_bytes(void);
void fuzz_forget_peak(void);
/// Empties the arena of this thread: it keeps one block.
void fuzz_empty_arena(void);

/// Unpacks a message with an allocator that gives each allocation memory of its own, so that AddressSanitizer sees the end of
/// each, and frees it. `use` sees the message. Returns whether the bytes were a message.
int fuzz_unpack(const void *descriptor, const uint8_t *bytes, size_t length, void *context, void (*use)(void *context, const void *message));
#endif
