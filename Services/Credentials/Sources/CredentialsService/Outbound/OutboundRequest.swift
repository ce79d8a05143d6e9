import NIOCore

/// Text of a request's head in which secrets stay in their own memory until it is written to the connection: pieces in order.
package struct SecretText: Sendable {
    /// Plain text or a secret, as it goes on the wire.
    package enum Piece: Sendable {
        case text(String)
        case secret(SecretBytes)
    }

    /// What it consists of.
    package private(set) var pieces: [Piece]

    /// Text without a secret.
    package init(_ text: String) { pieces = [.text(text)] }

    /// Text that may hold secrets.
    package init(_ pieces: [Piece]) { self.pieces = pieces }

    /// More at its end.
    package mutating func append(_ piece: Piece) { pieces.append(piece) }

    /// The text, when no secret is in it.
    package var plain: String? {
        if case .text(let text)? = pieces.first, pieces.count == 1 { return text }
        return nil
    }

    /// Puts the bytes into a buffer: the one place where they meet.
    package func write(into buffer: inout ByteBuffer) {
        for piece in pieces {
            switch piece {
            case .text(let text): buffer.writeString(text)
            case .secret(let secret): secret.withBytes { _ = buffer.writeBytes($0) }
            }
        }
    }

    /// The whole as a string, for a client that takes nothing else.
    package var joined: String {
        if let plain { return plain }
        var buffer = ByteBuffer()
        write(into: &buffer)
        return String(buffer: buffer)
    }
}

/// The body of a request.
package enum OutboundBody: Sendable {
    /// No body.
    case none
    /// All of it.
    case whole(ByteBuffer)
    /// It comes in pieces, see `StreamedRequestBody`; as long as announced, or of unknown length (chunked).
    case streamed(StreamedRequestBody)
}

/// A request as it goes on the wire: checked, with the secret in its place.
package struct OutboundRequest: Sendable {
    /// One header. Names and plain values were checked by `HeaderSyntax`.
    package struct Header: Sendable {
        package var name: String
        package var value: SecretText

        /// A header of a request.
        package init(_ name: String, _ value: SecretText) {
            self.name = name
            self.value = value
        }
    }

    /// GET, POST, …
    package var method: String
    /// `/path?query`, percent-encoded, the destination's own path before the caller's.
    package var target: SecretText
    /// Without `host`, `content-length`, `transfer-encoding` and `connection`, which are the connection's business.
    package var headers: [Header]
    /// What follows the head.
    package var body: OutboundBody

    /// A request.
    package init(method: String, target: SecretText, headers: [Header] = [], body: OutboundBody = .none) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }
}
