import BulkheadCore
import BulkheadStore
import NIOCore

/// One event of a kept stream.
package struct KeptPiece: Sendable, Equatable {
    /// From 1, without gaps.
    package var seq: Int64
    package var bytes: ByteBuffer

    /// A piece of its parts.
    package init(seq: Int64, bytes: ByteBuffer) {
        self.seq = seq
        self.bytes = bytes
    }
}

/// What became of pieces that were to be added.
package enum AppendOutcome: Sendable, Equatable {
    /// They are kept, or were before.
    case kept
    /// Another admission holds the claim, or it has ended.
    case stale
    /// The stream has reached the most that is kept: nothing was added, and nothing will be.
    case full
}

/// The rows of `stream_piece`: a batch of pieces each. Rows are added and deleted, never changed: a piece costs one row's share,
/// and the claim is not touched.
package enum StreamTable {
    /// Bytes of one stream, all its pieces together.
    package static let maximumBytes: Int64 = 16 << 20
    /// Pieces of one stream.
    package static let maximumPieces: Int64 = 100_000
    /// Bytes of a row, unless one piece alone has more.
    static let rowBytes = 64 << 10
    /// Bytes of pieces read at once, unless one piece alone has more.
    package static let pageBytes = 256 << 10
    /// Rows read at once.
    private static let pageRows = 512
    /// How long the pieces of a stream stay after it is gone, in milliseconds: who follows it sees its end.
    private static let graceAfterEnd: Int64 = 60_000
    /// Rows deleted in one transaction.
    package static let sweepBatch = 500

    private static let tail = Statement(
        "stream.tail",
        """
        SELECT claim.phase, claim.is_full, tip.seq_to, tip.end_byte FROM claim
        LEFT JOIN stream_piece AS tip ON tip.stream_id = claim.stream_id
            AND tip.seq_to = (SELECT max(piece.seq_to) FROM stream_piece AS piece WHERE piece.stream_id = claim.stream_id)
        WHERE claim.admission = $1 AND claim.fence = $2 AND claim.stream_id = $3
        """)
    private static let insert = Statement(
        "stream.append",
        """
        INSERT INTO stream_piece (stream_id, seq_to, seq_from, first_byte, end_byte, bytes) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (stream_id, seq_to) DO NOTHING
        """)
    private static let markFull = Statement(
        "stream.full", "UPDATE claim SET is_full = 1 WHERE admission = $1 AND fence = $2 AND phase < 3")

    /// Adds pieces. Those that are there already change nothing.
    /// - Throws: INVALID_ARGUMENT when one is missing between what is there and what is added.
    package static func append(
        _ pieces: [KeptPiece], to streamID: String, _ admission: String, fence: Int64, _ store: any StoreTransaction
    ) throws -> AppendOutcome {
        let found = try store.rows(tail, [.text(admission), .integer(fence), .text(streamID)]).first
        guard let found else { return .stale }
        let (lastSeq, endByte) = (found.integer(2), found.integer(3))
        let added = pieces.drop { $0.seq <= lastSeq }
        guard let first = added.first, let last = added.last else { return .kept }
        guard found.integer(0) < ClaimPhase.completed.rawValue else { return .stale }
        guard !found.bool(1) else { return .full }
        guard first.seq == lastSeq + 1 else { throw gap(first.seq, lastSeq) }
        let size = added.reduce(Int64(0)) { $0 + Int64($1.bytes.readableBytes) }
        guard last.seq <= maximumPieces, endByte + size <= maximumBytes else {
            try store.run(markFull, [.text(admission), .integer(fence)])
            return .full
        }
        try write(added, to: streamID, from: endByte, store)
        return .kept
    }

    private static func write(
        _ pieces: ArraySlice<KeptPiece>, to streamID: String, from endByte: Int64, _ store: any StoreTransaction
    ) throws {
        var (rest, begin) = (pieces, endByte)
        while let first = rest.first {
            let count = PieceRow.count(rest, within: rowBytes)
            let row = rest.prefix(count)
            let end = begin + row.reduce(Int64(0)) { $0 + Int64($1.bytes.readableBytes) }
            try store.run(
                insert,
                [
                    .text(streamID), .integer(first.seq + Int64(count) - 1), .integer(first.seq), .integer(begin), .integer(end),
                    .bytes(PieceRow.encode(row)),
                ])
            rest = rest.dropFirst(count)
            begin = end
        }
    }

    private static func gap(_ first: Int64, _ last: Int64) -> CallError {
        CallError(
            .invalidArgument, reason: "stream_gap",
            message: "the stream has pieces up to \(last), and those added begin at \(first): send what is missing first")
    }

    // MARK: ends

    /// What is kept of a stream that ends.
    static func kept(
        _ end: ClaimEnd, _ admission: String, fence: Int64, _ store: any StoreTransaction
    ) throws -> (lastSeq: Int64, isWhole: Bool) {
        let found = try store.rows(keptStatement, [.text(admission), .integer(fence)]).first
        let lastSeq = found?.integer(1) ?? 0
        return (lastSeq, !end.isTruncated && !(found?.bool(0) ?? true) && lastSeq >= end.lastSeq)
    }

    private static let keptStatement = Statement(
        "stream.kept",
        """
        SELECT claim.is_full, (SELECT max(piece.seq_to) FROM stream_piece AS piece WHERE piece.stream_id = claim.stream_id)
        FROM claim WHERE claim.admission = $1 AND claim.fence = $2 AND claim.stream_id IS NOT NULL
        """)

    private static let discarded = Statement(
        "stream.discard", "INSERT INTO stream_gone (stream_id, due_at) VALUES ($1, $2) ON CONFLICT (stream_id) DO NOTHING")
    private static let due = Statement(
        "stream.due", "SELECT stream_id FROM stream_gone WHERE due_at <= $1 ORDER BY due_at LIMIT $2")
    private static let sweepPieces = Statement(
        "stream.sweep",
        """
        DELETE FROM stream_piece WHERE stream_id = $1 AND seq_to IN (
            SELECT piece.seq_to FROM stream_piece AS piece WHERE piece.stream_id = $1 ORDER BY piece.seq_to LIMIT $2)
        """)
    private static let forget = Statement("stream.forget", "DELETE FROM stream_gone WHERE stream_id = $1")

    /// Nobody can ask for the stream any more: its pieces are deleted later.
    static func discard(_ streamID: String, _ store: any StoreTransaction) throws {
        try store.run(discarded, [.text(streamID), .integer(store.now + graceAfterEnd)])
    }

    /// Deletes at most `sweepBatch` rows of streams that are gone. - Returns: whether there may be more.
    package static func sweep(_ store: any StoreTransaction) throws -> Bool {
        let gone = try store.rows(due, [.integer(store.now), .integer(sweepBatch)])
        var left = sweepBatch
        for row in gone {
            let deleted = try store.run(sweepPieces, [.text(row.text(0)), .integer(left)])
            guard deleted < left else { return true }
            left -= deleted
            try store.run(forget, [.text(row.text(0))])
        }
        return gone.count == sweepBatch
    }

    // MARK: reading

    private static let state = Statement(
        "stream.state",
        """
        SELECT tenant, phase, fence, lease_until, expires_at, last_seq, is_incomplete, is_retained, is_duplicate, request_id,
            status, content_type, headers, owner
        FROM claim WHERE stream_id = $1
        """)
    private static let page = Statement(
        "stream.page",
        """
        SELECT seq_from, bytes FROM stream_piece
        WHERE stream_id = $1 AND seq_to > $2 AND first_byte < CAST($3 AS BIGINT) + (
            SELECT nearest.first_byte FROM stream_piece AS nearest WHERE nearest.stream_id = $1 AND nearest.seq_to > $2
            ORDER BY nearest.seq_to LIMIT 1)
        ORDER BY seq_to LIMIT $4
        """)

    /// How it stands with a stream, and pieces after `after`: some, if there are any. - Returns: nil when nobody holds or keeps
    /// the stream.
    static func read(
        _ streamID: String, after: Int64, _ store: any StoreTransaction
    ) throws -> (state: StreamState, pieces: [KeptPiece])? {
        guard let row = try store.rows(state, [.text(streamID)]).first else { return nil }
        let rows = try store.rows(
            page, [.text(streamID), .integer(after), .integer(pageBytes - rowBytes), .integer(pageRows)])
        let pieces = try rows.flatMap { try PieceRow.decode($0.bytes(1), from: $0.integer(0)) }
        return (StreamState(row, now: store.now), pieces.filter { $0.seq > after })
    }
}

/// How it stands with a stream.
struct StreamState: Sendable {
    private let tenant: String
    private let owner: String
    let fence: Int64
    let isCompleted: Bool
    /// Whoever made it has not been heard of for a lease.
    let isAbandoned: Bool
    let isExpired: Bool
    let lastSeq: Int64
    let isIncomplete: Bool
    let isRetained: Bool
    let head: KeptAnswer

    init(_ row: SQLRow, now: Int64) {
        tenant = row.text(0)
        owner = row.text(13)
        isCompleted = row.integer(1) == ClaimPhase.completed.rawValue
        fence = row.integer(2)
        isAbandoned = !isCompleted && row.integer(3) <= now
        isExpired = (row.optionalInteger(4) ?? .max) <= now
        lastSeq = row.integer(5)
        isIncomplete = row.bool(6)
        isRetained = row.bool(7)
        let request = row.text(9)
        head =
            isCompleted && isRetained
            ? KeptAnswer(
                status: Int(row.integer(10)), contentType: row.text(11), headers: ClaimTable.lines(row.text(12)),
                body: ByteBuffer(), requestID: request)
            : .runningStream(request)
    }

    func belongs(to owner: String, of tenant: String) -> Bool { self.tenant == tenant && self.owner == owner }
}

/// Pieces in the form of a row: each with its length in front, four bytes, highest first.
private enum PieceRow {
    /// How many of the first pieces make one row; at least one.
    static func count(_ pieces: ArraySlice<KeptPiece>, within limit: Int) -> Int {
        var (count, size) = (0, 0)
        for piece in pieces {
            size += 4 + piece.bytes.readableBytes
            if count > 0, size > limit { break }
            count += 1
        }
        return count
    }

    static func encode(_ pieces: ArraySlice<KeptPiece>) -> ByteBuffer {
        var row = ByteBuffer()
        for piece in pieces {
            row.writeInteger(UInt32(piece.bytes.readableBytes))
            row.writeImmutableBuffer(piece.bytes)
        }
        return row
    }

    /// - Throws: DATA_LOSS for bytes no writer of ours made.
    static func decode(_ bytes: ByteBuffer, from seq: Int64) throws -> [KeptPiece] {
        var (rest, pieces) = (bytes, [KeptPiece]())
        while rest.readableBytes > 0 {
            guard let length = rest.readInteger(as: UInt32.self), let piece = rest.readSlice(length: Int(length)) else {
                throw CallError(
                    .dataLoss, reason: "stream_damaged", message: "a row of the kept stream is damaged after piece \(seq)")
            }
            pieces.append(KeptPiece(seq: seq + Int64(pieces.count), bytes: piece))
        }
        return pieces
    }
}
