import BulkheadJSON

/// Gemini has two members for a schema: one for its own subset of OpenAPI's, which every model takes, and one for JSON Schema.
package enum GeminiSchema {
    private static let members: Set<String> = [
        "type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "properties", "required",
        "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf", "propertyOrdering", "default",
        "items", "minimum", "maximum",
    ]
    private static let types: Set<String> = ["string", "number", "integer", "boolean", "array", "object"]
    private static let formats: Set<String> = ["float", "double", "int32", "int64", "enum", "date-time"]

    /// Whether the subset is enough for `schema`.
    package static func isPlain(_ schema: JSON) -> Bool {
        guard let object = schema.object else { return false }
        if let type = object["type"], !types.contains(type.string?.lowercased() ?? "") { return false }
        if let format = object["format"]?.string, !formats.contains(format) { return false }
        if let values = object["enum"]?.array, !values.allSatisfy({ $0.string != nil }) { return false }
        guard object.allSatisfy({ members.contains($0.name) }) else { return false }
        let inner = (object["properties"]?.object?.map(\.value) ?? []) + (object["anyOf"]?.array ?? [])
        return inner.allSatisfy(isPlain) && (object["items"].map(isPlain) ?? true)
    }
}
