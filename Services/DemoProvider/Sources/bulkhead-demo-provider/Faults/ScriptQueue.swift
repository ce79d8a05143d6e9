/// Directives waiting for the next requests of a model; `*` stands for every model without a queue of its own.
struct ScriptQueue: Sendable {
    /// A script beyond this is refused.
    static let mostSteps = 10_000

    private var queues: [String: [Directives]] = [:]
    private var steps = 0

    /// Adds steps behind those that wait.
    /// - Returns: false, and nothing is added, if that would be too many.
    mutating func add(_ added: [Directives], for model: String) -> Bool {
        guard steps + added.count <= Self.mostSteps else { return false }
        // Kept in reverse, so that taking the next is taking the last.
        queues[model] = added.reversed() + (queues[model] ?? [])
        steps += added.count
        return true
    }

    /// Takes the next step of `model`, nil if none waits.
    mutating func next(for model: String) -> Directives? {
        guard steps > 0 else { return nil }
        let name = queues[model] == nil ? "*" : model
        guard let step = queues[name]?.popLast() else { return nil }
        if queues[name]?.isEmpty == true { queues[name] = nil }
        steps -= 1
        return step
    }

    /// How many steps wait, by model.
    var waiting: [(model: String, steps: Int)] {
        queues.map { ($0.key, $0.value.count) }.sorted { $0.0 < $1.0 }
    }
}
