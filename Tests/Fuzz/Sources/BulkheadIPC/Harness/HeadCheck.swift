import NIOCore

/// A call head that can be read can be written, and is the same when it is read again.
///
/// Input: a byte; below 128 the rest is the head, from there the rest says what metadata stands behind a fixed part.
package enum HeadCheck {
    /// Reads one input.
    package static func run(_ input: some Sequence<UInt8>) {
        var input = InputBytes(input)
        let isBuilt = input.next() >= 128
        let bytes = ByteBuffer(bytes: isBuilt ? built(&input) : input.takeRest())
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

    /// A head whose lengths fit together: noise seldom gets that far.
    private static func built(_ input: inout InputBytes) -> [UInt8] {
        var bytes = input.take(FrameLimits.headerBytes) + [UInt8](repeating: 1, count: CallHead.fixedBytes)
        bytes = Array(bytes.prefix(CallHead.fixedBytes))
        var fields: [UInt8] = []
        while !input.isAtEnd {
            let (tag, letter) = (input.next() & 7, input.next())
            let count = [0, 1, 2, 127, 128, 129, 255, 256, 257, 4000, 8189, 8190][Int(input.next() % 12)]
            fields += [tag] + RawFrame.little(UInt16(count)) + [UInt8](repeating: letter, count: count)
            if fields.count > CallHead.metadataBytes { break }
        }
        bytes.replaceSubrange(44 ..< 46, with: RawFrame.little(UInt16(truncatingIfNeeded: fields.count)))
        return bytes + fields
    }
}
