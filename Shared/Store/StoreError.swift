import BulkheadCore

/// Why a store cannot be opened, and what to do.
package struct StoreOpenError: Error, Sendable, CustomStringConvertible {
    package let description: String

    /// - Parameter description: what is wrong, with which value, and what to do.
    package init(_ description: String) { self.description = description }
}

/// What a store that fails says to those who wait for it.
enum StoreFailure {
    /// The most that may wait is waiting.
    static func busy(_ most: Int) -> CallError {
        CallError(
            .resourceExhausted, reason: "store_busy",
            message: "\(most) operations wait for the store already: try again in a moment", retryAfter: .seconds(1),
            notProcessed: true)
    }

    /// The store failed: nothing was changed.
    static func unavailable(_ said: String) -> CallError {
        CallError(
            .unavailable, reason: "store_unavailable", message: "the store failed (\(said)): nothing was changed",
            retryAfter: .seconds(1))
    }

    /// The caller's time was over before the work began.
    static var late: CallError {
        CallError(.deadlineExceeded, reason: "store_late", message: "the store had no time for this before its deadline")
    }
}
