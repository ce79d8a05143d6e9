import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

// A request's way: covered? no → ask. Refresh → ask, keep. Else it joins its flight: as leader it looks, and asks in vain of a
// kept answer; as follower it waits for the leader's answer, and leads when that fails.

/// What the asking of targets must know of the cache.
package struct CacheWish: Sendable {
    /// The events of the answer are wanted back.
    package let keeps: Bool
    /// What START says of the cache.
    package let outcome: ChatAPI.CacheOutcome
    /// What START says was missing, besides what the asking itself finds missing.
    package let degraded: [String]
    /// For `AnswerCache.lookupStale`; nil when the request may not be answered from the cache.
    package let key: CacheKey?
}

/// Answers to requests of the same meaning, by rules of their own. It is asked after the exact cache, in the same partition.
package protocol SimilarAnswers: Sendable {
    /// The events of an answer as they are to be told, START saying `semantic` or `normalized`; nil when none is similar enough.
    func lookup(_ chat: ChatAPI.ChatRequest, alias: String, partition: CachePartition) async -> [ChatAPI.ChatEvent]?
}

/// Answers a chat from the cache, or has it asked and keeps the answer.
package final class CachedChat: Sendable {
    package typealias Ask = (CacheWish) async throws -> [ChatAPI.ChatEvent]?

    package let cache: AnswerCache
    package let similar: (any SimilarAnswers)?
    package let eventLoop: any EventLoop

    /// How often a streaming caller who waits for another's answer is told that it is worth it.
    package let keepalive: Duration

    package init(
        cache: AnswerCache, similar: (any SimilarAnswers)? = nil, eventLoop: any EventLoop, keepalive: Duration = .seconds(10)
    ) {
        self.keepalive = keepalive
        self.cache = cache
        self.similar = similar
        self.eventLoop = eventLoop
    }

    /// One request and what is known of it.
    package final class Request: Sendable {
        package let chat: ChatAPI.ChatRequest
        package let policy: RouterAPI.CachePolicy
        package let route: Route
        package let metadata: CallMetadata
        package let deadline: MonotonicTime

        package init(
            _ chat: ChatAPI.ChatRequest, _ policy: RouterAPI.CachePolicy, _ route: Route, metadata: CallMetadata,
            deadline: MonotonicTime
        ) {
            self.chat = chat
            self.policy = policy
            self.route = route
            self.metadata = metadata
            self.deadline = deadline
        }

        fileprivate var partition: CachePartition { CachePartition(metadata) }

        /// When it is over, from now.
        fileprivate var end: MonotonicTime {
            RequestDeadline(caller: deadline, total: route.timeouts.total, now: .now()).time
        }
    }

    /// - Parameters:
    ///   - write: sends events to the caller.
    ///   - ask: asks the targets and sends the answer's events to the caller. Gives the events of a whole answer if they were
    ///     wanted, nil when there is none that others may get (the configured fallback answer, one too large to be kept).
    /// - Throws: what `ask` throws; DEADLINE_EXCEEDED when the time ran out while an equal request was being answered.
    package func run(
        _ request: Request, _ exact: AnswerCacheConfiguration.Exact,
        write: @escaping (RouterAPI.CompleteReply) async throws -> Void, ask: @escaping Ask
    ) async throws {
        let use = CacheUse(request.policy, exact, request.chat)
        guard use.keeps, let key = Self.key(request) else {
            _ = try await ask(CacheWish(keeps: false, outcome: use.outcome, degraded: [], key: nil))
            return
        }
        let turn = Turn(chat: self, request: request, ttl: exact.ttl, key: key, write: write, ask: ask)
        if use.looks { try await turn.join() } else { _ = try await turn.askAndKeep(degraded: []) }
    }

    /// nil: a request too large to be written down is too large to be kept.
    @inline(never)
    private static func key(_ request: Request) -> CacheKey? {
        try? CacheKey(request.chat, alias: request.route.alias, partition: request.partition)
    }

    /// One request that may be answered from the cache.
    private final class Turn {
        let chat: CachedChat
        let request: Request
        let ttl: Duration
        let key: CacheKey
        let write: (RouterAPI.CompleteReply) async throws -> Void
        let ask: Ask

        private var cache: AnswerCache { chat.cache }

        init(
            chat: CachedChat, request: Request, ttl: Duration, key: CacheKey,
            write: @escaping (RouterAPI.CompleteReply) async throws -> Void, ask: @escaping Ask
        ) {
            self.chat = chat
            self.request = request
            self.ttl = ttl
            self.key = key
            self.write = write
            self.ask = ask
        }

        func join() async throws {
            switch cache.flights.join(key) {
            case .leads(let flight): try await lead(flight, looks: true)
            case .follows(let follower): try await follow(follower)
            case .alone:
                cache.metrics.uncoalesced.add()
                _ = try await answer(looks: true)
            }
        }

        private func lead(_ flight: SingleFlight.Flight, looks: Bool) async throws {
            do {
                let end = try await answer(looks: looks)
                cache.flights.end(flight, end)
            } catch {
                cache.flights.end(flight, Self.isCallersEnd(error) ? .left : .failed)
                throw error
            }
        }

        /// From the cache, or from a target.
        private func answer(looks: Bool) async throws -> SingleFlight.End {
            let found = await cache.lookup(key)
            if let events = found.events {
                try await replay(events, degraded: found.degraded)
                return .answer(events)
            }
            cache.metrics.misses.add()
            if looks,
                let events = await chat.similar?.lookup(
                    request.chat, alias: request.route.alias, partition: request.partition)
            {
                try await send(events)
                return .notForOthers
            }
            return try await askAndKeep(degraded: found.degraded)
        }

        func askAndKeep(degraded: [String]) async throws -> SingleFlight.End {
            guard let events = try await ask(CacheWish(keeps: true, outcome: .miss, degraded: degraded, key: key)) else {
                return .notForOthers
            }
            return keep(events)
        }

        @inline(never)
        private func keep(_ events: [ChatAPI.ChatEvent]) -> SingleFlight.End {
            if let objection = cache.objection(request.chat, events) {
                cache.metrics.notKept(objection)
                return .notForOthers
            }
            let isForStale = request.route.fallbacks.contains(.staleCache)
            cache.keep(key, events, ttl: ttl, isForStale: isForStale)
            cache.recent.note(key, request.chat, alias: request.route.alias, request.metadata)
            return .answer(events)
        }

        private func follow(_ follower: Follower) async throws {
            let deadline = request.end
            do {
                while true {
                    let left = deadline - .now()
                    guard left > .zero else { throw Self.late }
                    switch await follower.news(within: min(left, chat.keepalive), on: chat.eventLoop) {
                    case .answer(let events):
                        cache.metrics.coalesced.add()
                        return try await replay(events, degraded: [])
                    case .lead(let flight):
                        cache.metrics.takenOver.add()
                        return try await lead(flight, looks: false)
                    case .alone:
                        cache.metrics.takenOver.add()
                        _ = try await askAndKeep(degraded: [])
                        return
                    case .none:
                        try Task.checkCancellation()
                        if request.chat.stream { try await write(.init(events: [.init(kind: .keepalive)])) }
                    }
                }
            } catch {
                cache.flights.leave(follower)
                throw error
            }
        }

        @inline(never)
        private func replay(_ events: [ChatAPI.ChatEvent], degraded: [String]) async throws {
            cache.metrics.hits.add()
            cache.noteSaving(events)
            try await send(
                CachedAnswer.replay(events, as: .exact, streaming: request.chat.stream, degraded: degraded))
        }

        private func send(_ events: [ChatAPI.ChatEvent]) async throws {
            for batch in CachedAnswer.batches(events) { try await write(batch) }
        }

        private static func isCallersEnd(_ error: any Error) -> Bool {
            error is CancellationError || (error as? CallError)?.code == .cancelled
        }

        private static let late = CallError(
            .deadlineExceeded, reason: "upstream_timeout",
            message: "An equal request was being answered, and the answer did not come within this one's time.")
    }
}
