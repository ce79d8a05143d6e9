import BulkheadCore
import BulkheadResilience
import Testing

/// All traces of a small breaker up to a length, against a model of its rules. Breadth first, so that the first difference
/// found has the shortest trace; a pair of breaker and model that was seen before is not followed again.
@Suite("Circuit breaker, all short traces against a model")
struct BreakerModelTests {
    enum Event: Hashable {
        case admit(Int)
        case end(Int, CircuitBreaker.Outcome)
        case slow(Int)
        case wait(Int)
        case restart, trip
        case force(CircuitBreaker.Override)
    }

    static let tick = Duration.seconds(1)
    static let events: [Event] =
        [0, 1].flatMap { caller in
            [.admit(caller), .slow(caller)] + CircuitBreaker.Outcome.allCases.map { .end(caller, $0) }
        } + [.wait(1), .wait(9), .restart, .trip] + CircuitBreaker.Override.allCases.map { .force($0) }

    @Test(
        "Every trace of up to twelve events behaves as the model",
        arguments: [
            ModelRules(),
            ModelRules(failures: 2, failureRatio: 2, slowRatio: 0.5, goodProbes: 2),
            ModelRules(failures: 4, failureRatio: 0.5, slowRatio: 0.6, minRequests: 3, lease: 10, goodProbes: 3),
        ])
    func exhaustive(_ rules: ModelRules) {
        var seen: Set<Pair.Key> = []
        var nodes = [Node(pair: Pair(rules))]
        var level = nodes.indices
        for depth in 1 ... 12 {
            for index in level {
                for event in Self.events {
                    var pair = nodes[index].pair
                    guard pair.isPossible(event) else { continue }
                    let difference = pair.apply(event)
                    if let difference {
                        Issue.record("\(difference) after \(trace(nodes, index) + [event]), \(rules)")
                        return
                    }
                    if depth < 12, seen.insert(pair.key).inserted { nodes.append(Node(pair: pair, from: index, by: event)) }
                }
            }
            level = level.upperBound ..< nodes.count
        }
        #expect(nodes.count > 1000)
    }

    struct Node {
        let pair: Pair
        var from = 0
        var by: Event?
    }

    private func trace(_ nodes: [Node], _ last: Int) -> [Event] {
        var path: [Event] = []
        var index = last
        while let event = nodes[index].by {
            path.insert(event, at: 0)
            index = nodes[index].from
        }
        return path
    }
}

extension BreakerModelTests {
    /// A breaker and its model, on the way through the same events.
    struct Pair {
        private var breaker: CircuitBreaker
        private var model: BreakerModel
        private var ticks = 1000
        private var permits: [CircuitBreaker.Permit?] = [nil, nil]

        init(_ rules: ModelRules) {
            breaker = CircuitBreaker(
                .init(
                    failures: rules.failures, failureRatio: rules.failureRatio, slowRatio: rules.slowRatio,
                    minRequests: rules.minRequests, window: tick * rules.window, openFor: tick * rules.openFor,
                    openForMax: tick * rules.openForMax, jitter: 0, calmAfter: tick * rules.calmAfter,
                    halfOpenSuccesses: rules.goodProbes, probeLease: tick * rules.lease))
            model = BreakerModel(rules: rules)
        }

        private var now: MonotonicTime { MonotonicTime(nanoseconds: UInt64(ticks) * 1_000_000_000) }

        func isPossible(_ event: Event) -> Bool {
            switch event {
            case .admit(let caller): permits[caller] == nil
            case .end(let caller, _): permits[caller] != nil
            // Once per call, as owners do.
            case .slow(let caller): permits[caller] != nil && model.callers[caller]?.isSlow == false
            default: true
            }
        }

        /// - Returns: what differs, if anything.
        mutating func apply(_ event: Event) -> String? {
            switch event {
            case .admit(let caller): if let difference = admit(caller) { return difference }
            case .end(let caller, let outcome):
                guard let permit = permits[caller].take() else { return nil }
                breaker.record(permit, outcome: outcome, now: now)
                model.end(caller, isGood: outcome == .neutral ? nil : outcome == .success)
            case .slow(let caller):
                guard let permit = permits[caller] else { return nil }
                breaker.markSlow(permit, now: now)
                model.slow(caller)
            case .wait(let count):
                ticks += count
                model.wait(count)
            case .restart:
                breaker.peerRestarted(now: now)
                model.restart()
            case .trip:
                breaker.trip(now: now)
                model.trip()
            case .force(let override): force(override)
            }
            return difference
        }

        private mutating func admit(_ caller: Int) -> String? {
            let answer = breaker.admit(now: now)
            let wait = model.admit(caller)
            switch answer {
            case .permit(let permit):
                permits[caller] = permit
                return wait.map { "admitted, the model says again in \($0)" }
            case .rejected(let retryAfter):
                return wait.map { tick * $0 } == retryAfter ? nil : "rejected for \(retryAfter), the model says \(wait ?? 0)"
            }
        }

        private mutating func force(_ override: CircuitBreaker.Override) {
            breaker.force(override, now: now)
            switch override {
            case .open: model.force(.forcedOpen)
            case .closed: model.force(.forcedClosed)
            case .automatic: if [.forcedOpen, .forcedClosed].contains(model.state) { model.force(.closed) }
            }
        }

        private var difference: String? {
            let expected: CircuitBreaker.State =
                switch model.state {
                case .closed: .closed
                case .open: .open
                case .halfOpen: .halfOpen
                case .forcedOpen: .forcedOpen
                case .forcedClosed: .forcedClosed
                }
            if breaker.state != expected { return "breaker \(breaker.state), model \(expected)" }
            let left = breaker.probeTime.map { max(.zero, $0 - now) }
            return left == (model.state == .open ? tick * model.cooldown : nil) ? nil : "open for \(left ?? .zero), \(model)"
        }
    }
}

extension BreakerModelTests.Pair {
    /// The model and what the breaker knows, with times as differences: equal keys have equal futures.
    struct Key: Hashable {
        let model: BreakerModel
        let state: CircuitBreaker.State
        let numbers: [Int]
        let window: [OutcomeWindow.Counts]
    }

    var key: Key {
        // Beyond the exponent at which the cooldown has its limit, openings make no difference.
        var numbers = [breaker.consecutiveFailures, min(breaker.openings, 2)]
        if case .halfOpen(let halfOpen) = breaker.phase {
            let leases = halfOpen.leases.map { Int(($0.expires - now).milliseconds) }
            numbers += [halfOpen.successes] + leases.filter { $0 > 0 }.sorted()
        }
        var model = model
        model.openings = min(model.openings, 2)
        if model.openings == 0 { model.calm = 0 }
        model.over.sort { $0.order < $1.order }
        var current = permits.map { $0.map { $0.generation == breaker.generation ? 1 : 0 } ?? -1 }
        // Callers are alike.
        if (model.callers[0]?.order ?? -1) > (model.callers[1]?.order ?? -1) {
            model.callers.swapAt(0, 1)
            current.swapAt(0, 1)
        }
        return Key(model: model, state: breaker.state, numbers: numbers + current, window: breaker.state == .closed ? counts : [])
    }

    /// The window from now back, as far as it is not too old.
    private var counts: [OutcomeWindow.Counts] {
        let window = breaker.window
        let age = ticks - min(Int(window.newest), ticks)
        return (min(age, 10) ..< 10).map { window.buckets[(ticks - $0) % 10] }
    }
}

extension BreakerModel.Call {
    /// Another number for every different call.
    fileprivate var order: Int { age * 1000 + lease * 10 + (isVoid ? 4 : 0) + (isFailed ? 2 : 0) + (isSlow ? 1 : 0) }
}
