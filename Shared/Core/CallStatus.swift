/// The status of a call between two processes: gRPC's codes, unchanged, so that people's knowledge carries over.
/// Source: grpc/doc/statuscodes.md.
package enum StatusCode: UInt32, Sendable, CaseIterable {
    case ok = 0
    case cancelled = 1
    case unknown = 2
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case alreadyExists = 6
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case aborted = 10
    case outOfRange = 11
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case dataLoss = 15
    case unauthenticated = 16
}

/// Why a call did not succeed. Crosses processes as the IPC status; never carries a secret, a prompt or a body.
package struct CallError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of failure.
    package var code: StatusCode
    /// A stable word for programs, e.g. `secret_missing`; empty when the code says it all.
    package var reason: String
    /// What was wrong, with which value, and what to do. For people.
    package var message: String
    /// When a retry may succeed, if the peer knows.
    package var retryAfter: Duration?
    /// True when the call was provably not executed, so that running it again is safe.
    package var notProcessed: Bool
    /// The process that gave up, e.g. `credentials`; nil when unknown.
    package var origin: String?
    /// More for the caller's program, in a form the two services agree on; at most 1 KiB crosses processes.
    package var detail: [UInt8]

    /// - Parameters:
    ///   - code: the class of failure; never `.ok`.
    ///   - reason: a stable word for programs.
    ///   - message: a sentence for people, free of secrets.
    package init(
        _ code: StatusCode, reason: String = "", message: String, retryAfter: Duration? = nil, notProcessed: Bool = false,
        origin: String? = nil, detail: [UInt8] = []
    ) {
        self.code = code
        self.reason = reason
        self.message = message
        self.retryAfter = retryAfter
        self.notProcessed = notProcessed
        self.origin = origin
        self.detail = detail
    }

    package var description: String {
        "\(code)\(reason.isEmpty ? "" : " (\(reason))"): \(message)\(origin.map { " [from \($0)]" } ?? "")"
    }
}
