import BulkheadCore

/// Durations and sizes as a file writes them: a number directly followed by a unit.
enum Quantity {
    /// One example a unit, for messages.
    static let durationExamples = "250ms, 30s, 5m, 1h, 2d"
    /// Examples with the usual units, for messages.
    static let sizeExamples = "512B, 64KiB, 10MiB, 1GiB, 5MB"

    /// Nanoseconds per unit.
    private static let durations: [(unit: String, factor: Int)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
    ]
    /// Bytes per unit. A bare number is bytes.
    private static let sizes: [(unit: String, factor: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000),
        ("KB", 1000), ("B", 1), ("", 1),
    ]

    static func duration(_ text: String) -> Duration? { parse(text, durations).map { .nanoseconds($0) } }

    /// Bytes.
    static func size(_ text: String) -> Int? { parse(text, sizes) }

    /// The duration in the largest unit that divides it.
    static func text(_ duration: Duration) -> String {
        let whole = Int(duration.nanosecondsClamped)
        if whole == 0 { return "0s" }
        for (unit, factor) in durations where whole % factor == 0 { return "\(whole / factor)\(unit)" }
        return "\(Double(whole) / 1_000_000)ms"
    }

    /// The size in the largest binary unit that divides it.
    static func text(bytes: Int) -> String {
        for (unit, factor) in sizes.prefix(3) where bytes != 0 && bytes % factor == 0 { return "\(bytes / factor)\(unit)" }
        return "\(bytes)B"
    }

    /// Decimal fractions are exact or refused: 1.5s is 1500 ms, 0.3B is nothing.
    private static func parse(_ text: String, _ units: [(unit: String, factor: Int)]) -> Int? {
        let digits = text.utf8.prefix { (48 ... 57).contains($0) || $0 == UInt8(ascii: ".") }
        let unit = String(text.dropFirst(digits.count))
        guard let factor = units.first(where: { $0.unit == unit })?.factor else { return nil }
        let parts = String(decoding: digits, as: UTF8.self).split(separator: ".", omittingEmptySubsequences: false)
        guard (1 ... 2).contains(parts.count), let whole = Int(parts[0]) else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
        if overflow { return nil }
        guard parts.count == 2 else { return product }
        guard (1 ... 9).contains(parts[1].count), let fraction = Int(parts[1]) else { return nil }
        let scale = parts[1].reduce(1) { scale, _ in scale * 10 }
        let (scaled, tooLarge) = fraction.multipliedReportingOverflow(by: factor)
        guard !tooLarge, scaled % scale == 0 else { return nil }
        let (sum, sumOverflow) = product.addingReportingOverflow(scaled / scale)
        return sumOverflow ? nil : sum
    }
}

// Corrections of what is nearly a quantity.
extension Quantity {
    /// `30` → `30s`, `5 min` → `5m`; nil when there is nothing to guess.
    static func suggestDuration(_ text: String) -> String? {
        let synonyms = [
            "": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m",
            "minutes": "m", "hr": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "msec": "ms",
        ]
        let (number, unit) = split(text)
        let candidate = number + (synonyms[unit.lowercased()] ?? unit.lowercased())
        return candidate != text && duration(candidate) != nil ? candidate : nil
    }

    /// `10 mib` → `10MiB`; nil when there is nothing to guess.
    static func suggestSize(_ text: String) -> String? {
        let (number, unit) = split(text)
        let units = [
            "b": "B", "kib": "KiB", "mib": "MiB", "gib": "GiB", "kb": "kB", "mb": "MB", "gb": "GB", "k": "KiB", "m": "MiB",
            "g": "GiB",
        ]
        guard let known = units[unit.lowercased()], number + known != text else { return nil }
        return size(number + known) == nil ? nil : number + known
    }

    private static func split(_ text: String) -> (number: String, unit: String) {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        return (String(number), String(text.dropFirst(number.count).drop { $0 == " " }))
    }
}
