import BulkheadCore
import CLibsecret
import Dispatch
import NIOPosix
import Synchronization

/// The one thread that talks to the keyring: libsecret's calls block, and none has an end of its own.
final class KeychainThread: Sendable {
    /// What a piece of work came to.
    private enum Outcome<Value: Sendable>: Sendable {
        case waiting
        case done(Result<Value, KeychainTrouble>)
    }

    /// A GCancellable, which any thread may cancel.
    struct Deadline: @unchecked Sendable {
        fileprivate let cancellable: UnsafeMutablePointer<GCancellable>
    }

    /// How long cancelled work may take to notice it.
    private static let grace = DispatchTimeInterval.milliseconds(250)

    private let pool = NIOThreadPool(numberOfThreads: 1)
    /// Work begun and not ended: more than a few means that the thread hangs.
    private let pending = Atomic<Int>(0)
    private static let maxPending = 16

    init() {
        bulkhead_silence_glib()
        pool.start()
    }

    /// Runs `work` on the thread, and waits for it. Blocks; never longer than `limit` and a quarter of a second.
    func run<Value: Sendable>(
        within limit: Duration, _ work: @escaping @Sendable (UnsafeMutablePointer<GCancellable>) throws(KeychainTrouble) -> Value
    ) throws(KeychainTrouble) -> Value {
        guard pending.load(ordering: .relaxed) < Self.maxPending, let cancellable = g_cancellable_new() else { throw .mute }
        let deadline = Deadline(cancellable: cancellable)
        let outcome = Slot<Outcome<Value>>(.waiting)
        let ended = DispatchSemaphore(value: 0)
        g_object_ref(cancellable)
        defer { g_object_unref(cancellable) }
        pending.add(1, ordering: .relaxed)
        pool.submit { _ in
            defer {
                g_object_unref(deadline.cancellable)
                self.pending.subtract(1, ordering: .relaxed)
                ended.signal()
            }
            do throws(KeychainTrouble) {
                let value = try work(deadline.cancellable)
                outcome.set(.done(.success(value)))
            } catch {
                outcome.set(.done(.failure(error)))
            }
        }
        if ended.wait(timeout: .now() + .nanoseconds(Int(limit.nanosecondsClamped))) == .timedOut {
            g_cancellable_cancel(cancellable)
            _ = ended.wait(timeout: .now() + Self.grace)
        }
        guard case .done(let result) = outcome.value else { throw .mute }
        return try result.get()
    }

    func stop() { pool.shutdownGracefully { _ in } }
}

/// One value that two threads hand over.
private final class Slot<Value: Sendable>: Sendable {
    private let held: Mutex<Value>
    init(_ value: Value) { held = Mutex(value) }
    var value: Value { held.withLock { $0 } }
    func set(_ value: Value) { held.withLock { $0 = value } }
}

/// What keeps the keyring from serving.
enum KeychainTrouble: Error, Equatable {
    /// No bus at the address, or it ended.
    case noBus(String)
    /// The bus has nobody who is the Secret Service.
    case noOwner
    /// It does not answer in time.
    case mute
    /// The collection is locked.
    case locked
    /// There is no such collection.
    case noCollection
    /// Anything else, in the keyring's own words.
    case other(String)
}
