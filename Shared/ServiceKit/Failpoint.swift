import BulkheadCore
import Glibc
import Logging
import Synchronization

/// A named place at which a test ends or stops the process, to see what stays behind. Off unless the suite is a `dev` one and
/// BULKHEAD_FAILPOINTS names places: `edge.claimed=kill,session.claim.committed=stop@3` – the process is killed at the first
/// passage of the one, stopped (SIGSTOP) at the third passage of the other.
package enum Failpoint {
    private struct Trap: Sendable {
        var signal: Int32
        var passagesLeft: Int
    }

    private static let isArmed = Atomic<Bool>(false)
    private static let traps = Mutex<[String: Trap]>([:])

    /// Reads the environment.
    /// - Returns: what of it was not understood.
    package static func arm(_ text: String) -> [String] {
        var unknown: [String] = []
        for part in text.split(separator: ",") {
            guard let (name, trap) = parse(part) else {
                unknown.append(String(part))
                continue
            }
            traps.withLock { $0[name] = trap }
        }
        isArmed.store(traps.withLock { !$0.isEmpty }, ordering: .releasing)
        return unknown
    }

    /// The place `name` is passed. Costs one load when nothing is armed.
    package static func pass(_ name: StaticString) {
        guard isArmed.load(ordering: .relaxed) else { return }
        let signal = traps.withLock { traps -> Int32? in
            guard var trap = traps["\(name)"] else { return nil }
            trap.passagesLeft -= 1
            traps["\(name)"] = trap.passagesLeft > 0 ? trap : nil
            return trap.passagesLeft > 0 ? nil : trap.signal
        }
        // To this thread, not to the process: a stop that another thread took would let this one run on.
        if let signal { raise(signal) }
    }

    private static func parse(_ part: Substring) -> (String, Trap)? {
        let halves = part.split(separator: "=", maxSplits: 1)
        guard halves.count == 2 else { return nil }
        let action = halves[1].split(separator: "@", maxSplits: 1)
        let signals = ["kill": SIGKILL, "stop": SIGSTOP]
        guard let signal = action.first.flatMap({ signals[String($0)] }) else { return nil }
        guard let passages = action.count == 2 ? Int(action[1]) : 1, passages > 0 else { return nil }
        return (String(halves[0]), Trap(signal: signal, passagesLeft: passages))
    }
}
