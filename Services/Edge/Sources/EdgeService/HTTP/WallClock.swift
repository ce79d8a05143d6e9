import Glibc
import Synchronization

/// The wall clock as text. Dates of HTTP change once a second: one is kept.
enum WallClock {
    private static let cached = Mutex((second: time_t(0), text: ""))

    /// Nanoseconds since 1970.
    static func unixNanoseconds() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return now.tv_sec * 1_000_000_000 + now.tv_nsec
    }

    /// Whole seconds since 1970.
    static func unixSeconds() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &now)
        return now.tv_sec
    }

    /// The present moment as the `Date` header has it (RFC 9110 §5.6.7).
    static func httpDate() -> String {
        let second = unixSeconds()
        return cached.withLock { cached in
            if cached.second != second { cached = (second, format(second, "%a, %d %b %Y %H:%M:%S GMT")) }
            return cached.text
        }
    }

    /// A moment as RFC 3339 in UTC, to the second.
    /// - Parameter second: seconds since 1970.
    static func timestamp(_ second: Int) -> String { format(second, "%Y-%m-%dT%H:%M:%SZ") }

    private static func format(_ second: time_t, _ pattern: String) -> String {
        var (second, parts) = (second, tm())
        guard gmtime_r(&second, &parts) != nil else { return "" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let text = buffer.baseAddress else { return "" }
            let length = strftime(text, buffer.count, pattern, &parts)
            return String(decoding: UnsafeRawBufferPointer(buffer)[..<length], as: UTF8.self)
        }
    }
}
