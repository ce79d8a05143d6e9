import BulkheadCore
import RetrievalService
import Synchronization
import Testing

struct EmbedderTests {
    private static func embedder(path: String? = InstalledModel.folder) -> Embedder {
        Embedder(
            holder: ModelHolder(configured: path, executable: "", changed: { _ in }),
            cache: EmbeddingCache(timeToLive: .seconds(60)), meters: EmbeddingMeters(), offload: { try $0() })
    }

    private static let invalid: [([String], Int?, String)] = [
        ([], nil, "input has no texts"), ([String](repeating: "a", count: 2049), nil, "2049 texts"),
        (["a", String(repeating: "a", count: 65_537)], nil, "input[1] has 65537 bytes"), (["a"], 0, "dimensions is 0"),
        (["a"], 385, "dimensions is 385"), (["a"], -1, "dimensions is -1"),
    ]

    @Test("a request beyond the limits is refused with the place and the limit", arguments: invalid)
    func refuses(texts: [String], dimensions: Int?, says: String) async throws {
        let error = try await #require(throws: CallError.self) {
            _ = try await Self.embedder(path: "/nowhere").embed(texts, dimensions: dimensions, tenant: "")
        }
        #expect(error.code == .invalidArgument && error.reason == "invalid_request")
        #expect(error.message.contains(says))
    }

    @Test("without the model a call fails with the command that installs it, and no path of this machine")
    func tellsRemedy() async throws {
        let embedder = Self.embedder(path: "/nowhere")
        let error = try await #require(throws: CallError.self) {
            _ = try await embedder.embed(["a"], dimensions: nil, tenant: "")
        }
        #expect(error.code == .failedPrecondition && error.reason == "model_missing")
        #expect(error.message.contains("deploy/models/fetch.sh"))
        #expect(!error.message.contains("nowhere"))
        #expect(embedder.holder.status == .missing)
        #expect(embedder.holder.status.problem?.contains("deploy/models/fetch.sh") == true)
    }

    @Test(
        "equal texts are computed once, answered in order, and found again",
        .enabled(if: InstalledModel.folder != nil || InstalledModel.isRequired))
    func caches() async throws {
        let embedder = Self.embedder()
        let texts = ["one", "two", "one", "three", "four", "five"]
        let first = try await embedder.embed(texts, dimensions: nil, tenant: "a")
        #expect(first.vectors[0] == first.vectors[2] && first.vectors[0] != first.vectors[1])
        #expect(first.tokens == 18)
        #expect(embedder.meters.totals == (5, 0, 5))
        let again = try await embedder.embed(texts, dimensions: 8, tenant: "a")
        #expect(again.vectors == first.vectors.map { EmbeddingModel.shortened($0, to: 8) })
        #expect(again.tokens == first.tokens)
        #expect(embedder.meters.totals == (5, 5, 5))
        guard case .loaded = embedder.holder.status else { return #expect(Bool(false), "the model is not loaded") }
    }
}

struct ComputeGateTests {
    /// Lets tests hold callers inside the gate.
    private final class Latch: Sendable {
        private let state = Mutex((isOpen: false, waiters: [CheckedContinuation<Void, Never>](), inside: 0, most: 0))

        var most: Int { state.withLock { $0.most } }
        var inside: Int { state.withLock { $0.inside } }

        func pass() async {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    state.inside += 1
                    state.most = max(state.most, state.inside)
                    if !state.isOpen { state.waiters.append(continuation) }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
            }
            state.withLock { $0.inside -= 1 }
        }

        func open() {
            let waiters = state.withLock { state in
                state.isOpen = true
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }
    }

    @Test("two compute, a bounded number waits, the next is refused, and all who waited get their turn")
    func bounds() async throws {
        let gate = ComputeGate(limit: 2, waiting: 3)
        let latch = Latch()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0 ..< 5 { group.addTask { try await gate.run([number, number]) { _ in await latch.pass() }.count } }
            while gate.waiting < 3 || latch.inside < 2 { await Task.yield() }
            let error = await #expect(throws: CallError.self) { _ = try await gate.run([0]) { _ in await latch.pass() } }
            #expect(error?.code == .resourceExhausted && error?.reason == "rate_limited" && error?.notProcessed == true)
            latch.open()
            for try await turns in group { #expect(turns == 2) }
        }
        #expect(latch.most == 2)
        #expect(gate.waiting == 0)
    }

    @Test("a cancelled caller leaves the line and does not take a turn")
    func cancels() async throws {
        let gate = ComputeGate(limit: 1, waiting: 3)
        let latch = Latch()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await gate.run([0]) { _ in await latch.pass() } }
            while latch.inside < 1 { await Task.yield() }
            await withThrowingTaskGroup(of: Void.self) { waiting in
                waiting.addTask { _ = try await gate.run([0]) { _ in await latch.pass() } }
                while gate.waiting < 1 { await Task.yield() }
                waiting.cancelAll()
                await #expect(throws: CancellationError.self) { try await waiting.next() }
            }
            #expect(gate.waiting == 0)
            latch.open()
            try await group.waitForAll()
        }
        #expect(latch.most == 1)
        #expect(try await gate.run([1]) { $0 } == [1])
    }
}
