import Glibc

/// What the process has used since this was made.
struct Usage {
    private let began = Usage.now()
    private let before = Usage.resources()

    struct Spent {
        let seconds: Double
        let cpuMicroseconds: Int
        let switches: Int
    }

    func spent() -> Spent {
        let after = Self.resources()
        return Spent(
            seconds: Double(Self.now() - began) / 1e9, cpuMicroseconds: Self.cpu(after) - Self.cpu(before),
            switches: after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw)
    }

    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
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

enum Report {
    static func calls(_ took: [UInt64], _ spent: Usage.Spent) -> String {
        let sorted = took.sorted()
        func at(_ share: Double) -> Double { Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1000 }
        return #"{"p50_us":\#(at(0.5)),"p99_us":\#(at(0.99)),"p999_us":\#(at(0.999)),"# + rest(took.count, spent)
    }

    static func stream(_ count: Int, _ spent: Usage.Spent) -> String { "{" + rest(count, spent) }

    private static func rest(_ count: Int, _ spent: Usage.Spent) -> String {
        #""count":\#(count),"seconds":\#(spent.seconds),"cpu_us":\#(spent.cpuMicroseconds),"switches":\#(spent.switches)}"#
    }
}
