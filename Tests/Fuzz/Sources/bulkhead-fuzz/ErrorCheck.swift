import BulkheadAPI
import NIOCore
import RouterService

/// Whatever a provider says of a failure is told in bounded words on one line.
enum ErrorCheck {
    private static let statuses = [
        400, 401, 402, 403, 404, 408, 409, 413, 422, 424, 429, 499, 500, 503, 504, 529, 200, 302, 418, 600,
    ]
    private static let longestWait = Duration.seconds(7 * 86_400)
    /// Beside the provider's own message.
    private static let mostWords = 300

    /// Input: a byte for the status, headers a line each, an empty line, the body.
    static func checkAnswer(_ input: inout InputBytes) throws {
        let status = input.choice(of: statuses)
        var rest = input.takeRest()[...]
        var headers: [CredentialsAPI.Header] = []
        while !rest.isEmpty {
            let line = rest.prefix { $0 != UInt8(ascii: "\n") }
            rest = rest.dropFirst(line.count + 1)
            if line.isEmpty { break }
            let name = line.prefix { $0 != UInt8(ascii: ":") }
            headers.append(.init(name: text(name), value: text(line.dropFirst(name.count + 1))))
        }
        try check(ProviderError(status: status, headers: headers, body: ByteBuffer(bytes: rest)))
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    static func check(_ fault: DecodeFault) throws {
        switch fault {
        case .malformed(let what): try checkLine(what, most: mostWords)
        case .provider(let error):
            try promise((400 ... 599).contains(error.status), "an error with status \(error.status)")
            try check(error)
        }
    }

    private static func check(_ error: ProviderError) throws {
        try checkLine(error.message, most: ProviderError.maxMessage + 1)
        try checkLine(error.code, most: 65)
        try checkLine(error.type, most: 65)
        try checkLine(error.detail, most: ProviderError.maxDetail + 1)
        let target = Target(provider: "p", destination: "d", dialect: .openai, model: "m")
        let failure = error.failure(target)
        try checkLine(failure.error.message, most: ProviderError.maxMessage + mostWords)
        try promise(!failure.error.message.isEmpty, "nothing is said of \(error)")
        for wait in [error.retryAfter, failure.error.retryAfter].compactMap({ $0 }) {
            try promise(wait >= .zero && wait <= longestWait, "a wait of \(wait)")
        }
    }

    private static func checkLine(_ text: String, most: Int) throws {
        let scalars = text.unicodeScalars
        try promise(scalars.count <= most, "\(scalars.count) characters, and not at most \(most): \(text)")
        try promise(!scalars.contains { $0.properties.generalCategory == .control }, "more than a line: \(text)")
    }
}
