import BulkheadCore
import Glibc

/// State that threads share and wait on: a mutex and numbered bells of the C library, on the monotonic clock.
///
/// `@unchecked Sendable`: `state` is touched under the mutex only.
final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let bells: UnsafeMutablePointer<pthread_cond_t>
    private let count: Int

    /// - Parameter bells: how many there are.
    init(_ state: State, bells count: Int) {
        self.state = state
        self.count = count
        bells = .allocate(capacity: count)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        for bell in 0 ..< count { pthread_cond_init(bells + bell, &attributes) }
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        for bell in 0 ..< count { pthread_cond_destroy(bells + bell) }
        pthread_mutex_destroy(mutex)
        bells.deallocate()
        mutex.deallocate()
    }

    func withLock<Value>(_ body: (inout State) throws -> Value) rethrows -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Wakes one of those who wait for `bell`, or all.
    func ring(_ bell: Int, all: Bool = false) {
        if all { pthread_cond_broadcast(bells + bell) } else { pthread_cond_signal(bells + bell) }
    }

    /// What a look at the state leads to.
    enum Look<Value> {
        case found(Value)
        /// Look again when the bell rings, or at this time.
        case wait(until: MonotonicTime)
    }

    /// Looks until something is found. Blocks.
    func wait<Value>(_ bell: Int, _ look: (inout State) -> Look<Value>) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            switch look(&state) {
            case .found(let value): return value
            case .wait(.never): pthread_cond_wait(bells + bell, mutex)
            case .wait(let time):
                var moment = timespec(
                    tv_sec: Int(time.nanoseconds / 1_000_000_000), tv_nsec: Int(time.nanoseconds % 1_000_000_000))
                pthread_cond_timedwait(bells + bell, mutex, &moment)
            }
        }
    }
}
