import NIOCore

/// One server-sent event.
package struct SSEEvent: Sendable, Equatable {
    /// What the `event:` line said; empty without one (which means "message").
    package var name: String
    /// The `data:` lines, joined by line feeds.
    package var data: ByteBuffer
    /// The last `id:` of the stream up to this event; empty without one.
    package var id: String

    /// - Parameters: as the properties of the same names.
    package init(name: String = "", data: ByteBuffer, id: String = "") {
        self.name = name
        self.data = data
        self.id = id
    }
}

/// Why an event stream cannot be read further.
package enum SSEError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One event has more than `limit` bytes.
    case eventTooLarge(limit: Int)

    package var description: String {
        switch self {
        case .eventTooLarge(let limit): "an event of the stream is larger than \(limit) bytes"
        }
    }
}
