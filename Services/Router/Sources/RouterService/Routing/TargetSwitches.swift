import BulkheadCore
import Synchronization

/// Which targets the operator has switched off. Kept in a file, so that it survives a restart.
package final class TargetSwitches: Sendable {
    /// Switched off at once, at most: it bounds the file and the metrics.
    package static let capacity = 1000

    private let file: SwitchFile?
    /// Labels (`provider/model`) that are not to be asked.
    private let off: Mutex<Set<String>>
    /// Whether `off` holds anything: nearly always it does not, and then a look costs one load.
    private let isAnyOff: Atomic<Bool>
    /// Held while the file is replaced, so that the last change is the last written.
    private let writing = Mutex(())
    /// What was wrong with the file at the start, for the operator; nil when nothing was, or since a change was written.
    private let trouble: Mutex<String?>

    /// Nothing is off; changes are not kept.
    package convenience init() { self.init(file: nil, off: [], trouble: nil) }

    private init(file: SwitchFile?, off: Set<String>, trouble: String?) {
        self.file = file
        self.off = Mutex(off)
        isAnyOff = Atomic(!off.isEmpty)
        self.trouble = Mutex(trouble)
    }

    /// Reads what was switched off before. Blocks. A file that cannot be used is put aside and everything is on: the reason is
    /// in `problem`.
    package static func open(path: String) -> TargetSwitches {
        let file = SwitchFile(path: path)
        do throws(SwitchFile.Failure) {
            return TargetSwitches(file: file, off: try file.read(), trouble: nil)
        } catch {
            return TargetSwitches(file: file, off: [], trouble: error.description + file.putAside())
        }
    }

    /// Whether the target `label` (`provider/model`) is not to be asked.
    package func isDisabled(_ label: @autoclosure () -> String) -> Bool {
        guard isAnyOff.load(ordering: .relaxed) else { return false }
        let label = label()
        return off.withLock { $0.contains(label) }
    }

    /// What is switched off, in order of name.
    package var disabled: [String] { off.withLock { $0.sorted() } }

    /// What was wrong with the file, for the operator; nil: nothing.
    package var problem: String? { trouble.withLock { $0 } }

    /// Switches a target; what is returned is on disk. Blocks.
    /// - Returns: whether anything changed.
    /// - Throws: `CallError` when the file cannot be written (nothing has changed then), or too many are off.
    package func set(_ label: String, disabled: Bool) throws(CallError) -> Bool {
        let outcome: Result<Bool, CallError> = writing.withLock { _ in
            do throws(CallError) {
                return .success(try change(label, disabled))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    private func change(_ label: String, _ disabled: Bool) throws(CallError) -> Bool {
        let before = off.withLock { $0 }
        var after = before
        if disabled { after.insert(label) } else { after.remove(label) }
        guard after.count <= Self.capacity else {
            throw CallError(
                .resourceExhausted, reason: "too_many",
                message:
                    "\(Self.capacity) targets are switched off, the most there may be: take them out of router.models instead")
        }
        // With a file that was unusable even an unchanged set is written, so that the next start has a good one.
        guard after != before || problem != nil else { return false }
        do throws(SwitchFile.Failure) {
            try file?.write(after)
        } catch {
            throw CallError(
                .unavailable, reason: "state_unavailable", message: "nothing was switched: \(error.description)")
        }
        off.withLock { $0 = after }
        isAnyOff.store(!after.isEmpty, ordering: .relaxed)
        trouble.withLock { $0 = nil }
        return after != before
    }
}
