import BulkheadAPI
import BulkheadCore
import BulkheadStore
import NIOCore

/// Reads a kept stream to its end: what is there in pages, then what is added, as it comes.
///
/// CATCHING UP → (a page) CATCHING UP → (nothing more) WAITING → (a word, or the time is over) CATCHING UP. It ends when the
/// claim is completed and all of it was sent, or when nobody will add to it any more: its maker is gone, or the claim is.
struct StreamReading: Sendable {
    let store: any DurableStore
    let followers: StreamFollowers
    let streamID: String
    let tenant: String
    /// As in `ClaimOwner`.
    let owner: String
    let deadline: MonotonicTime
    let loop: any EventLoop
    let send: @Sendable (SessionAPI.ReadStreamReply) async throws -> Void

    /// How often the store is asked for a stream another process makes.
    private static let pollInterval = Duration.milliseconds(200)
    /// How often for one of this process, whose words come by themselves: only to see that its maker is gone.
    private static let checkInterval = Duration.seconds(1)
    /// What each follower adds to both, so that all of them together ask no more than 2 000 times in a second.
    private static let intervalPerFollower = Duration.microseconds(500)

    /// - Parameter first: the last piece the reader has.
    /// - Throws: NOT_FOUND when there is no such stream or it is another tenant's or owner's; RESOURCE_EXHAUSTED; what `send` and the store
    ///   throw.
    func run(after first: Int64) async throws {
        let follower = try followers.join(streamID)
        defer { followers.leave(streamID, follower) }
        var (after, isBegun) = (max(0, first), false)
        while true {
            let (read, from) = (try await page(after: after), after)
            guard let (state, pieces) = read, isBegun || (state.belongs(to: owner, of: tenant) && !state.isExpired) else {
                if isBegun { return try await send(Self.brokenOff(after)) }
                throw Self.notFound
            }
            // Part of it was deleted while it was read.
            if let next = pieces.first, next.seq != from + 1 { return try await send(Self.brokenOff(from, isTruncated: true)) }
            after = pieces.last?.seq ?? after
            let end = state.end(after: after, isCaughtUp: pieces.isEmpty)
            var replies = Self.replies(pieces, end)
            // With the first word its head; a stream of which nothing is there yet may still become another answer.
            if replies.isEmpty, !isBegun, after > 0 { replies = [SessionAPI.ReadStreamReply()] }
            if !isBegun, !replies.isEmpty {
                replies[0].head = Self.head(state.head)
                isBegun = true
            }
            for reply in replies { try await send(reply) }
            if end != nil { return }
            if pieces.isEmpty { try await follower.wait(atMost: interval(follower), on: loop) }
        }
    }

    private func page(after: Int64) async throws -> (state: StreamState, pieces: [KeptPiece])? {
        let streamID = streamID
        return try await store.transact(deadline: deadline) { try StreamTable.read(streamID, after: after, $0) }
    }

    private func interval(_ follower: StreamFollower) -> Duration {
        let isLocal = store.kind == .sqlite || follower.hasBeenTold
        return (isLocal ? Self.checkInterval : Self.pollInterval) + Self.intervalPerFollower * followers.count
    }

    /// Pieces in replies of a bounded size, the end with the last of them.
    private static func replies(_ pieces: [KeptPiece], _ end: SessionAPI.StreamEnd?) -> [SessionAPI.ReadStreamReply] {
        var (replies, size) = ([SessionAPI.ReadStreamReply](), 0)
        for piece in pieces {
            if replies.isEmpty || size + piece.bytes.readableBytes > StreamTable.pageBytes {
                replies.append(SessionAPI.ReadStreamReply())
                size = 0
            }
            size += piece.bytes.readableBytes
            replies[replies.count - 1].pieces.append(SessionAPI.StreamPiece(seq: Int(piece.seq), bytes: piece.bytes))
        }
        if let end {
            if replies.isEmpty { replies.append(SessionAPI.ReadStreamReply()) }
            replies[replies.count - 1].end = end
        }
        return replies
    }

    private static func head(_ head: KeptAnswer) -> SessionAPI.StoredAnswer {
        SessionAPI.StoredAnswer(
            status: head.status, contentType: head.contentType, headers: head.headers, requestID: head.requestID)
    }

    private static func brokenOff(_ lastSeq: Int64, isTruncated: Bool = false) -> SessionAPI.ReadStreamReply {
        SessionAPI.ReadStreamReply(
            end: SessionAPI.StreamEnd(lastSeq: Int(lastSeq), incomplete: true, truncated: isTruncated))
    }

    /// One answer for both, so that nobody learns of another's streams.
    private static var notFound: CallError {
        CallError(.notFound, reason: "no_stream", message: "there is no such stream, or it is not kept any more")
    }
}

extension StreamState {
    /// How the stream ended, once all of it was read; nil: more will come, or is there.
    fileprivate func end(after: Int64, isCaughtUp: Bool) -> SessionAPI.StreamEnd? {
        guard isCompleted else {
            return isAbandoned && isCaughtUp ? SessionAPI.StreamEnd(lastSeq: Int(after), incomplete: true) : nil
        }
        guard isCaughtUp || after >= lastSeq else { return nil }
        let isCut = !isRetained || after < lastSeq
        return SessionAPI.StreamEnd(lastSeq: Int(lastSeq), incomplete: isIncomplete || isCut, truncated: isCut)
    }
}
