import CBulkheadJSON

/// Why bytes are not an acceptable JSON document. It says what kind of thing is wrong and never quotes the document.
package enum JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nothing but white space.
    case empty
    /// A bracket, comma, colon or literal is missing or out of place, or something follows the document.
    case syntax
    /// A string is not closed, holds a raw control character, or has a bad escape or half a surrogate pair.
    case string
    /// A number is not written as JSON permits, or is beyond what a double holds.
    case number
    /// The bytes are not UTF-8.
    case encoding
    /// Arrays and objects nest deeper than `limit`.
    case depth(limit: Int)
    /// More values than `limit`.
    case values(limit: Int)
    /// The document has more bytes than any parser here takes.
    case tooLarge
    /// The parser got no memory.
    case outOfMemory

    package var description: String {
        switch self {
        case .empty: "the JSON document is empty"
        case .syntax: "the JSON is not well formed: a bracket, comma, colon or literal is missing or out of place"
        case .string: "a JSON string is not closed, or has a raw control character, a bad escape or half a surrogate pair"
        case .number: "a JSON number is malformed or beyond the range of a double"
        case .encoding: "the JSON document is not valid UTF-8"
        case .depth(let limit): "the JSON document nests deeper than \(limit) levels"
        case .values(let limit): "the JSON document has more than \(limit) values"
        case .tooLarge: "the JSON document is larger than 256 MiB"
        case .outOfMemory: "there is not enough memory to parse the JSON document"
        }
    }

    init(code: CInt, maxDepth: Int) {
        switch Int(code) {
        case BULKHEAD_JSON_EMPTY: self = .empty
        case BULKHEAD_JSON_STRING: self = .string
        case BULKHEAD_JSON_NUMBER: self = .number
        case BULKHEAD_JSON_UTF8: self = .encoding
        case BULKHEAD_JSON_DEPTH: self = .depth(limit: maxDepth)
        case BULKHEAD_JSON_TOO_LARGE: self = .tooLarge
        case BULKHEAD_JSON_OUT_OF_MEMORY: self = .outOfMemory
        default: self = .syntax
        }
    }
}
