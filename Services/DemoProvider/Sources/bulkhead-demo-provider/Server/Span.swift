import ArgumentParser
import NIOCore

/// A length of time written as a number and a unit: `250us`, `20ms`, `1.5s`, `2m`. At most a day.
struct Span: ExpressibleByArgument, Sendable, Equatable {
    var nanoseconds: Int64

    static let zero = Span(nanoseconds: 0)

    private static let units: [(suffix: String, nanoseconds: Double)] = [("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9)]

    init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    init?(argument: String) { self.init(argument[...]) }

    init?(_ text: Substring) {
        for unit in Self.units where text.hasSuffix(unit.suffix) {
            guard let number = Double(text.dropLast(unit.suffix.count)) else { continue }
            let nanoseconds = number * unit.nanoseconds
            guard nanoseconds >= 0, nanoseconds <= 86_400e9 else { return nil }
            self.init(nanoseconds: Int64(nanoseconds))
            return
        }
        return nil
    }

    var amount: TimeAmount { .nanoseconds(nanoseconds) }

    var defaultValueDescription: String { "\(nanoseconds / 1_000_000)ms" }
}
