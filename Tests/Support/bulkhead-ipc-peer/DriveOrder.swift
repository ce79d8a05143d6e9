import BulkheadCore
import BulkheadIPC
import NIOCore

/// One line of `drive`'s input.
struct DriveOrder: Decodable, Sendable {
    enum Action: String, Decodable {
        case unary
        case stream
        /// Cancels the call `id`.
        case cancel
        /// Prints the link as it is.
        case snapshot
    }

    let action: Action
    let id: String
    let method: String
    /// So many calls at once, with the ids `id.0`, `id.1`, …
    let times: Int
    /// The request's text, or as many bytes as `size` says.
    let body: String?
    let size: Int
    let deadlineMS: Int
    let waitMS: Int
    let isIdempotent: Bool
    /// Of a stream: how many messages to send, and how many to take; nil: all there are.
    let send: Int
    let take: Int?
    /// Of a stream: so long it stays open after `take` messages were taken.
    let holdMS: Int

    enum CodingKeys: String, CodingKey {
        case action = "do"
        case id, method, times, body, size, send, take
        case deadlineMS = "deadline_ms"
        case waitMS = "wait_ms"
        case isIdempotent = "idempotent"
        case holdMS = "hold_ms"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        action = try fields.decode(Action.self, forKey: .action)
        id = try fields.decodeIfPresent(String.self, forKey: .id) ?? ""
        method = try fields.decodeIfPresent(String.self, forKey: .method) ?? Echo.hop.name
        times = try fields.decodeIfPresent(Int.self, forKey: .times) ?? 1
        body = try fields.decodeIfPresent(String.self, forKey: .body)
        size = try fields.decodeIfPresent(Int.self, forKey: .size) ?? 0
        deadlineMS = try fields.decodeIfPresent(Int.self, forKey: .deadlineMS) ?? 10_000
        waitMS = try fields.decodeIfPresent(Int.self, forKey: .waitMS) ?? 0
        isIdempotent = try fields.decodeIfPresent(Bool.self, forKey: .isIdempotent) ?? false
        send = try fields.decodeIfPresent(Int.self, forKey: .send) ?? 0
        take = try fields.decodeIfPresent(Int.self, forKey: .take)
        holdMS = try fields.decodeIfPresent(Int.self, forKey: .holdMS) ?? 0
    }

    var message: ByteBuffer { body.map { ByteBuffer(string: $0) } ?? ByteBuffer(repeating: 7, count: size) }

    /// The id travels as request id, so that the server's journal tells what it executed.
    func options(_ id: String) -> CallOptions {
        CallOptions(
            deadline: .now() + .milliseconds(deadlineMS), metadata: CallMetadata(requestID: id), isIdempotent: isIdempotent,
            waitForReady: .milliseconds(waitMS))
    }
}

/// One line of `drive`'s output: the end of a call.
struct DriveResult: Encodable, Sendable {
    var id: String
    /// `ok`, or the status code's name.
    var code = "ok"
    var reason = ""
    var message = ""
    var notProcessed = false
    /// CLOCK_MONOTONIC.
    var startNS = MonotonicTime.now().nanoseconds
    var endNS: UInt64 = 0
    /// Messages and bytes received, and the beginning of the last message.
    var received = 0
    var bytes = 0
    var last = ""

    enum CodingKeys: String, CodingKey {
        case id, code, reason, message, received, bytes, last
        case notProcessed = "not_processed"
        case startNS = "start_ns"
        case endNS = "end_ns"
    }

    mutating func take(_ message: ByteBuffer) {
        received += 1
        bytes += message.readableBytes
        last = String(decoding: message.readableBytesView.prefix(64), as: UTF8.self)
    }

    mutating func end(_ error: (any Error)? = nil) {
        endNS = MonotonicTime.now().nanoseconds
        guard let error else { return }
        let told =
            error as? CallError ?? CallError(error is CancellationError ? .cancelled : .unknown, message: "\(type(of: error))")
        (code, reason, message, notProcessed) = ("\(told.code)", told.reason, told.message, told.notProcessed)
    }
}
