import BulkheadCore
import Logging
import NIOCore
import Synchronization

// States: none (no document was read yet: tokens cannot be judged) → fresh → (a load fails) kept: the last keys serve, and edge
// says that it is degraded → fresh again, or after 24 hours none. A load is under way or not, in each of them; whoever needs one
// waits for that which is under way.

/// The keys of the issuer, as they were last read. One load at a time, whoever asks for it.
package final class TokenKeys: Sendable {
    /// Reads the document. - Throws: `TokenKeyProblem`, or what its way throws.
    package typealias Load = @Sendable () async throws -> ByteBuffer

    /// How long keys serve that cannot be read again.
    package static let longestUse = Duration.seconds(86_400)

    /// Why a token has the keys read. A token is of the client's choice: none may cause one request after the other.
    package enum Cause: Hashable, Sendable {
        /// Its key id is not known.
        case unknownKey
        /// There are no keys to judge it by.
        case noKeys

        /// How often it may.
        var pause: Duration {
            switch self {
            case .unknownKey: .seconds(30)
            case .noKeys: .seconds(1)
            }
        }
    }

    /// Why the keys are not as they should be.
    package struct Trouble: Sendable, Equatable {
        package var reason: String
        /// Seconds since 1970.
        package var since: Int
    }

    /// What is told of the keys.
    package struct Observer: Sendable {
        /// There are other keys than before.
        var changed: @Sendable () -> Void = {}
        /// Trouble began or ended (nil).
        var troubled: @Sendable (Trouble?) -> Void = { _ in }
        /// A load is over, and whether it gave keys.
        var loaded: @Sendable (_ isGood: Bool) -> Void = { _ in }

        package init(
            changed: @escaping @Sendable () -> Void = {}, troubled: @escaping @Sendable (Trouble?) -> Void = { _ in },
            loaded: @escaping @Sendable (_ isGood: Bool) -> Void = { _ in }
        ) {
            self.changed = changed
            self.troubled = troubled
            self.loaded = loaded
        }
    }

    private struct State {
        var set: TokenKeySet?
        var readAt = MonotonicTime.never
        /// When tokens last caused a load.
        var askedAt: [Cause: MonotonicTime] = [:]
        var isLoading = false
        /// Bounded by the requests that may run at once.
        var waiting: [CheckedContinuation<Void, Never>] = []
        var trouble: Trouble?
    }

    private let algorithms: [TokenAlgorithm]
    private let load: Load
    private let clock: @Sendable () -> MonotonicTime
    private let logger: Logger
    private let observer: Observer
    private let state = Mutex(State())

    package init(
        algorithms: [TokenAlgorithm], logger: Logger, observer: Observer = Observer(),
        clock: @escaping @Sendable () -> MonotonicTime = { .now() }, load: @escaping Load
    ) {
        self.algorithms = algorithms
        self.load = load
        self.clock = clock
        self.logger = logger
        self.observer = observer
    }

    /// What is wrong; nil: nothing.
    package var trouble: Trouble? { state.withLock { $0.trouble } }

    /// Since the keys were read; nil: they never were.
    package var age: Duration? { state.withLock { $0.set == nil ? nil : clock() - $0.readAt } }

    /// The keys, unless there are none or they are too old.
    package var current: TokenKeySet? {
        state.withLock { state in state.set.flatMap { clock() - state.readAt <= Self.longestUse ? $0 : nil } }
    }

    /// Reads the keys again, or waits for who does already. A caller that leaves takes nothing from the others.
    package func reload() async { await wait { _ in true } }

    /// As `reload`, for a token.
    /// - Returns: false when it is too early, and nobody reads.
    package func reload(for cause: Cause) async -> Bool {
        await wait { state in
            let now = clock()
            if let askedAt = state.askedAt[cause], now - askedAt < cause.pause { return false }
            state.askedAt[cause] = now
            return true
        }
    }

    @discardableResult
    private func wait(_ mayStart: (inout State) -> Bool) async -> Bool {
        enum Step { case refuse, wait, start }
        let step = state.withLock { state -> Step in
            if state.isLoading { return .wait }
            guard mayStart(&state) else { return .refuse }
            state.isLoading = true
            return .start
        }
        if step == .refuse { return false }
        await withCheckedContinuation { (answer: CheckedContinuation<Void, Never>) in
            let isOver = state.withLock { state in
                guard state.isLoading else { return true }
                state.waiting.append(answer)
                return false
            }
            if isOver { return answer.resume() }
            if step == .start { _ = Task(name: "token keys") { await self.read() } }
        }
        return true
    }

    private func read() async {
        let known = state.withLock { $0.set }
        do {
            let document = try await load()
            // Most loads bring what is known: nothing is parsed then.
            if let known, known.document == document { return finish(.success(known), isNew: false) }
            finish(.success(try await TokenKeySet(document, algorithms: algorithms)), isNew: true)
        } catch {
            finish(.failure(error), isNew: false)
        }
    }

    private func finish(_ outcome: Result<TokenKeySet, any Error>, isNew: Bool) {
        let (waiting, trouble) = state.withLock { state -> ([CheckedContinuation<Void, Never>], (was: Trouble?, is: Trouble?)) in
            let was = state.trouble
            switch outcome {
            case .success(let set):
                (state.set, state.readAt, state.trouble) = (set, clock(), nil)
            case .failure(let error):
                let reason = Self.reason(error, hasKeys: state.set != nil)
                state.trouble = Trouble(reason: reason, since: was?.since ?? WallClock.unixSeconds())
            }
            state.isLoading = false
            defer { state.waiting = [] }
            return (state.waiting, (was, state.trouble))
        }
        if isNew, case .success(let set) = outcome {
            logger.notice("keys of the identity provider read", metadata: ["refused": "\(set.refused.joined(separator: "; "))"])
            observer.changed()
        }
        observer.loaded(trouble.is == nil)
        if trouble.was != trouble.is {
            if let now = trouble.is, trouble.was?.reason != now.reason { logger.warning("\(now.reason)") }
            observer.troubled(trouble.is)
        }
        for answer in waiting { answer.resume() }
    }

    private static func reason(_ error: any Error, hasKeys: Bool) -> String {
        let why =
            switch error {
            case let problem as TokenKeyProblem: problem.description
            case let call as CallError: call.reason.isEmpty ? "\(call.code)" : call.reason
            default: "an unexpected failure"
            }
        let consequence = hasKeys ? "the last ones serve for up to 24 h" : "tokens cannot be checked"
        return "the keys of the identity provider cannot be read (\(why)): \(consequence)"
    }
}

// Keeping them.
extension TokenKeys {
    /// Between loads that succeed, and after one that failed: doubled up to the last.
    package struct Rhythm: Sendable {
        var good: Duration
        var failed: (first: Duration, longest: Duration)

        /// Of a file, which costs nothing to look at.
        static let file = Rhythm(good: .seconds(2), failed: (.seconds(2), .seconds(2)))
        /// Of a document fetched over the network; a key id that is not known fetches it earlier.
        static let network = Rhythm(good: .seconds(300), failed: (.seconds(1), .seconds(60)))
    }

    /// Reads the keys now and again until cancelled.
    func run(_ rhythm: Rhythm, on eventLoop: any EventLoop) async {
        var pause = rhythm.failed.first
        while !Task.isCancelled {
            await reload()
            let isGood = trouble == nil
            if isGood { pause = rhythm.failed.first }
            do { try await eventLoop.sleep(isGood ? rhythm.good : pause) } catch { return }
            if !isGood { pause = min(pause * 2, rhythm.failed.longest) }
        }
    }
}
