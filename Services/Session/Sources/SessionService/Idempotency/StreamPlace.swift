/// Where a client left a stream: what `Last-Event-ID` says.
package struct StreamPlace: Sendable, Equatable {
    /// One run of one stream.
    package struct Run: Sendable, Equatable {
        package var streamID: String
        package var fence: Int64
    }

    /// nil: that of the present run, whichever it is.
    package var run: Run?
    /// The last piece the client has.
    package var seq: Int64

    /// A run that never is: its places are gone.
    private static let nowhere = Run(streamID: "", fence: 0)

    /// `<stream id>.<fence>.<seq>`, or a bare number. Anything else is a place in no stream of ours.
    package init(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 1, let seq = Self.number(parts[0]) {
            (run, self.seq) = (nil, seq)
        } else if parts.count == 3, !parts[0].isEmpty, let fence = Self.number(parts[1]), let seq = Self.number(parts[2]) {
            (run, self.seq) = (Run(streamID: String(parts[0]), fence: fence), seq)
        } else {
            (run, seq) = (Self.nowhere, 0)
        }
    }

    /// The client has nothing and names no run: a new one serves it as well.
    var isBegin: Bool { run == nil && seq == 0 }

    func isIn(_ stream: KeptStream) -> Bool { run.map { $0 == Run(streamID: stream.id, fence: stream.fence) } ?? true }

    private static func number(_ text: Substring) -> Int64? {
        guard (1 ... 18).contains(text.utf8.count), text.utf8.allSatisfy({ (48 ... 57).contains($0) }) else { return nil }
        return Int64(text)
    }
}
