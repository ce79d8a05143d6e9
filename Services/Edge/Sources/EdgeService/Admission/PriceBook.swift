import BulkheadCore
import Synchronization

/// What a model's tokens cost, in nano-dollars each; of several targets the dearest.
package struct ModelPrice: Sendable, Equatable {
    package var input: Int
    package var output: Int

    /// - Parameters: nano-dollars per token.
    package init(input: Int, output: Int) {
        self.input = input
        self.output = output
    }

    /// Nano-dollars for so many tokens; `Int.max` when it is more.
    package func cost(input inputTokens: Int, output outputTokens: Int) -> Int {
        Int(clamping: Int128(inputTokens) * Int128(input) + Int128(outputTokens) * Int128(output))
    }
}

// States of a name: unknown → asked for (whoever needs it meanwhile waits with the first) → known, or known to have no price
// → old (one asks again, the others use what was known) → known.

/// Prices by model name, as the router tells them: asked for once in a while, by whoever needs them. Bounded; a name nobody knows
/// is remembered as such.
package final class PriceBook: Sendable {
    /// Asks the router; nil: there is no price.
    package typealias Ask = @Sendable (String, CallMetadata) async throws -> ModelPrice?

    private struct Entry {
        var price: ModelPrice?
        var until: MonotonicTime
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Those who wait for a name that is asked for.
        var asked: [String: [CheckedContinuation<ModelPrice?, Never>]] = [:]
    }

    private enum Look {
        case known(ModelPrice?)
        case ask(old: ModelPrice?)
        case wait
    }

    private static let age = Duration.seconds(300)
    /// Until a router that did not answer is asked again.
    private static let pause = Duration.seconds(5)
    private let capacity: Int
    private let ask: Ask
    private let clock: @Sendable () -> MonotonicTime
    private let state = Mutex(State())

    /// - Parameter capacity: names kept; beyond it those asked for longest ago are forgotten.
    package init(
        capacity: Int = 1000, clock: @escaping @Sendable () -> MonotonicTime = { .now() }, ask: @escaping Ask
    ) {
        self.capacity = capacity
        self.clock = clock
        self.ask = ask
    }

    /// Names kept.
    package var count: Int { state.withLock { $0.entries.count } }

    /// The price of a model; nil when nobody knows it.
    package func price(of model: String, _ metadata: CallMetadata = CallMetadata()) async -> ModelPrice? {
        switch look(model) {
        case .known(let price): return price
        case .wait: return await follow(model)
        case .ask(let old):
            do {
                let price = try await ask(model, metadata)
                return keep(price, of: model, for: Self.age)
            } catch {
                // A price that may be old is better than none; the request is not to wait, nor to fail, for it.
                return keep(old, of: model, for: Self.pause)
            }
        }
    }

    private func look(_ model: String) -> Look {
        state.withLock { state in
            let known = state.entries[model]
            if let known, known.until > clock() { return .known(known.price) }
            if state.asked[model] != nil { return known.map { .known($0.price) } ?? .wait }
            state.asked[model] = []
            return .ask(old: known?.price)
        }
    }

    private func follow(_ model: String) async -> ModelPrice? {
        await withCheckedContinuation { continuation in
            let (isOver, price) = state.withLock { state -> (Bool, ModelPrice?) in
                guard state.asked[model] != nil else { return (true, state.entries[model]?.price) }
                state.asked[model]?.append(continuation)
                return (false, nil)
            }
            if isOver { continuation.resume(returning: price) }
        }
    }

    private func keep(_ price: ModelPrice?, of model: String, for age: Duration) -> ModelPrice? {
        let followers = state.withLock { state in
            if state.entries.count >= capacity, state.entries[model] == nil {
                let oldest = state.entries.sorted { $0.value.until < $1.value.until }.prefix(max(1, capacity / 10))
                for (name, _) in oldest { state.entries[name] = nil }
            }
            state.entries[model] = Entry(price: price, until: clock() + age)
            return state.asked.removeValue(forKey: model) ?? []
        }
        for follower in followers { follower.resume(returning: price) }
        return price
    }
}
