#include "CBulkheadWire.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK (64 * 1024)
/* A block grown beyond this is given back when the next message needs less, so that one huge message does not stay resident. */
#define KEEP_AT_MOST (1024 * 1024)

struct block {
    struct block *next;
    size_t size, used;
    /* max_align_t would be 16; protobuf-c's widest member is 8 bytes */
    _Alignas(8) unsigned char bytes[];
};

struct bh_arena {
    struct block *blocks; /* newest first; the last one is kept between messages */
    size_t total, cap;
    int exhausted;
    ProtobufCAllocator allocator;
};

static _Thread_local struct bh_arena arena_of_thread;

static void *allocate_for_protobuf(void *arena, size_t size) { return bh_arena_allocate(arena, size); }
static void free_for_protobuf(void *arena, void *pointer) { (void)arena, (void)pointer; }

static struct block *new_block(size_t size, struct block *next) {
    struct block *block = malloc(sizeof *block + size);
    if (block == NULL) return NULL;
    block->next = next;
    block->size = size;
    block->used = 0;
    return block;
}

bh_arena *bh_arena_take(size_t cap) {
    struct bh_arena *arena = &arena_of_thread;
    while (arena->blocks != NULL && (arena->blocks->next != NULL || arena->blocks->size > KEEP_AT_MOST)) {
        struct block *old = arena->blocks;
        arena->blocks = old->next;
        free(old);
    }
    if (arena->blocks == NULL) {
        arena->blocks = new_block(FIRST_BLOCK, NULL);
        if (arena->blocks == NULL) return NULL;
    }
    arena->blocks->used = 0;
    arena->total = 0;
    arena->exhausted = 0;
    arena->cap = cap;
    arena->allocator = (ProtobufCAllocator){allocate_for_protobuf, free_for_protobuf, arena};
    return arena;
}

void *bh_arena_allocate(bh_arena *arena, size_t size) {
    size_t rounded = (size + 7) & ~(size_t)7;
    if (rounded < size || rounded > arena->cap - arena->total) {
        arena->exhausted = 1;
        return NULL;
    }
    struct block *block = arena->blocks;
    if (rounded > block->size - block->used) {
        size_t wanted = block->size * 2 < rounded ? rounded : block->size * 2;
        block = new_block(wanted, arena->blocks);
        if (block == NULL) return NULL;
        arena->blocks = block;
    }
    void *result = block->bytes + block->used;
    block->used += rounded;
    arena->total += rounded;
    memset(result, 0, rounded);
    return result;
}

int bh_arena_is_exhausted(const bh_arena *arena) { return arena->exhausted; }

ProtobufCAllocator *bh_arena_allocator(bh_arena *arena) { return &arena->allocator; }

static int read_varint(const uint8_t *bytes, size_t length, size_t *at, uint64_t *value) {
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (*at >= length) return BH_SCAN_TRUNCATED;
        uint8_t byte = bytes[(*at)++];
        if (shift < 64) result |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *value = result;
            return BH_SCAN_OK;
        }
    }
    return BH_SCAN_BAD_TAG;
}

static int scan(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t length, uint32_t depth, uint32_t *fields) {
    size_t at = 0;
    while (at < length) {
        uint64_t tag, value;
        int result = read_varint(bytes, length, &at, &tag);
        if (result != BH_SCAN_OK) return result;
        if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return BH_SCAN_BAD_TAG;
        if (*fields == 0) return BH_SCAN_TOO_MANY_FIELDS;
        --*fields;
        switch (tag & 7) {
        case 0:
            result = read_varint(bytes, length, &at, &value);
            if (result != BH_SCAN_OK) return result;
            break;
        case 1:
            if (length - at < 8) return BH_SCAN_TRUNCATED;
            at += 8;
            break;
        case 5:
            if (length - at < 4) return BH_SCAN_TRUNCATED;
            at += 4;
            break;
        case 2: {
            result = read_varint(bytes, length, &at, &value);
            if (result != BH_SCAN_OK) return result;
            if (value > length - at) return BH_SCAN_TRUNCATED;
            const ProtobufCFieldDescriptor *field =
                protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
            if (field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE) {
                if (depth == 0) return BH_SCAN_TOO_DEEP;
                result = scan(field->descriptor, bytes + at, (size_t)value, depth - 1, fields);
                if (result != BH_SCAN_OK) return result;
            }
            at += (size_t)value;
            break;
        }
        default:
            return BH_SCAN_BAD_WIRE_TYPE;
        }
    }
    return BH_SCAN_OK;
}

int bh_wire_scan(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t length, uint32_t max_depth, uint32_t max_fields) {
    return scan(descriptor, bytes, length, max_depth, &max_fields);
}
