import BulkheadAPI
import NIOCore

/// Takes secrets out of one answer: its status text, headers, body and trailers.
struct AnswerCleaner {
    private let needles: [SecretNeedles]
    private var redactors: [StreamRedactor]
    private var inHead = 0

    /// - Parameter needles: of the destination, and of what was derived for this call.
    init(_ needles: [SecretNeedles]) {
        self.needles = needles.filter { $0.count > 0 }
        redactors = self.needles.map { StreamRedactor($0) }
    }

    /// How many were taken out so far.
    var count: Int { redactors.reduce(inHead) { $0 + $1.count } }

    /// A text of the head or the trailers.
    mutating func clean(_ text: String) -> String {
        var text = text
        for needles in needles {
            let (clean, count) = needles.redact(text)
            inHead += count
            text = clean
        }
        return text
    }

    /// Headers: values are cleaned, and one that has a secret in its name goes as a whole.
    mutating func clean(_ headers: [CredentialsAPI.Header]) -> [CredentialsAPI.Header] {
        if needles.isEmpty { return headers }
        var kept: [CredentialsAPI.Header] = []
        kept.reserveCapacity(headers.count)
        for header in headers {
            let before = inHead
            _ = clean(header.name)
            if inHead > before { continue }
            kept.append(CredentialsAPI.Header(name: header.name, value: clean(header.value)))
        }
        return kept
    }

    /// What may go on of the body so far.
    mutating func feed(_ piece: ByteBuffer) -> ByteBuffer {
        var piece = piece
        for index in redactors.indices { piece = redactors[index].feed(piece) }
        return piece
    }

    /// The rest of the body, at its end.
    mutating func finish() -> ByteBuffer {
        var rest = ByteBuffer()
        for index in redactors.indices {
            var own = redactors[index].feed(rest)
            own.writeImmutableBuffer(redactors[index].finish())
            rest = own
        }
        return rest
    }
}
