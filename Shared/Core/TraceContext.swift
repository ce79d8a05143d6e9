/// The W3C trace context of a request: one trace, the current span. Source: W3C Trace Context, `traceparent` version 00.
package struct TraceContext: Sendable, Hashable {
    /// 128-bit trace id; never zero.
    package var traceHigh: UInt64
    package var traceLow: UInt64
    /// 64-bit id of the span that makes the call; never zero.
    package var span: UInt64
    /// Bit 0: sampled.
    package var flags: UInt8

    /// Assembles a context from its parts; zero ids are invalid by the standard and must not be passed.
    package init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, flags: UInt8) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.flags = flags
    }

    /// A new trace with a new root span, sampled.
    package static func new() -> TraceContext {
        TraceContext(traceHigh: QuickRandom.nonZero(), traceLow: QuickRandom.nonZero(), span: QuickRandom.nonZero(), flags: 1)
    }

    /// The same trace with a new span.
    package func child() -> TraceContext {
        TraceContext(traceHigh: traceHigh, traceLow: traceLow, span: QuickRandom.nonZero(), flags: flags)
    }

    /// Parses a `traceparent` header; nil when it is not a valid one of version 00 (or a later one with the same prefix).
    package init?(traceparent: some StringProtocol) {
        let bytes = Array(traceparent.utf8)
        guard bytes.count >= 55, bytes[2] == 45, bytes[35] == 45, bytes[52] == 45 else { return nil }
        guard let version = Self.hex(bytes[0 ..< 2]), version != 0xff, version != 0 || bytes.count == 55,
            let high = Self.hex(bytes[3 ..< 19]), let low = Self.hex(bytes[19 ..< 35]), let span = Self.hex(bytes[36 ..< 52]),
            let flags = Self.hex(bytes[53 ..< 55]), high != 0 || low != 0, span != 0
        else { return nil }
        self.init(traceHigh: high, traceLow: low, span: span, flags: UInt8(truncatingIfNeeded: flags))
    }

    /// The trace id as 32 lower-case hexadecimal digits.
    package var traceID: String { Self.digits(traceHigh, 16) + Self.digits(traceLow, 16) }
    /// The span id as 16 lower-case hexadecimal digits.
    package var spanID: String { Self.digits(span, 16) }
    /// The `traceparent` header.
    package var traceparent: String { "00-\(traceID)-\(spanID)-\(Self.digits(UInt64(flags), 2))" }

    private static func hex(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for byte in bytes {
            switch byte {
            case 48 ... 57: value = value << 4 | UInt64(byte - 48)
            case 97 ... 102: value = value << 4 | UInt64(byte - 87)
            default: return nil
            }
        }
        return value
    }

    /// The last `width` hexadecimal digits of a number, with leading zeros, in lower case.
    package static func digits(_ value: UInt64, _ width: Int) -> String {
        String(unsafeUninitializedCapacity: width) { space in
            for place in 0 ..< width {
                let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * (width - 1 - place))) & 15
                space.initializeElement(at: place, to: digit < 10 ? 48 + digit : 87 + digit)
            }
            return width
        }
    }
}
