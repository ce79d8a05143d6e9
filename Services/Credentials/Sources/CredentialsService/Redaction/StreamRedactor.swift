import NIOCore

/// Replaces a secret in a body that comes in pieces. Only bytes that could be the beginning of the secret wait for the next
/// piece, so an event stream is not delayed.
package struct StreamRedactor {
    private let needles: SecretNeedles
    /// The beginning of what may become a needle; shorter than the longest one.
    private var held = ByteBuffer()
    /// How many needles were replaced.
    package private(set) var count = 0

    /// A redactor for one body.
    package init(_ needles: SecretNeedles) { self.needles = needles }

    /// What may go on of the bytes so far.
    package mutating func feed(_ piece: ByteBuffer) -> ByteBuffer {
        if held.readableBytes > 0 {
            var joined = held
            held = ByteBuffer()
            joined.writeImmutableBuffer(piece)
            return scan(joined)
        }
        return scan(piece)
    }

    /// What was held back, at the end of the body.
    package mutating func finish() -> ByteBuffer {
        defer { held = ByteBuffer() }
        return held
    }

    private mutating func scan(_ piece: ByteBuffer) -> ByteBuffer {
        var ranges: [Range<Int>] = []
        let end = piece.withUnsafeReadableBytes { bytes in
            var start = 0
            while let hit = needles.find(in: bytes, from: start) {
                ranges.append(hit)
                start = hit.upperBound
            }
            return needles.liveSuffix(of: bytes, from: start)
        }
        var rest = piece
        if ranges.isEmpty {
            guard end < piece.readableBytes else { return piece }
            var clean = rest.readSlice(length: end) ?? ByteBuffer()
            held = rest
            if clean.readableBytes == 0 { clean = ByteBuffer() }
            return clean
        }
        count += ranges.count
        var clean = ByteBuffer()
        clean.reserveCapacity(piece.readableBytes)
        var place = 0
        for range in ranges {
            if var slice = rest.readSlice(length: range.lowerBound - place) { clean.writeBuffer(&slice) }
            clean.writeBytes(SecretNeedles.replacement)
            rest.moveReaderIndex(forwardBy: range.count)
            place = range.upperBound
        }
        if var slice = rest.readSlice(length: end - place) { clean.writeBuffer(&slice) }
        held = rest
        return clean
    }
}

extension SecretNeedles {
    /// A whole text with the secret replaced, and how often; the text itself when it is not in there.
    package func redact(_ text: String) -> (text: String, count: Int) {
        let isClean = text.utf8.withContiguousStorageIfAvailable { find(in: UnsafeRawBufferPointer($0), from: 0) == nil }
        if isClean == true { return (text, 0) }
        var redactor = StreamRedactor(self)
        var clean = redactor.feed(ByteBuffer(string: text))
        var rest = redactor.finish()
        guard redactor.count > 0 else { return (text, 0) }
        clean.writeBuffer(&rest)
        return (String(buffer: clean), redactor.count)
    }
}
