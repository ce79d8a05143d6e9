import Glibc
import Synchronization

/// Ids of answers and calls: unique in this process, and made without a random source.
enum AnswerID {
    private static let counter = Atomic<Int>(0)

    static func next(_ prefix: String) -> String {
        let number = counter.add(1, ordering: .relaxed).newValue
        return "\(prefix)demo\(number)"
    }

    /// Seconds since 1970.
    static var now: Int { time(nil) }
}
