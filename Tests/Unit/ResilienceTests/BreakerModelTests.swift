import BulkheadCore
import BulkheadResilience
import Testing

/// All traces of a small breaker up to a length, against a model of its rules in a few lines.
@Suite("Circuit breaker, all short traces against a model")
struct BreakerModelTests {
    /// Two consecutive failures open, one good probe closes; one tick is longer than the cooldown and its jitter.
    static let configuration = CircuitBreaker.Configuration(
        failures: 2, failureRatio: 1.1, minRequests: 1000, window: .seconds(1000), openFor: .milliseconds(100),
        openForMax: .milliseconds(100), halfOpenSuccesses: 1, probeLease: .seconds(1000))

    struct Model: Equatable {
        enum State: Equatable { case closed(failures: Int), open(ticked: Bool), halfOpen(probing: Bool) }
        var state = State.closed(failures: 0)
        var generation = 0

        mutating func move(_ next: State) {
            state = next
            generation += 1
        }

        mutating func admit() -> Int? {
            if case .open(ticked: true) = state { move(.halfOpen(probing: false)) }
            switch state {
            case .closed: return generation
            case .open, .halfOpen(probing: true): return nil
            case .halfOpen(probing: false):
                state = .halfOpen(probing: true)
                return generation
            }
        }

        mutating func record(_ permit: Int, _ outcome: CircuitBreaker.Outcome) {
            guard permit == generation else { return }
            switch (state, outcome) {
            case (.closed(let failures), .failure):
                failures == 1 ? move(.open(ticked: false)) : (state = .closed(failures: failures + 1))
            case (.closed, .success): state = .closed(failures: 0)
            case (.halfOpen, .success): move(.closed(failures: 0))
            case (.halfOpen, .failure): move(.open(ticked: false))
            case (.halfOpen, .neutral): state = .halfOpen(probing: false)
            default: break
            }
        }

        mutating func tick() { if case .open = state { state = .open(ticked: true) } }

        mutating func restart() {
            switch state {
            case .closed: move(.closed(failures: 0))
            default: move(.halfOpen(probing: false))
            }
        }
    }

    struct Node {
        var breaker = CircuitBreaker(configuration)
        var model = Model()
        var now = MonotonicTime(nanoseconds: 1_000_000_000)
        var held: [(CircuitBreaker.Permit, Int)] = []
        var path = ""
    }

    @Test("Every trace of up to eight events behaves as the model")
    func exhaustive() {
        var visited = 0
        explore(Node(), depth: 8, &visited)
        #expect(visited > 10_000)
    }

    private func explore(_ node: Node, depth: Int, _ visited: inout Int) {
        visited += 1
        let states: CircuitBreaker.State =
            switch node.model.state {
            case .closed: .closed
            case .open: .open
            case .halfOpen: .halfOpen
            }
        guard node.breaker.state == states else {
            Issue.record("breaker \(node.breaker.state), model \(states) after \(node.path)"); return
        }
        guard depth > 0 else { return }
        for next in successors(node) { explore(next, depth: depth - 1, &visited) }
    }

    private func successors(_ node: Node) -> [Node] {
        var all: [Node] = []
        if node.held.count < 2 {
            var next = node
            next.path += "a"
            let expected = next.model.admit()
            switch (next.breaker.admit(now: next.now), expected) {
            case (.permit(let permit), let generation?): next.held.append((permit, generation))
            case (.rejected, nil): break
            default: Issue.record("admission differs after \(next.path)")
            }
            all.append(next)
        }
        for index in node.held.indices {
            for outcome in CircuitBreaker.Outcome.allCases {
                var next = node
                next.path += "\(index)\(outcome)"
                let (permit, generation) = next.held.remove(at: index)
                next.breaker.record(permit, outcome: outcome, now: next.now)
                next.model.record(generation, outcome)
                all.append(next)
            }
        }
        var ticked = node
        ticked.path += "t"
        ticked.now = ticked.now + .milliseconds(200)
        ticked.model.tick()
        var restarted = node
        restarted.path += "r"
        restarted.breaker.peerRestarted(now: node.now)
        restarted.model.restart()
        return all + [ticked, restarted]
    }
}
