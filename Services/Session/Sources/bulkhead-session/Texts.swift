import SessionService

/// A time in UTC for people; `-` for none.
func timeText(_ unixMilliseconds: Int64?) -> String { unixMilliseconds.map(Words.time) ?? "-" }

/// Nano-dollars as dollars with six digits behind the point.
func dollarText(_ nanousd: Int) -> String {
    let micros = nanousd / 1000
    let fraction = String(micros % 1_000_000)
    return "\(micros / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
}

/// What was spent, for people.
func spendText(_ spend: Spend) -> String {
    let tokens = "\(spend.inputTokens) tokens in, \(spend.outputTokens) out"
    let unpriced = spend.unpriced > 0 ? "; \(spend.unpriced) of them had no price" : ""
    return "\(dollarText(spend.costNanousd)) USD, \(spend.requests) requests, \(tokens)\(unpriced)"
}

/// For who may have mistyped a tenant's name.
func unknownTenant(_ name: String) -> String { "nobody knows the tenant \(name), it has no key: is the name right?" }

/// A number in at most five characters, rounded down: `950`, `200k`, `1.5M`; `-` for none.
func shortText(_ number: Int?) -> String {
    guard let number else { return "-" }
    for (unit, size) in [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1000)] where number >= size {
        let (whole, tenth) = (number / size, number % size * 10 / size)
        return tenth > 0 && whole < 100 ? "\(whole).\(tenth)\(unit)" : "\(whole)\(unit)"
    }
    return "\(number)"
}

/// A text in at most so many characters.
func cut(_ text: String, _ most: Int) -> String { text.count <= most ? text : text.prefix(most - 1) + "…" }

/// The budget of a key, e.g. `5 USD in 1d`; nil: it has none of its own.
func budgetText(_ key: KeyReport) -> (amount: String, window: String)? {
    key.budgetUSD.map { dollars in
        let nanousd = Int((dollars * 1e9).rounded())
        let fraction = String(
            String(1_000_000_000 + nanousd % 1_000_000_000).dropFirst().reversed().drop { $0 == "0" }.reversed())
        let amount = "\(nanousd / 1_000_000_000)" + (fraction.isEmpty ? "" : "." + fraction)
        return (amount, Words.duration(key.budgetWindowMilliseconds.map { Int64($0) } ?? 86_400_000))
    }
}
