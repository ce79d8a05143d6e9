import Glibc
import SessionService

/// A time in UTC for people; `-` for none.
func timeText(_ unixMilliseconds: Int64?) -> String {
    guard let unixMilliseconds else { return "-" }
    var seconds = time_t(unixMilliseconds / 1000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Nano-dollars as dollars with six digits behind the point.
func dollarText(_ nanousd: Int) -> String {
    let micros = nanousd / 1000
    let fraction = String(micros % 1_000_000)
    return "\(micros / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
}

/// What was spent, for people.
func spendText(_ spend: Spend) -> String {
    let tokens = "\(spend.inputTokens) tokens in, \(spend.outputTokens) out"
    return "\(dollarText(spend.costNanousd)) USD, \(spend.requests) requests, \(tokens)"
}
