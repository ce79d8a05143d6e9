/// Latencies of one run.
struct Measurement {
    let nanoseconds: [UInt64]
    let seconds: Double

    var json: String {
        let sorted = nanoseconds.sorted()
        func microseconds(_ share: Double) -> Double {
            guard !sorted.isEmpty else { return 0 }
            return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] / 10) / 100
        }
        let rate = Int(Double(sorted.count) / seconds)
        return #"{"p50_us":\#(microseconds(0.5)),"p99_us":\#(microseconds(0.99)),"calls_per_s":\#(rate)}"#
    }
}
