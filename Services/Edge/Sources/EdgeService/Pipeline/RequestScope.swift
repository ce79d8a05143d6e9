import BulkheadCore
import HTTPTypes

/// What identifies one request: its id, its trace, its start.
package struct RequestScope: Sendable {
    let id: String
    let trace: TraceContext
    let traceID: String
    let startedAt = MonotonicTime.now()

    /// Of a request with these headers.
    init(_ headers: RequestHeaders = RequestHeaders()) {
        id = Self.kept(headers[.requestID]) ?? Self.kept(headers[.correlationID]) ?? Self.newID()
        trace = headers[.traceparent].flatMap { TraceContext(traceparent: $0) }?.child() ?? .new()
        traceID = trace.traceID
    }

    /// A client's id if it is sane: at most 128 letters, digits and `._:-`; nothing that could break a log or a page.
    package static func kept(_ text: String?) -> String? {
        guard let text, (1 ... 128).contains(text.utf8.count), text.utf8.allSatisfy(isSane) else { return nil }
        return text
    }

    private static func isSane(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func newID() -> String {
        "req_" + TraceContext.digits(QuickRandom.next(), 16) + TraceContext.digits(QuickRandom.next(), 8)
    }
}
