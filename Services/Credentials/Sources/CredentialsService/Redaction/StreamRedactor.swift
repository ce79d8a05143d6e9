import NIOCore

/// Replaces secrets in a body that comes in pieces. Only bytes that could be the beginning of a secret wait for the next piece,
/// so an event stream is not delayed.
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
        guard held.readableBytes > 0 else { return scan(piece, isLast: false) }
        var joined = held
        held = ByteBuffer()
        joined.writeImmutableBuffer(piece)
        return scan(joined, isLast: false)
    }

    /// What was held back, at the end of the body.
    package mutating func finish() -> ByteBuffer {
        guard held.readableBytes > 0 else { return held }
        let rest = held
        held = ByteBuffer()
        return scan(rest, isLast: true)
    }

    private mutating func scan(_ piece: ByteBuffer, isLast: Bool) -> ByteBuffer {
        let (ranges, end) = piece.withUnsafeReadableBytes { find(in: $0, isLast: isLast) }
        if ranges.isEmpty, end == piece.readableBytes { return piece }
        count += ranges.count
        var (rest, clean, place) = (piece, ByteBuffer(), 0)
        if ranges.isEmpty {
            clean = rest.readSlice(length: end) ?? clean
        } else {
            clean.reserveCapacity(piece.readableBytes)
            for range in ranges {
                if var slice = rest.readSlice(length: range.lowerBound - place) { clean.writeBuffer(&slice) }
                clean.writeBytes(SecretNeedles.replacement)
                rest.moveReaderIndex(forwardBy: range.count)
                place = range.upperBound
            }
            if var slice = rest.readSlice(length: end - place) { clean.writeBuffer(&slice) }
        }
        held = rest
        return clean
    }

    /// The needles in a text, and where the part begins that has to wait.
    private func find(in text: UnsafeRawBufferPointer, isLast: Bool) -> (ranges: [Range<Int>], end: Int) {
        var (ranges, start): ([Range<Int>], Int) = ([], 0)
        while let hit = needles.find(in: text, from: start) {
            if !isLast {
                // What begins before the hit, or with it, may yet become something longer.
                let live = needles.liveSuffix(of: text, from: start)
                if live < hit.lowerBound || live == hit.lowerBound && needles.isLive(text, at: live, longerThan: hit.count) {
                    return (ranges, live)
                }
            }
            ranges.append(hit)
            start = hit.upperBound
        }
        return (ranges, isLast ? text.count : needles.liveSuffix(of: text, from: start))
    }
}

extension SecretNeedles {
    /// A whole text with the secrets replaced, and how often; the text itself when none is in there.
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
