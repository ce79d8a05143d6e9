import BulkheadCore
import BulkheadJSON

/// Why a request cannot be put into a provider's dialect.
package enum NotExpressible {
    /// - Parameters:
    ///   - what: what the client asked for, e.g. `n=2`.
    ///   - dialect: its name for people, e.g. `Anthropic Messages`.
    package static func error(_ what: String, in dialect: String) -> CallError {
        refusal(what, dialect, "which has no such thing")
    }

    /// What the dialect may well have in a form of its own, which nobody here makes of the client's.
    package static func untranslated(_ what: String, in dialect: String) -> CallError {
        refusal(what, dialect, "into which this is not translated")
    }

    private static func refusal(_ what: String, _ dialect: String, _ why: String) -> CallError {
        CallError(
            .invalidArgument, reason: "invalid_request",
            message: "\(what) cannot be sent to this model: its provider speaks the \(dialect) dialect, \(why).")
    }

    /// A part or tool of a kind only the client's dialect has.
    /// - Parameters:
    ///   - json: all of it.
    ///   - what: `content part`, `tool`.
    package static func kind(_ json: String?, _ what: String, in dialect: String) -> CallError {
        let type = json.flatMap { try? JSON.parse($0) }?["type"]?.string
        return untranslated("A \(what) of \(type.map { "type '\($0.prefix(64))'" } ?? "this kind")", in: dialect)
    }

    /// JSON that travels inside the canonical request as text.
    /// - Throws: `CallError` INVALID_ARGUMENT that names `what`.
    package static func parse(_ text: String, what: String) throws -> JSON {
        do {
            return try JSON.parse(text)
        } catch {
            throw CallError(.invalidArgument, reason: "invalid_request", message: "\(what) is not valid JSON: \(error).")
        }
    }

    /// A schema that is an object; the empty object's schema when there is none.
    package static func schema(_ text: String, of tool: String) throws -> JSON {
        if text.isEmpty { return ["type": "object", "properties": [:]] }
        return try parse(text, what: "the schema of the tool '\(tool)'")
    }

    /// The arguments of a tool call, which most dialects want as an object; none are the empty one.
    package static func arguments(_ text: String?, in dialect: String) throws -> JSON {
        guard let text, !text.isEmpty else { return [:] }
        let input = try parse(text, what: "the arguments of a tool call")
        guard input.object != nil else { throw error("Tool arguments that are no JSON object", in: dialect) }
        return input
    }
}

extension JSONObject {
    /// Adds the members of `extra` that are not there yet, also to objects inside. What the canonical form models always wins.
    package mutating func merge(_ extra: String?, what: String) throws {
        guard let extra, !extra.isEmpty else { return }
        guard let members = try NotExpressible.parse(extra, what: what).object else { return }
        for (name, value) in members {
            guard let own = self[name] else {
                append(name, value)
                continue
            }
            guard var inner = own.object, let others = value.object else { continue }
            inner.merge(others)
            self[name] = .object(inner)
        }
    }

    /// Adds the members that are not there yet.
    package mutating func merge(_ members: JSONObject) {
        for (name, value) in members where self[name] == nil { append(name, value) }
    }

    /// Appends the member if there is a value.
    package mutating func add(_ name: String, _ value: JSON?) {
        if let value { append(name, value) }
    }

    /// Appends the list if it is not empty.
    package mutating func add(_ name: String, list: [JSON]) {
        if !list.isEmpty { append(name, .array(list)) }
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
