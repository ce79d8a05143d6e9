import Synchronization

/// Bytes that peers have sent and nobody has taken yet, over all connections of the process: queued stream messages, messages
/// half received, requests being worked on, and long messages that wait to be sent. At the bound new calls are refused; calls
/// under way keep the windows they were given, so that the process stays within the budget plus one window a stream.
package final class MemoryBudget: Sendable {
    /// What connections use unless told otherwise: 256 MiB.
    package static let process = MemoryBudget(bytes: 256 << 20)

    /// The bound.
    package let bytes: Int
    private let charged = Atomic<Int>(0)

    /// A budget of `bytes`.
    package init(bytes: Int) { self.bytes = bytes }

    /// Bytes held now. Callable from any thread.
    package var used: Int { charged.load(ordering: .relaxed) }

    /// Whether a new call may be taken on.
    var hasRoom: Bool { used < bytes }

    func charge(_ bytes: Int) { charged.add(bytes, ordering: .relaxed) }

    func release(_ bytes: Int) { charged.subtract(bytes, ordering: .relaxed) }
}

/// What one holder has charged; gives the rest back with its end.
struct MemoryShare: ~Copyable {
    private let budget: MemoryBudget
    private(set) var bytes = 0

    init(_ budget: MemoryBudget) { self.budget = budget }

    mutating func add(_ count: Int) {
        guard count != 0 else { return }
        bytes += count
        budget.charge(count)
    }

    mutating func remove(_ count: Int) { add(-count) }

    deinit {
        if bytes != 0 { budget.release(bytes) }
    }
}
