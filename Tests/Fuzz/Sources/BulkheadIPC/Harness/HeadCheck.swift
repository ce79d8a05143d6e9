import NIOCore

/// A call head that can be read can be written, and is the same when it is read again.
package enum HeadCheck {
    /// Reads one input.
    package static func run(_ input: some Sequence<UInt8>) {
        let bytes = ByteBuffer(bytes: Array(input))
        var rest = bytes
        guard let head = try? CallHead(reading: &rest) else { return }
        guard rest.readableBytes <= bytes.readableBytes - CallHead.fixedBytes else { found("the head left more than came") }
        guard let count = CallHead.encodedBytes(head.metadata) else { found("\(head) was read but is too long to be written") }
        var written = ByteBuffer()
        head.encode(into: &written, bytes: count)
        guard written.readableBytes == count else { found("\(count) bytes were announced, \(written.readableBytes) written") }
        written.writeImmutableBuffer(rest)
        guard let again = try? CallHead(reading: &written) else { found("\(head) was written but cannot be read") }
        guard String(describing: again) == String(describing: head), again.metadata == head.metadata, written == rest else {
            found("\(head) became \(again)")
        }
    }
}
