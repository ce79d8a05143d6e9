import BulkheadCore
import BulkheadJSON
import NIOCore

/// A secret that goes into a request as it is: into headers, the query, the path, a JSON body or a form, encoded for each.
struct PlacedSecret: Sendable {
    private enum Place: Sendable {
        case header(name: String, value: SecretText)
        /// `name=VALUE`, encoded.
        case query(name: String, pair: SecretBytes)
        case form(name: String, pair: SecretBytes)
        /// A string with its quotes.
        case json(JSONPointer, quoted: SecretBytes)
        /// What precedes the path.
        case path(SecretText)
    }

    /// The value does not fit its place; says so without the value.
    struct Problem: Error { let message: String }

    private let places: [Place]

    init(_ spec: InjectionSpec, _ value: SecretBytes) throws(Problem) {
        if spec.preset == .basic {
            let pair = SecretBytes(value.withBytes { Base64.encode(Array($0)) })
            places = [.header(name: "authorization", value: SecretText([.text("Basic "), .secret(pair)]))]
            return
        }
        var places = Self.headers(spec).map { name, template in Place.header(name: name, value: template.pieces(value)) }
        for place in spec.places where place.kind != .header { places.append(try Self.ready(place, spec, value)) }
        self.places = places
    }

    /// The headers of a style, lower-case, with what stands around the secret.
    static func headers(_ spec: InjectionSpec) -> [(name: String, template: SecretTemplate)] {
        let bearer = ("authorization", SecretTemplate("Bearer {secret}"))
        switch spec.preset {
        case .openai, .bearer, .cohere, .mistral, .basic: return [bearer]
        case .anthropic: return [("x-api-key", SecretTemplate(nil))]
        case .gemini: return [("x-goog-api-key", SecretTemplate(nil))]
        case .azure: return [("api-key", SecretTemplate(nil))]
        default:
            return spec.places.filter { $0.kind == .header }.map { ($0.field.lowercased(), SecretTemplate(spec.template)) }
        }
    }

    private static func ready(
        _ place: InjectionPlace, _ spec: InjectionSpec, _ value: SecretBytes
    ) throws(Problem) -> Place {
        let template = SecretTemplate(spec.template)
        func pair() -> SecretBytes {
            let encoded = value.withBytes { template.filled($0) { PercentEncoding.encode($0) } }
            return SecretBytes(Array("\(place.field)=".utf8) + encoded.withBytes { Array($0) })
        }
        switch place.kind {
        case .query: return .query(name: place.field, pair: pair())
        case .form: return .form(name: place.field, pair: pair())
        case .json:
            guard let pointer = JSONPointer(place.field) else { throw Problem(message: "has no JSON pointer to go to") }
            return .json(pointer, quoted: value.withBytes { template.filled($0) { Self.quoted($0) } })
        case .path:
            guard let hole = PathHole(place.field), value.withBytes({ PathHole.isSafe($0) }) else {
                throw Problem(
                    message: "holds characters that cannot stand in a path, such as '/', '.' pairs, '%' or '?': "
                        + "letters, digits and -._~:@=+,!$* can")
            }
            return .path(SecretText([.text(hole.before), .secret(value), .text(hole.after)]))
        case .header: preconditionFailure("bug: headers are made by `headers`")
        }
    }

    private static func quoted(_ bytes: [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer()
        JSONWriter.append(to: &buffer) { $0.value(String(decoding: bytes, as: UTF8.self)) }
        return Array(buffer: buffer)
    }

    /// Whether the request's body has to be at hand.
    var changesBody: Bool {
        places.contains {
            switch $0 {
            case .json, .form: true
            case .header, .query, .path: false
            }
        }
    }

    // MARK: putting it in

    /// - Throws: INVALID_ARGUMENT when the caller uses the secret's place itself, or the body has none for it.
    func put(into request: inout OutboundRequest) throws(CallError) {
        for place in places {
            switch place {
            case .header(let name, let value): request.headers.append(OutboundRequest.Header(name, value))
            case .query(let name, let pair): try Self.add(pair, named: name, to: &request.target)
            case .path(let path): request.target = SecretText(path.pieces + request.target.pieces)
            case .json(let pointer, let quoted):
                try request.expectBody("application/json") { $0.contains("json") }
                request.body = .whole(try JSONSplice.replace(request.wholeBody, at: pointer, with: quoted))
            case .form(let name, let pair):
                try request.expectBody("application/x-www-form-urlencoded") { $0.contains("x-www-form-urlencoded") }
                request.body = .whole(try FormField.append(pair, named: name, to: request.wholeBody))
            }
        }
    }

    private static func add(_ pair: SecretBytes, named own: String, to target: inout SecretText) throws(CallError) {
        // Only a path's hole can hold a secret by now, and it stands before the caller's query.
        let texts = target.pieces.map { piece in if case .text(let text) = piece { text } else { "" } }
        let query = texts.joined().split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first ?? ""
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
        target.append(.text(query.isEmpty ? texts.joined().hasSuffix("?") ? "" : "?" : "&"))
        target.append(.secret(pair))
    }
}

extension OutboundRequest {
    /// Checks what kind of body the caller announced, and announces it where he did not.
    fileprivate mutating func expectBody(_ type: String, _ isGood: (String) -> Bool) throws(CallError) {
        let types = headers.filter { $0.name.lowercased() == "content-type" }.map { $0.value.joined.lowercased() }
        let isCoded = headers.contains { $0.name.lowercased() == "content-encoding" }
        guard !isCoded, types.count <= 1, types.allSatisfy(isGood) else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "the secret goes into the body, which has to be \(type), without content-encoding", notProcessed: true)
        }
        if types.isEmpty { headers.append(Header("content-type", SecretText(type))) }
    }
}
