/// Times that something took again and again.
package struct Figures {
    private let sorted: [UInt64]

    /// - Parameter took: nanoseconds.
    package init(_ took: [UInt64]) { sorted = took.sorted() }

    private func at(_ share: Double) -> Double {
        guard !sorted.isEmpty else { return 0 }
        return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1000
    }

    /// A JSON object, in microseconds.
    package var json: String { #"{"p50_us":\#(at(0.5)),"p99_us":\#(at(0.99)),"count":\#(sorted.count)}"# }
}
