import Synchronization

/// What the first look for the server found: OPEN → (settle) SETTLED; those who wait and those who come later are told.
final class FirstContact: Sendable {
    typealias Finding = Result<StoreAvailability, StoreOpenError>

    private struct State {
        var finding: Finding?
        var waiting: [CheckedContinuation<StoreAvailability, any Error>] = []
    }

    private let state = Mutex(State())

    /// The first finding counts.
    func settle(_ finding: Finding) {
        let waiting = state.withLock { state -> [CheckedContinuation<StoreAvailability, any Error>] in
            guard state.finding == nil else { return [] }
            state.finding = finding
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(with: finding) }
    }

    func value() async throws -> StoreAvailability {
        try await withCheckedThrowingContinuation { continuation in
            let finding = state.withLock { state -> Finding? in
                if state.finding == nil { state.waiting.append(continuation) }
                return state.finding
            }
            if let finding { continuation.resume(with: finding) }
        }
    }
}
