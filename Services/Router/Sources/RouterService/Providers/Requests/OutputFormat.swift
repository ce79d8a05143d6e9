import BulkheadAPI
import BulkheadJSON

/// The form the answer must have.
package enum OutputFormat: Equatable {
    case text
    /// Any JSON object.
    case object
    case schema(Schema)
    /// A form only one dialect knows, with its name.
    case other(String)

    package struct Schema: Equatable {
        package var name: String
        package var description: String?
        package var schema: JSON
        package var strict: Bool?
    }

    /// From `response_format`, or from where the client's dialect has it.
    package init(_ chat: ChatAPI.ChatRequest, _ extra: JSONObject) throws {
        if let text = chat.responseFormatJson, !text.isEmpty {
            self = Self.read(try NotExpressible.parse(text, what: "response_format"))
        } else {
            self = Self.read(extra["output_config"]?["format"] ?? extra["output_format"] ?? extra["text"]?["format"])
        }
    }

    /// All dialects write `{type, …}`; a schema stands in `json_schema` or beside the type.
    private static func read(_ json: JSON?) -> OutputFormat {
        guard let json, let type = json["type"]?.string, type != "text" else { return .text }
        switch type {
        case "json_object": return .object
        case "json_schema":
            let inner = json["json_schema"] ?? json
            return .schema(
                Schema(
                    name: inner["name"]?.string ?? "answer", description: inner["description"]?.string,
                    schema: inner["schema"] ?? ["type": "object"], strict: inner["strict"]?.bool))
        default: return .other(type)
        }
    }

    /// - Returns: the schema, if one is wanted. - Throws: for forms a dialect with schemas only does not have.
    package func schemaOnly(_ dialect: String) throws -> Schema? {
        switch self {
        case .text: return nil
        case .schema(let schema): return schema
        case .object: throw NotExpressible.error("response_format of type 'json_object'", in: dialect)
        case .other(let type): throw NotExpressible.error("response_format of type '\(type.prefix(64))'", in: dialect)
        }
    }
}
