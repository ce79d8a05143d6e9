import BulkheadJSON
import NIOCore

/// Writes server-sent events: lines end with a line feed, an event with an empty line.
package enum SSEWriter {
    /// Appends one event.
    /// - Parameters:
    ///   - name: the `event:` line; none if empty. A line break in it would be a second line: it must have none.
    ///   - data: the payload; a line break of any kind begins a new `data:` line.
    package static func write(name: String = "", data: String, into buffer: inout ByteBuffer) {
        writeName(name, into: &buffer)
        for line in data.split(omittingEmptySubsequences: false, whereSeparator: \.isEventLineEnd) {
            buffer.writeStaticString("data: ")
            buffer.writeSubstring(line)
            buffer.writeStaticString("\n")
        }
        buffer.writeStaticString("\n")
    }

    /// Appends one event whose data is the JSON document that `body` writes.
    package static func write(
        name: String = "", into buffer: inout ByteBuffer, json body: (inout JSONWriter) throws -> Void
    ) rethrows {
        writeName(name, into: &buffer)
        buffer.writeStaticString("data: ")
        try JSONWriter.append(to: &buffer, body)
        buffer.writeStaticString("\n\n")
    }

    /// Appends one event whose data is `json`.
    package static func write(name: String = "", json: JSON, into buffer: inout ByteBuffer) {
        write(name: name, into: &buffer) { $0.value(json) }
    }

    /// Appends a comment, which clients skip: a sign of life. `text` must have no line break.
    package static func comment(_ text: String, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(": ")
        buffer.writeString(text)
        buffer.writeStaticString("\n\n")
    }

    private static func writeName(_ name: String, into buffer: inout ByteBuffer) {
        guard !name.isEmpty else { return }
        precondition(!name.contains(where: \.isEventLineEnd), "bug: an event name with a line break")
        buffer.writeStaticString("event: ")
        buffer.writeString(name)
        buffer.writeStaticString("\n")
    }
}

extension Character {
    /// The three line ends of an event stream; `isNewline` has more.
    fileprivate var isEventLineEnd: Bool { self == "\n" || self == "\r" || self == "\r\n" }
}
