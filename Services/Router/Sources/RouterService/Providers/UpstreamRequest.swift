import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import NIOCore

/// One HTTP request to a provider. The credentials service adds host and secret.
package struct UpstreamRequest: Sendable {
    /// Absolute path below the destination's base URL.
    package var path: String
    /// Headers besides those every request has.
    package var headers: [CredentialsAPI.Header] = []
    package var body: ByteBuffer
    /// The answer is expected as server-sent events.
    package var expectsStream: Bool

    /// The first message of the exchange, without the body.
    package func head(_ target: Target, connectTimeout: Duration) -> CredentialsAPI.CallRequest {
        let accept = expectsStream ? "text/event-stream" : "application/json"
        return CredentialsAPI.CallRequest(
            destination: target.destination, method: "POST", path: path,
            headers: [
                .init(name: "content-type", value: "application/json"), .init(name: "accept", value: accept),
                .init(name: "accept-encoding", value: "identity"),
            ] + headers,
            connectTimeoutMS: max(1, Int(connectTimeout.milliseconds)))
    }
}

/// Makes a provider's chat request from the canonical one.
package enum ChatEncoding {
    /// - Throws: `CallError` when the provider's dialect cannot express the request (INVALID_ARGUMENT), or is not built (UNIMPLEMENTED).
    package static func request(_ chat: ChatAPI.ChatRequest, for target: Target, defaultMaxTokens: Int) throws -> UpstreamRequest
    {
        switch target.dialect {
        case .openai:
            return UpstreamRequest(
                path: "/v1/chat/completions", body: JSON.object(try OpenAIRequest.body(chat, model: target.model)).bytes(),
                expectsStream: chat.stream)
        case .anthropic:
            let body = try AnthropicRequest.body(chat, model: target.model, defaultMaxTokens: defaultMaxTokens)
            return UpstreamRequest(
                path: "/v1/messages", headers: [.init(name: "anthropic-version", value: "2023-06-01")],
                body: JSON.object(body).bytes(), expectsStream: chat.stream)
        case .builtin:
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "The model '\(target.model)' makes embeddings, not chat answers: use POST /v1/embeddings.")
        case .openaiResponses, .gemini, .bedrock:
            throw notBuilt(target)
        }
    }

    package static func notBuilt(_ target: Target) -> CallError {
        CallError(
            .unimplemented, reason: "dialect_not_supported",
            message:
                "The provider '\(target.provider)' is configured with the dialect \(target.dialect.rawValue), which this version "
                + "cannot speak yet: use a provider with the dialect openai or anthropic.")
    }
}

/// Why a request cannot be put into a provider's dialect.
package enum NotExpressible {
    /// - Parameter what: what the client asked for, e.g. `n=2`.
    package static func error(_ what: String, in dialect: String) -> CallError {
        CallError(
            .invalidArgument, reason: "invalid_request",
            message: "\(what) cannot be sent to this model: its provider speaks the \(dialect) dialect, which has no such thing.")
    }

    /// JSON that travels inside the canonical request as text.
    package static func parse(_ text: String, what: String) throws -> JSON {
        do {
            return try JSON.parse(text)
        } catch {
            throw CallError(.invalidArgument, reason: "invalid_request", message: "\(what) is not valid JSON: \(error).")
        }
    }
}

extension JSONObject {
    /// Adds the members of `extra` that are not there yet. What the canonical form models always wins.
    package mutating func merge(_ extra: String?, what: String) throws {
        guard let extra, !extra.isEmpty else { return }
        guard let members = try NotExpressible.parse(extra, what: what).object else { return }
        for (name, value) in members where self[name] == nil { append(name, value) }
    }

    /// Appends the member if there is a value.
    package mutating func add(_ name: String, _ value: JSON?) {
        if let value { append(name, value) }
    }
}

extension JSON {
    /// A whole number; nil stays nil.
    package static func number(_ value: Int?) -> JSON? { value.map { .int(Int64($0)) } }

    /// A number, written without fraction when it has none (a temperature of `0` stays `0`); nil stays nil.
    package static func number(_ value: Double?) -> JSON? {
        value.map { value in Int64(exactly: value).map { .int($0) } ?? .double(value) }
    }

    package static func text(_ value: String?) -> JSON? { value.map { .string($0) } }
    package static func flag(_ value: Bool?) -> JSON? { value.map { .bool($0) } }
}
