import BulkheadCore
import NIOHTTP1

/// A secret made ready for one destination: where it goes, and how its echoes look. Made when secrets or destinations change,
/// not per call.
package struct Injection: Sendable {
    private enum Place: Sendable {
        case header(name: String, value: String)
        case query(String)
    }

    private let place: Place
    private let addsAnthropicVersion: Bool
    /// Finds the secret in answers.
    package let needles: SecretNeedles

    /// - Parameters:
    ///   - field: the header or parameter of the presets `header` and `query`.
    package init(preset: Preset, field: String, value: SecretBytes) {
        let bytes = value.withBytes { Array($0) }
        let text = String(decoding: bytes, as: UTF8.self)
        switch preset {
        case .openai, .bearer, .cohere, .mistral: place = .header(name: "authorization", value: "Bearer \(text)")
        case .anthropic: place = .header(name: "x-api-key", value: text)
        case .gemini: place = .header(name: "x-goog-api-key", value: text)
        case .azure: place = .header(name: "api-key", value: text)
        case .basic:
            place = .header(name: "authorization", value: "Basic \(String(decoding: Base64.encode(bytes), as: UTF8.self))")
        case .header: place = .header(name: field.lowercased(), value: text)
        case .query: place = .query("\(field)=\(String(decoding: PercentEncoding.encode(bytes), as: UTF8.self))")
        }
        addsAnthropicVersion = preset == .anthropic
        needles = SecretNeedles(bytes, isPair: preset == .basic)
    }

    /// The header the secret goes into, lower-case; nil for a query parameter.
    package var header: String? {
        if case .header(let name, _) = place { return name }
        return nil
    }

    /// Adds the secret. `headers` hold none by that name any more.
    package func apply(to headers: inout OutgoingHeaders) {
        if case .header(let name, let value) = place { headers.add(name: name, value: value) }
        if addsAnthropicVersion, !headers.contains(name: "anthropic-version") {
            headers.add(name: "anthropic-version", value: "2023-06-01")
        }
    }

    /// The query with the secret, if it goes there.
    /// - Throws: INVALID_ARGUMENT when the caller uses the parameter itself.
    package func apply(to query: String?) throws(CallError) -> String? {
        guard case .query(let pair) = place else { return query }
        guard let query, !query.isEmpty else { return pair }
        let own = pair.prefix { $0 != "=" }
        let taken = query.split(separator: "&").contains { part in
            let name = part.prefix { $0 != "=" }
            return name == own || name.contains("%")
        }
        guard !taken else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "the query sets \(own), where the secret goes, or an encoded parameter name; leave it out",
                notProcessed: true)
        }
        return "\(query)&\(pair)"
    }
}
