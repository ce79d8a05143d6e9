import BulkheadJSON

/// A value that satisfies the common part of JSON Schema.
enum SchemaExample {
    private static let deepest = 16

    /// - Parameters:
    ///   - text: what strings say where the schema leaves it open.
    ///   - depth: how far the nesting may still go; schemas may refer to themselves.
    static func value(of schema: JSON, text: String, depth: Int = deepest) -> JSON {
        if let constant = schema["const"] { return constant }
        if let first = schema["enum"]?[0] { return first }
        if let first = schema["anyOf"]?[0] ?? schema["oneOf"]?[0], depth > 0 {
            return value(of: first, text: text, depth: depth - 1)
        }
        switch schema["type"]?.string ?? schema["type"]?[0]?.string {
        case "string": return string(schema, text: text)
        case "integer", "INTEGER": return .int(schema["minimum"]?.int.map(Int64.init) ?? 1)
        case "number", "NUMBER": return .double(schema["minimum"]?.double ?? 1.5)
        case "boolean", "BOOLEAN": return true
        case "null": return nil
        case "array", "ARRAY": return depth == 0 ? [] : array(schema, text: text, depth: depth - 1)
        case "STRING": return .string(text)
        default: return depth == 0 ? [:] : object(schema, text: text, depth: depth - 1)
        }
    }

    private static func string(_ schema: JSON, text: String) -> JSON {
        switch schema["format"]?.string {
        case "date": return "2025-01-31"
        case "date-time": return "2025-01-31T12:00:00Z"
        case "email": return "someone@example.com"
        default: return .string(schema["maxLength"]?.int.map { String(text.prefix(max(0, $0))) } ?? text)
        }
    }

    private static func array(_ schema: JSON, text: String, depth: Int) -> JSON {
        // Nested lists multiply: only the outer two levels get all the elements they ask for, and those up to 16.
        let most = depth >= deepest - 2 ? 16 : 1
        let count = min(max(schema["minItems"]?.int ?? 1, 0), most)
        return .array((0 ..< count).map { _ in value(of: schema["items"] ?? ["type": "string"], text: text, depth: depth) })
    }

    private static func object(_ schema: JSON, text: String, depth: Int) -> JSON {
        var example = JSONObject()
        for (name, property) in schema["properties"]?.object ?? [:] {
            example[name] = value(of: property, text: text, depth: depth)
        }
        return .object(example)
    }
}
