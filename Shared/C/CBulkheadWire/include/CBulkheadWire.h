#ifndef BULKHEAD_WIRE_H
#define BULKHEAD_WIRE_H
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/// A bump allocator with a cap: what a message needs while it is packed or unpacked, freed all at once. Memory is zeroed
/// (libprotobuf-c 1.4.1 reads an unknown-field pointer it has not written).
typedef struct bh_arena bh_arena;

/// This thread's arena, emptied and with a new cap in bytes. Valid until the next call on this thread. NULL: no memory.
bh_arena *bh_arena_take(size_t cap);
/// `size` zeroed bytes aligned to 8, or NULL beyond the cap.
void *bh_arena_allocate(bh_arena *arena, size_t size);
/// Whether an allocation was refused since `bh_arena_take`.
int bh_arena_is_exhausted(const bh_arena *arena);
/// The arena as libprotobuf-c wants it; frees are no-ops.
ProtobufCAllocator *bh_arena_allocator(bh_arena *arena);

/// What a scan may find; 0 is good.
enum bh_scan_result {
    BH_SCAN_OK = 0,
    BH_SCAN_TRUNCATED = 1,
    BH_SCAN_BAD_WIRE_TYPE = 2,
    BH_SCAN_TOO_DEEP = 3,
    BH_SCAN_TOO_MANY_FIELDS = 4,
    BH_SCAN_BAD_TAG = 5,
};

/// Walks the wire form of a message without allocating, in front of libprotobuf-c, which recurses without a limit.
/// `max_fields` counts the fields of all levels.
int bh_wire_scan(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t length, uint32_t max_depth, uint32_t max_fields);
#endif
