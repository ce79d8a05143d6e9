import BulkheadCore

/// A secret made ready for one destination: where it goes, and how its echoes look. Made when secrets or destinations change,
/// not per call.
package struct Injection: Sendable {
    private enum Place: Sendable {
        case header(name: String, value: SecretText)
        /// `name=VALUE`, encoded.
        case query(name: String, pair: SecretText)
    }

    private let place: Place
    private let addsAnthropicVersion: Bool
    /// Finds the secret in answers.
    package let needles: SecretNeedles

    /// Makes the secret ready.
    package init(_ spec: InjectionSpec, value: SecretBytes) {
        let (preset, field) = (spec.preset, spec.field)
        let bytes = value.withBytes { Array($0) }
        func header(_ name: String, _ before: String = "") -> Place {
            .header(name: name, value: SecretText([.text(before), .secret(value)]))
        }
        switch preset {
        case .openai, .bearer, .cohere, .mistral: place = header("authorization", "Bearer ")
        case .anthropic: place = header("x-api-key")
        case .gemini: place = header("x-goog-api-key")
        case .azure: place = header("api-key")
        case .basic:
            let pair = SecretBytes(Base64.encode(bytes))
            place = .header(name: "authorization", value: SecretText([.text("Basic "), .secret(pair)]))
        case .header: place = header(field.lowercased())
        case .query:
            let encoded = SecretBytes(PercentEncoding.encode(bytes))
            place = .query(name: field, pair: SecretText([.text("\(field)="), .secret(encoded)]))
        }
        addsAnthropicVersion = preset == .anthropic
        needles = SecretNeedles(bytes, isPair: preset == .basic)
    }

    /// The header the secret goes into, lower-case; nil for a query parameter.
    package var header: String? {
        if case .header(let name, _) = place { return name }
        return nil
    }

    /// Puts the secret into a request, whose headers hold none by that name any more.
    /// - Throws: INVALID_ARGUMENT when the caller uses the secret's query parameter itself.
    package func apply(to request: inout OutboundRequest) throws(CallError) {
        switch place {
        case .header(let name, let value): request.headers.append(OutboundRequest.Header(name, value))
        case .query(let name, let pair): try Self.add(pair, named: name, to: &request.target)
        }
        if addsAnthropicVersion, !request.headers.contains(where: { $0.name.lowercased() == "anthropic-version" }) {
            request.headers.append(OutboundRequest.Header("anthropic-version", SecretText("2023-06-01")))
        }
    }

    private static func add(_ pair: SecretText, named own: String, to target: inout SecretText) throws(CallError) {
        let query = target.plain?.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first ?? ""
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
        target.append(.text(query.isEmpty ? "?" : "&"))
        for piece in pair.pieces { target.append(piece) }
    }
}
