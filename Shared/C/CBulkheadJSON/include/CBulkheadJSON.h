#ifndef CBULKHEADJSON_H
#define CBULKHEADJSON_H

#include <stddef.h>
#include <stdint.h>

/// What went wrong; 0 is success. The text is Swift's business.
enum {
    BULKHEAD_JSON_OK = 0,
    BULKHEAD_JSON_EMPTY = 1,
    BULKHEAD_JSON_SYNTAX = 2,
    BULKHEAD_JSON_STRING = 3,
    BULKHEAD_JSON_NUMBER = 4,
    BULKHEAD_JSON_UTF8 = 5,
    BULKHEAD_JSON_DEPTH = 6,
    BULKHEAD_JSON_TOO_LARGE = 7,
    BULKHEAD_JSON_OUT_OF_MEMORY = 8,
};

/// A parsed document: simdjson's tape (its doc/tape.md) and the strings it points into. Both belong to `parser`, which is the
/// caller's until it is released, on whatever thread.
typedef struct {
    const uint64_t *tape;
    const uint8_t *strings;
    void *parser;
} bulkhead_json_document;

/// Parses exactly one document of `length` bytes; `bytes` needs no padding. Nests at most 1000 levels.
/// No exception leaves it. Each document that was parsed must be released.
int bulkhead_json_parse(const uint8_t *bytes, size_t length, bulkhead_json_document *document);

/// To be called when the tape has been read: the parser is kept for the thread's next document, or goes when it is unusually
/// large.
void bulkhead_json_release(void *parser);

#endif
