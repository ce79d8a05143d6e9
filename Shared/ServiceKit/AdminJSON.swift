import BulkheadCore
import Foundation

/// JSON of admin verbs. Cold path: Foundation's coders are good enough.
package enum AdminJSON {
    /// The value as JSON, keys in a stable order.
    package static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Reads a value. - Throws: INVALID_ARGUMENT.
    package static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw CallError(
                .invalidArgument, reason: "bad_arguments",
                message: "the arguments are no \(type); is this program of the same version as the running service?")
        }
    }
}
