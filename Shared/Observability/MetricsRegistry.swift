import Synchronization

/// The metrics of one process, rendered in the Prometheus text format (version 0.0.4).
///
/// Instruments are made once and kept by who updates them; an update takes one short lock and allocates nothing.
/// A registry holds at most 10 000 series; later ones share one series labelled `overflow="true"`.
package final class MetricsRegistry: Sendable {
    /// One label of a series.
    package typealias Labels = [(name: String, value: String)]

    private struct Family {
        var help: String
        var kind: String
        var series: [(labels: String, instrument: Instrument)] = []
        var places: [String: Int] = [:]
    }

    private enum Instrument {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Timing)
    }

    private struct State {
        var families: [String: Family] = [:]
        var count = 0
    }

    private static let maximumSeries = 10_000
    private let state = Mutex(State())
    private let constant: Labels

    /// - Parameter service: becomes the label `service` of every series.
    package init(service: String) { constant = [("service", service)] }

    /// A counter named `bulkhead_<name>_total`.
    package func counter(_ name: String, help: String, labels: Labels = []) -> Counter {
        let made = instrument("bulkhead_\(name)_total", help, "counter", labels) { .counter(Counter()) }
        guard case .counter(let counter) = made else { preconditionFailure("bug: \(name) is registered as another kind") }
        return counter
    }

    /// A gauge named `bulkhead_<name>`.
    package func gauge(_ name: String, help: String, labels: Labels = []) -> Gauge {
        let made = instrument("bulkhead_\(name)", help, "gauge", labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = made else { preconditionFailure("bug: \(name) is registered as another kind") }
        return gauge
    }

    /// A histogram of durations named `bulkhead_<name>_seconds`, 100 µs to 100 s.
    package func timing(_ name: String, help: String, labels: Labels = []) -> Timing {
        let made = instrument("bulkhead_\(name)_seconds", help, "histogram", labels) { .histogram(Timing()) }
        guard case .histogram(let timing) = made else { preconditionFailure("bug: \(name) is registered as another kind") }
        return timing
    }

    /// All series as text, families and series in a stable order.
    package func render() -> String {
        let families = state.withLock { $0.families }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind)\n"
            for (labels, instrument) in family.series {
                switch instrument {
                case .counter(let counter): text += "\(name){\(labels)} \(counter.value)\n"
                case .gauge(let gauge): text += "\(name){\(labels)} \(gauge.value)\n"
                case .histogram(let timing): text += timing.render(name, labels)
                }
            }
        }
        return text
    }

    private func instrument(
        _ name: String, _ help: String, _ kind: String, _ labels: Labels, _ make: () -> Instrument
    ) -> Instrument {
        state.withLock { state in
            var text = Self.text(constant + labels)
            var family = state.families[name] ?? Family(help: help, kind: kind)
            if let place = family.places[text] { return family.series[place].instrument }
            if state.count >= Self.maximumSeries {
                text = Self.text(constant + [("overflow", "true")])
                if let place = family.places[text] { return family.series[place].instrument }
            }
            let made = make()
            family.places[text] = family.series.count
            family.series.append((text, made))
            state.families[name] = family
            state.count += 1
            return made
        }
    }

    private static func text(_ labels: Labels) -> String {
        labels.map { "\($0.name)=\"\(escape($0.value))\"" }.joined(separator: ",")
    }

    private static func escape(_ value: String) -> String {
        // By scalar: a carriage return and a line feed are one Character.
        var escaped = String.UnicodeScalarView()
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": escaped.append(contentsOf: "\\\\".unicodeScalars)
            case "\"": escaped.append(contentsOf: "\\\"".unicodeScalars)
            case "\n": escaped.append(contentsOf: "\\n".unicodeScalars)
            case "\r": continue
            default: escaped.append(scalar)
            }
        }
        return String(escaped)
    }
}

/// A number that only grows.
package final class Counter: Sendable {
    private let total = Atomic<Int>(0)

    /// Adds `amount`, which is not negative.
    package func add(_ amount: Int = 1) { total.wrappingAdd(amount, ordering: .relaxed) }

    /// What was added since the process started.
    package var value: Int { total.load(ordering: .relaxed) }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
    private let current = Atomic<Int>(0)

    /// Replaces the value.
    package func set(_ value: Int) { current.store(value, ordering: .relaxed) }

    /// Changes the value by `amount`.
    package func add(_ amount: Int) { current.wrappingAdd(amount, ordering: .relaxed) }

    /// The present value.
    package var value: Int { current.load(ordering: .relaxed) }
}

/// A histogram of durations with fixed buckets.
package final class Timing: Sendable {
    /// Upper bounds in microseconds.
    private static let bounds: [Int64] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
        10_000_000, 25_000_000, 50_000_000, 100_000_000,
    ]

    private struct State {
        var buckets = [Int](repeating: 0, count: Timing.bounds.count + 1)
        var microseconds: Int64 = 0
        var count = 0
    }

    private let state = Mutex(State())

    /// Counts one duration.
    package func record(microseconds: Int64) {
        let bucket = Self.bounds.firstIndex { microseconds <= $0 } ?? Self.bounds.count
        state.withLock {
            $0.buckets[bucket] += 1
            $0.microseconds += microseconds
            $0.count += 1
        }
    }

    /// Replaces all that was counted by what another histogram counted.
    /// - Parameters:
    ///   - counted: durations up to so many microseconds, how many of them.
    ///   - microseconds: of all of them together.
    package func replace(with counted: [(upTo: Int64, count: Int)], microseconds: Int64) {
        var replaced = State()
        for (bound, count) in counted {
            replaced.buckets[Self.bounds.firstIndex { bound <= $0 } ?? Self.bounds.count] += count
            replaced.count += count
        }
        replaced.microseconds = microseconds
        state.withLock { $0 = replaced }
    }

    func render(_ name: String, _ labels: String) -> String {
        let state = state.withLock { $0 }
        var text = ""
        var below = 0
        for (bound, count) in zip(Self.bounds, state.buckets) {
            below += count
            text += "\(name)_bucket{\(labels),le=\"\(Double(bound) / 1e6)\"} \(below)\n"
        }
        text += "\(name)_bucket{\(labels),le=\"+Inf\"} \(state.count)\n"
        text += "\(name)_sum{\(labels)} \(Double(state.microseconds) / 1e6)\n\(name)_count{\(labels)} \(state.count)\n"
        return text
    }
}
