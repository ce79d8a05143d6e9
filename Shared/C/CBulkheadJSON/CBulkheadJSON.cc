// One simdjson parser per thread, kept warm: small documents are parsed without an allocation. While a document is read, its
// parser is taken out, so that another one can be read meanwhile.
#include <simdjson.h>

#include <charconv>
#include <memory>
#include <string>

extern "C" {
#include "CBulkheadJSON.h"
}

using namespace simdjson;

namespace {

// A parser's buffers take about 14 bytes per byte of its largest document; above this it is dropped after use.
constexpr size_t kept_capacity = 1 << 20;
// simdjson's offsets are 32 bits wide; far below that is plenty.
constexpr size_t largest_document = 256u << 20;

// The header promises 1000 levels; simdjson counts the document itself too.
constexpr size_t max_depth = 1024;

thread_local std::unique_ptr<dom::parser> thread_parser;

void keep(std::unique_ptr<dom::parser> parser) {
    if (parser->capacity() <= kept_capacity) thread_parser = std::move(parser);
}

int code(error_code error) {
    switch (error) {
    case SUCCESS: return BULKHEAD_JSON_OK;
    case EMPTY: return BULKHEAD_JSON_EMPTY;
    case STRING_ERROR:
    case UNESCAPED_CHARS:
    case UNCLOSED_STRING: return BULKHEAD_JSON_STRING;
    case NUMBER_ERROR: return BULKHEAD_JSON_NUMBER;
    case UTF8_ERROR: return BULKHEAD_JSON_UTF8;
    case DEPTH_ERROR: return BULKHEAD_JSON_DEPTH;
    case CAPACITY: return BULKHEAD_JSON_TOO_LARGE;
    case MEMALLOC: return BULKHEAD_JSON_OUT_OF_MEMORY;
    default: return BULKHEAD_JSON_SYNTAX;
    }
}

// Grows in powers of two, so that a run of slowly growing documents does not allocate at each step.
error_code reserve(dom::parser &parser, size_t length) {
    size_t capacity = 4096;
    while (capacity < length) capacity *= 2;
    if (parser.capacity() < capacity || parser.max_depth() != max_depth) {
        if (auto error = parser.allocate(capacity, max_depth)) return error;
    }
    return parser.doc.capacity() < capacity ? parser.doc.allocate(capacity) : SUCCESS;
}

error_code parse(dom::parser &parser, const uint8_t *bytes, size_t length) {
    if (auto error = reserve(parser, length)) return error;
    return parser.parse(bytes, length, true).error();
}

bool number_byte(char byte) {
    return (byte >= '0' && byte <= '9') || byte == '-' || byte == '+' || byte == '.' || byte == 'e' || byte == 'E';
}

bool exceeds_64_bits(const char *first, const char *last) {
    if (last - first < 19) return false;
    for (const char *byte = first + (*first == '-'); byte < last; byte++) {
        if (*byte < '0' || *byte > '9') return false;
    }
    int64_t with_sign;
    uint64_t without;
    return std::from_chars(first, last, with_sign).ec != std::errc()
        && std::from_chars(first, last, without).ec != std::errc();
}

// simdjson refuses integers beyond 64 bits, which RFC 8259 permits. With an exponent of zero it reads them as doubles.
std::string with_wide_integers_as_doubles(const char *byte, const char *end) {
    std::string result;
    result.reserve(end - byte + 64);
    bool in_string = false;
    while (byte < end) {
        if (!in_string && (*byte == '-' || (*byte >= '0' && *byte <= '9'))) {
            const char *last = byte;
            while (last < end && number_byte(*last)) last++;
            result.append(byte, last);
            if (exceeds_64_bits(byte, last)) result.append("e0");
            byte = last;
            continue;
        }
        if (*byte == '"') in_string = !in_string;
        if (in_string && *byte == '\\' && byte + 1 < end) result.push_back(*byte++);
        result.push_back(*byte++);
    }
    return result;
}

} // namespace

extern "C" int bulkhead_json_parse(const uint8_t *bytes, size_t length, bulkhead_json_document *document) {
    try {
        if (length == 0) return BULKHEAD_JSON_EMPTY;
        if (length > largest_document) return BULKHEAD_JSON_TOO_LARGE;
        auto parser = std::move(thread_parser);
        if (!parser) parser = std::make_unique<dom::parser>();
        error_code error = parse(*parser, bytes, length);
        if (error == NUMBER_ERROR) {
            auto first = reinterpret_cast<const char *>(bytes);
            std::string widened = with_wide_integers_as_doubles(first, first + length);
            error = parse(*parser, reinterpret_cast<const uint8_t *>(widened.data()), widened.size());
        }
        if (error) {
            keep(std::move(parser));
            return code(error);
        }
        document->tape = parser->doc.tape.get();
        document->strings = parser->doc.string_buf.get();
        document->parser = parser.release();
        return BULKHEAD_JSON_OK;
    } catch (...) {
        return BULKHEAD_JSON_OUT_OF_MEMORY;
    }
}

extern "C" void bulkhead_json_release(void *parser) {
    keep(std::unique_ptr<dom::parser>(static_cast<dom::parser *>(parser)));
}
