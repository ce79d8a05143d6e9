import NIOCore

/// The frame decoder, fed in pieces, finds what it finds in all bytes at once.
///
/// Input: a count n, n piece lengths (used in turn), then the byte stream.
package enum FrameCheck {
    private struct Outcome: Equatable {
        var headers: [FrameHeader] = []
        var payloads: [ByteBuffer] = []
        var violation: String?
        var partialBytes = 0
    }

    /// Decodes one input.
    package static func run(_ input: some Sequence<UInt8>) {
        var input = InputBytes(input)
        let lengths = input.pieceLengths()
        let stream = input.takeRest()
        let whole = decode([stream])
        let pieces = decode(InputBytes.cut(stream, lengths))
        guard whole == pieces else { found("pieces of \(lengths) give \(pieces), all at once \(whole)") }
        check(whole, stream)
    }

    /// What the frames claim is what was there, and nothing is waited for that is too long.
    private static func check(_ outcome: Outcome, _ stream: [UInt8]) {
        var bytes = 0
        for (header, payload) in zip(outcome.headers, outcome.payloads) {
            guard Int(header.length) == payload.readableBytes, payload.readableBytes <= FrameLimits.payloadBytes else {
                found("a frame of \(header.length) bytes with \(payload.readableBytes)")
            }
            bytes += FrameLimits.headerBytes + payload.readableBytes
        }
        guard bytes + outcome.partialBytes <= stream.count else { found("\(bytes) bytes of frames out of \(stream.count)") }
        let rest = ByteBuffer(bytes: stream.suffix(outcome.partialBytes))
        guard outcome.violation == nil, rest.readableBytes >= FrameLimits.headerBytes else { return }
        guard let length = rest.getInteger(at: 0, endianness: .little, as: UInt32.self), length <= FrameLimits.payloadBytes,
            rest.readableBytes < FrameLimits.headerBytes + Int(length)
        else { found("more is waited for with \(rest.readableBytes) bytes, \(rest.readableBytesView.prefix(16))") }
    }

    private static func decode(_ pieces: [[UInt8]]) -> Outcome {
        var (decoder, outcome) = (FrameDecoder(), Outcome())
        do {
            for piece in pieces {
                decoder.append(ByteBuffer(bytes: piece))
                while let frame = try decoder.next() {
                    outcome.headers.append(frame.header)
                    outcome.payloads.append(frame.payload)
                }
                // The end of a read; the connection does it at some pieces only.
                if piece.count & 1 == 1 { decoder.compact() }
            }
            outcome.partialBytes = decoder.partialBytes
        } catch let violation {
            outcome.violation = violation.description
        }
        return outcome
    }
}
