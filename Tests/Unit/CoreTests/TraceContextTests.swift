import BulkheadCore
import Testing

@Suite("The traceparent header") struct TraceContextTests {
    static let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("a valid header is read into its parts and written back the same")
    func roundTrip() throws {
        let context = try #require(TraceContext(traceparent: Self.valid))
        #expect(context.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context.spanID == "00f067aa0ba902b7")
        #expect(context.flags == 1)
        #expect(context.traceparent == Self.valid)
    }

    @Test("ids with leading zeros keep their width")
    func leadingZeros() throws {
        let header = "00-00000000000000000000000000000001-0000000000000001-00"
        let context = try #require(TraceContext(traceparent: header))
        #expect(context.traceHigh == 0 && context.traceLow == 1 && context.span == 1)
        #expect(context.traceparent == header)
    }

    @Test("every flag survives, known or not")
    func flags() throws {
        for flags: UInt8 in 0 ... 255 {
            let context = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: flags)
            #expect(TraceContext(traceparent: context.traceparent) == context)
        }
    }

    @Test("a later version is read by the fields it shares, and answered in version 00")
    func laterVersion() throws {
        for header in ["01" + Self.valid.dropFirst(2), "cc" + Self.valid.dropFirst(2) + "-what-the-future-brings"] {
            let context = try #require(TraceContext(traceparent: header), "\(header)")
            #expect(context.traceparent == Self.valid)
        }
    }

    @Test(
        "what is not a valid header is none",
        arguments: [
            "", "00", "-", String(valid.dropLast()), valid + "0", valid + "-", valid + "-extra",
            "ff" + valid.dropFirst(2), "0x" + valid.dropFirst(2), valid.uppercased(), " " + valid.dropLast(),
            valid.replacing("-", with: "_"), "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g", "00-4bf92f3577b34da6a3ce929d0e0e47-3600f067aa0ba902b7-01",
            String(repeating: "0", count: 55), String(repeating: "-", count: 55), String(repeating: "é", count: 55),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7\u{0}01",
        ])
    func invalid(_ header: String) {
        #expect(TraceContext(traceparent: header) == nil)
    }

    @Test("cutting a header anywhere, or changing any byte to one that is no digit, makes it invalid")
    func everyByte() {
        for length in 0 ..< Self.valid.utf8.count { #expect(TraceContext(traceparent: Self.valid.prefix(length)) == nil) }
        for index in Self.valid.indices {
            #expect(TraceContext(traceparent: Self.valid.replacingCharacters(at: index, with: "g")) == nil)
        }
    }

    @Test("a new trace is valid, sampled and unlike the one before")
    func new() {
        let traces = (0 ..< 100).map { _ in TraceContext.new() }
        #expect(Set(traces).count == 100)
        for trace in traces {
            #expect(trace.flags == 1)
            #expect(TraceContext(traceparent: trace.traceparent) == trace)
        }
    }

    @Test("a child is in the same trace, with a span of its own")
    func child() {
        let parent = TraceContext(traceHigh: 7, traceLow: 8, span: 9, flags: 0)
        let child = parent.child()
        #expect(child.traceID == parent.traceID && child.flags == 0)
        #expect(child.span != parent.span && child.span != 0)
    }
}

extension String {
    fileprivate func replacingCharacters(at index: Index, with character: Character) -> String {
        var copy = self
        copy.replaceSubrange(index ... index, with: [character])
        return copy
    }
}
