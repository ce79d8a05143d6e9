import BulkheadJSON
import BulkheadServiceKit
import NIOCore

/// What `/openapi.json` says: every route of `Endpoint` as OpenAPI 3.1. Made once; the same for everybody, and without a word about
/// this installation.
package enum ContractDocument {
    /// The document as JSON.
    package static let body: ByteBuffer = {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("openapi", "3.1.0")
            writer.object("info") { info in
                info.field("title", "Bulkhead")
                info.field("version", BulkheadVersion.current)
                info.field("description", "A gateway to language models, and a credential proxy.")
            }
            writer.object("paths") { paths in
                for endpoint in Endpoint.allCases { paths.object(endpoint.rawValue) { write(endpoint, to: &$0) } }
            }
            writer.array("tags") { tags in
                tags.object { tag in
                    tag.field("name", "idempotency")
                    tag.field("description", IdempotencyDocument.text)
                }
            }
            writer.name("components")
            writer.raw(ContractSchemas.components)
            // Either of them; routes that need none say so.
            writer.array("security") { schemes in
                for scheme in ["bearer", "apiKey"] { schemes.object { $0.array(scheme) { _ in } } }
            }
        }
        return writer.buffer
    }()

    private static func write(_ endpoint: Endpoint, to path: inout JSONWriter) {
        let names = parameters(of: endpoint.rawValue)
        if !names.isEmpty {
            path.array("parameters") { list in for name in names { list.object { write(parameter: name, to: &$0) } } }
        }
        let methods = endpoint.allow.split(separator: ", ").map { $0.lowercased() }
        for method in methods { path.object(method) { write(endpoint, method, to: &$0) } }
    }

    /// The names in the braces of a route.
    private static func parameters(of route: String) -> [String] {
        route.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    private static func write(parameter name: String, to parameter: inout JSONWriter) {
        parameter.field("name", name)
        parameter.field("in", "path")
        parameter.field("required", true)
        if name == "path" { parameter.field("description", "The rest of the path, with slashes, as it goes out.") }
        parameter.object("schema") { $0.field("type", "string") }
    }

    private static func write(_ endpoint: Endpoint, _ method: String, to operation: inout JSONWriter) {
        operation.field("operationId", "\(method)_\(endpoint)")
        operation.field("summary", endpoint.summary)
        if endpoint.isOpen { operation.array("security") { _ in } }
        if endpoint.isIdempotent {
            operation.array("tags") { $0.value("idempotency") }
            operation.array("parameters") { list in
                for name in IdempotencyDocument.parameters {
                    list.object { $0.field("$ref", "#/components/parameters/\(name)") }
                }
            }
        }
        if let schema = endpoint.requestSchema, method != "get", method != "head" {
            operation.object("requestBody") { body in
                body.field("required", true)
                body.field(
                    "description",
                    "Plain, or packed (`Content-Encoding: \(EdgeError.acceptedCodings)`, one of them); limits hold for the plain size."
                )
                content("application/json", schema, to: &body)
            }
        } else if endpoint == .proxy {
            operation.object("requestBody") { $0.object("content") { $0.object("*/*") { _ in } } }
        }
        operation.object("responses") { responses in
            responses.object(endpoint.isForwarded ? "default" : "200") { write(answerOf: endpoint, to: &$0) }
            if endpoint.isIdempotent { IdempotencyDocument.writeResponses(to: &responses) }
            if endpoint.requestSchema != nil { writeUnsupported(to: &responses) }
            if !endpoint.isForwarded {
                responses.object("default") { failure in
                    failure.field("description", "What was wrong, with which value, and what to do; `code` is stable.")
                    content(endpoint.errorType, endpoint.errorSchema, to: &failure)
                }
            }
        }
    }

    private static func writeUnsupported(to responses: inout JSONWriter) {
        responses.object("415") { refusal in
            refusal.field(
                "description", "`unsupported_content_encoding`: the body is in a coding not understood here, or in several.")
            refusal.object("headers") { headers in
                headers.object("Accept-Encoding") { header in
                    header.field("description", "The content codings of request bodies that are understood.")
                    header.object("schema") { $0.field("type", "string") }
                }
            }
        }
    }

    private static func write(answerOf endpoint: Endpoint, to answer: inout JSONWriter) {
        answer.field("description", endpoint.answer)
        guard let (type, schema) = endpoint.answerContent else { return }
        answer.object("content") { types in
            types.object(type) { reference(schema, to: &$0) }
            if endpoint.streams { types.object("text/event-stream") { $0.object("schema") { $0.field("type", "string") } } }
        }
    }

    private static func content(_ type: String, _ schema: String, to writer: inout JSONWriter) {
        writer.object("content") { $0.object(type) { reference(schema, to: &$0) } }
    }

    private static func reference(_ schema: String, to writer: inout JSONWriter) {
        writer.object("schema") { $0.field("$ref", "#/components/schemas/\(schema)") }
    }
}

extension Endpoint {
    /// Needs no key.
    fileprivate var isOpen: Bool {
        switch self {
        case .health, .ready, .metrics, .contract: true
        default: false
        }
    }

    /// The answer is the destination's, errors too.
    fileprivate var isForwarded: Bool { self == .proxy || self == .call }

    /// Honours an Idempotency-Key.
    fileprivate var isIdempotent: Bool { methods == .post }

    fileprivate var streams: Bool { self == .chat || self == .responses || self == .messages }

    fileprivate var requestSchema: String? {
        switch self {
        case .chat: "ChatRequest"
        case .responses: "ResponsesRequest"
        case .messages: "MessagesRequest"
        case .countTokens: "CountTokensRequest"
        case .embeddings: "EmbeddingsRequest"
        case .moderations: "ModerationsRequest"
        case .call: "Call"
        default: nil
        }
    }

    fileprivate var answer: String {
        switch self {
        case .proxy, .call:
            "The destination's answer: its status, headers and body, with `x-bulkhead-destination`. Without that header it is a "
                + "problem of the gateway's own (application/problem+json)."
        default: summary
        }
    }

    fileprivate var answerContent: (type: String, schema: String)? {
        switch self {
        case .proxy, .call: nil
        case .metrics: ("text/plain", "Text")
        case .destinations: ("application/json", "DestinationList")
        case .ready: ("application/json", "Readiness")
        default: ("application/json", "Document")
        }
    }

    private var shape: ErrorShape { Routes.errorShape(rawValue[...], isAnthropicClient: false) }

    fileprivate var errorType: String { shape == .problem ? "application/problem+json" : "application/json" }

    fileprivate var errorSchema: String {
        switch shape {
        case .openAI: "OpenAIError"
        case .anthropic: "AnthropicError"
        case .problem: "Problem"
        }
    }
}
