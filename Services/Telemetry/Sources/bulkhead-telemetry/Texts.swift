import Glibc
import TelemetryService

/// `-` for an empty text.
func orDash(_ text: String) -> String { text.isEmpty ? "-" : text }

/// A number with at most two decimals; `-` for none.
func number(_ value: Double?) -> String { value.map { "\(($0 * 100).rounded() / 100)" } ?? "-" }

/// `3 (1.5 %)`.
func percent(_ part: Int, of whole: Int) -> String {
    part == 0 ? "0" : "\(part) (\(number(Double(part) * 100 / Double(max(1, whole)))) %)"
}

/// What was spent, and `+` when a part of it has no known price; `unknown` when none of it has.
func dollars(_ usage: UsageReport) -> String {
    guard let cost = usage.costUSD else { return "unknown (\(usage.unpriced) unpriced)" }
    let micros = Int((cost * 1e6).rounded())
    let fraction = String(micros % 1_000_000)
    let text = "\(micros / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
    return usage.unpriced > 0 ? "\(text) + \(usage.unpriced) unpriced" : text
}

/// A time in UTC for people.
func timeText(seconds: Int) -> String {
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    var text = [CChar](repeating: 0, count: 32)
    strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
