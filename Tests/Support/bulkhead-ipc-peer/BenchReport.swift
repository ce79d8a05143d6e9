import BulkheadCore
import Glibc

/// What the process has used since this was made.
struct BenchUsage {
    private let began = MonotonicTime.now()
    private let before = BenchUsage.resources()

    struct Spent {
        let seconds: Double
        let cpuMicroseconds: Int
        /// Voluntary and involuntary context switches of all threads.
        let switches: Int
    }

    func spent() -> Spent {
        let after = Self.resources()
        return Spent(
            seconds: (MonotonicTime.now() - began).milliseconds / 1000, cpuMicroseconds: Self.cpu(after) - Self.cpu(before),
            switches: after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw)
    }

    private static func resources() -> rusage {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        return usage
    }

    private static func cpu(_ usage: rusage) -> Int {
        (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
    }
}

/// The one line of JSON that every contestant prints.
enum BenchReport {
    static func calls(_ took: [UInt64], _ spent: BenchUsage.Spent) -> String {
        let sorted = took.sorted()
        func at(_ share: Double) -> Double {
            guard !sorted.isEmpty else { return 0 }
            return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1000
        }
        return #"{"p50_us":\#(at(0.5)),"p99_us":\#(at(0.99)),"p999_us":\#(at(0.999)),"# + rest(took.count, spent)
    }

    static func stream(_ count: Int, _ spent: BenchUsage.Spent) -> String { "{" + rest(count, spent) }

    private static func rest(_ count: Int, _ spent: BenchUsage.Spent) -> String {
        #""count":\#(count),"seconds":\#(spent.seconds),"cpu_us":\#(spent.cpuMicroseconds),"switches":\#(spent.switches)}"#
    }
}
