import BulkheadAPI
import BulkheadCore
import NIOPosix
import RouterService
import Synchronization
import Testing

@Suite("A chat and its cache") struct CachedChatTests {
    private let cache = AnswerCache(maxEntries: 100, metrics: AnswerCacheMetrics(), random: { 0.5 })
    private let exact = AnswerCacheConfiguration.Exact()
    private let asking = Asking()

    private struct Broken: Error, Equatable {}

    /// The targets: each asking takes the next step of a script, then answers.
    private final class Asking: Sendable {
        enum Step {
            case answers([ChatAPI.ChatEvent])
            case breaks
            case isNotForOthers
        }
        struct State {
            var count = 0
            var isOpen = true
            var script: [Step] = []
        }
        let state = Mutex(State())

        var count: Int { state.withLock { $0.count } }

        func ask() async throws -> [ChatAPI.ChatEvent]? {
            let step = state.withLock { state in
                state.count += 1
                return state.script.isEmpty ? Step.answers(answer("told")) : state.script.removeFirst()
            }
            while !state.withLock({ $0.isOpen }) {
                try Task.checkCancellation()
                await Task.yield()
            }
            switch step {
            case .answers(let events): return events
            case .breaks: throw Broken()
            case .isNotForOthers: return nil
            }
        }
    }

    private struct Told: Sendable {
        var events: [ChatAPI.ChatEvent] = []
        var error: (any Error)?
        var cache: ChatAPI.CacheOutcome? { events.first { $0.kind == .start }?.served?.cache }
    }

    private func told(
        _ text: String = "hi", _ policy: RouterAPI.CachePolicy = .default, user: String = "user:u", stream: Bool = false,
        tools: Bool = false, within limit: Duration = .seconds(60), keepalive: Duration = .seconds(10)
    ) async -> Told {
        let chat = ChatAPI.ChatRequest(
            model: "m", messages: [.init(role: .user, parts: [.init(kind: .text, text: text)])],
            tools: tools ? [.init(name: "f")] : [], stream: stream, dialect: .openaiChat)
        let cached = CachedChat(cache: cache, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), keepalive: keepalive)
        let request = CachedChat.Request(
            chat, policy, Route(alias: "m", targets: [], fallbacks: [.staleCache]),
            metadata: CallMetadata(requestID: "r-\(text)", tenant: "t", user: user), deadline: .now() + limit)
        let written = Mutex<[ChatAPI.ChatEvent]>([])
        var told = Told()
        do {
            try await cached.run(request, exact, write: { reply in written.withLock { $0 += reply.events } }) { wish in
                let events = try await asking.ask()
                written.withLock { $0 += events ?? [.init(kind: .start, served: .init(cache: wish.outcome))] }
                return wish.keeps ? events : nil
            }
        } catch {
            told.error = error
        }
        told.events = written.withLock { $0 }
        return told
    }

    private func waitUntil(_ condition: () -> Bool) async {
        while !condition() { await Task.yield() }
    }

    @Test("the second of two equal requests is answered from the cache")
    func hit() async {
        #expect(await told().cache == .miss)
        let second = await told()
        #expect(second.cache == .exact && second.events.map(\.text).joined() == "told" && asking.count == 1)
        #expect(cache.metrics.hits.value == 1 && cache.metrics.misses.value == 1 && cache.metrics.savedNanousd.value == 7)
    }

    @Test("another user asks anew")
    func anotherUser() async {
        _ = await told()
        #expect(await told(user: "end:u").cache == .miss)
        #expect(asking.count == 2)
    }

    @Test("off, no-store and tools neither look nor keep; refresh asks and keeps")
    func policies() async {
        for policy in [RouterAPI.CachePolicy.off, .noStore] {
            _ = await told("x", policy)
            #expect(await told("x", policy).cache == .miss)
        }
        _ = await told("x", tools: true)
        _ = await told("x", tools: true)
        #expect(asking.count == 6 && cache.memory.statistics.entries == 0)
        _ = await told("x")
        asking.state.withLock { $0.script = [.answers(answer("new"))] }
        #expect(await told("x", .refresh).events.map(\.text).joined() == "new")
        #expect(await told("x").events.map(\.text).joined() == "new")
        #expect(asking.count == 8)
    }

    @Test("concurrent equal requests make one call, and all get its answer")
    func oneCall() async {
        asking.state.withLock { $0.isOpen = false }
        await withTaskGroup(of: Told.self) { group in
            for _ in 0 ..< 50 { group.addTask { await told() } }
            await waitUntil { cache.flights.waiting == 49 }
            asking.state.withLock { $0.isOpen = true }
            for await one in group { #expect(one.error == nil && one.events.map(\.text).joined() == "told") }
        }
        #expect(asking.count == 1 && cache.metrics.coalesced.value == 49)
    }

    @Test("a failure is the leader's alone; one of those who wait asks next, and the others get its answer")
    func failure() async {
        asking.state.withLock { ($0.isOpen, $0.script) = (false, [.breaks]) }
        var failures = 0
        await withTaskGroup(of: Told.self) { group in
            for _ in 0 ..< 20 { group.addTask { await told() } }
            await waitUntil { cache.flights.waiting == 19 }
            asking.state.withLock { $0.isOpen = true }
            for await one in group {
                if one.error is Broken { failures += 1 } else { #expect(one.events.map(\.text).joined() == "told") }
            }
        }
        #expect(failures == 1 && asking.count == 2)
    }

    @Test("when the leader's caller leaves, one of those who wait asks")
    func leaderLeaves() async {
        asking.state.withLock { $0.isOpen = false }
        await withTaskGroup(of: Told.self) { followers in
            await withTaskGroup(of: Told.self) { leader in
                leader.addTask { await told() }
                await waitUntil { asking.count == 1 }
                for _ in 0 ..< 5 { followers.addTask { await told() } }
                await waitUntil { cache.flights.waiting == 5 }
                leader.cancelAll()
                #expect(await leader.next()?.error is CancellationError)
            }
            asking.state.withLock { $0.isOpen = true }
            for await one in followers { #expect(one.events.map(\.text).joined() == "told") }
        }
        #expect(asking.count == 2)
    }

    @Test("who waits does so within its own time, and is told that the other's answer lives")
    func followersTime() async {
        asking.state.withLock { $0.isOpen = false }
        await withTaskGroup(of: Told.self) { group in
            group.addTask { await told() }
            await waitUntil { asking.count == 1 }
            let late = await told(stream: true, within: .milliseconds(300), keepalive: .milliseconds(1))
            #expect((late.error as? CallError)?.code == .deadlineExceeded)
            #expect(!late.events.isEmpty && late.events.allSatisfy { $0.kind == .keepalive })
            #expect(cache.flights.waiting == 0)
            asking.state.withLock { $0.isOpen = true }
        }
        #expect(asking.count == 1)
    }

    @Test("what others may not get is asked for by each: filtered answers and the configured fallback")
    func notForOthers() async {
        var filtered = answer("no")
        filtered[2].finish = .contentFilter
        asking.state.withLock { $0.script = [.answers(filtered), .isNotForOthers, .answers(answer("yes"))] }
        #expect(await told().events.map(\.text).joined() == "no")
        _ = await told()
        #expect(await told().events.map(\.text).joined() == "yes")
        #expect(asking.count == 3 && cache.memory.statistics.stored == 1)
    }

    @Test("an answer whose time is over answers no request, but stands in when asked to")
    func stale() async throws {
        let key = try CacheKey(.init(model: "m"), alias: "m", partition: CachePartition(tenant: "t", user: "u"))
        let start = MonotonicTime.now()
        cache.keep(key, answer("old"), ttl: .seconds(60), isForStale: true, now: start)
        let later = start + .seconds(3600)
        #expect(await cache.lookup(key, now: later).events == nil)
        let events = await cache.lookupStale(key, streaming: false, now: later)
        #expect(events?.first?.served?.cache == .stale && events?.last?.usage?.costNanousd == 0)
        #expect(await cache.lookupStale(key, streaming: false, now: start + .seconds(25 * 3600)) == nil)
        #expect(cache.metrics.stale.value == 1)
    }
}
