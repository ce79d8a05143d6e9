import BulkheadCore

/// Puts the metrics of several processes together: a family's HELP and TYPE stand once, before all its samples.
package struct MetricsPage {
    private struct Family {
        var comments: [Substring] = []
        var samples: [Substring] = []
    }

    private var families: [Substring: Family] = [:]
    private var order: [Substring] = []

    /// An empty page.
    package init() {}

    /// Adds a process's metrics in the Prometheus text format. Samples stand after their family's comments there. What a process
    /// says of itself in `bulkhead_up` is left out: whether it answers is for the asker to tell.
    package mutating func add(_ text: String) { add(text, besides: "bulkhead_up") }

    private mutating func add(_ text: String, besides excluded: Substring?) {
        var current: Substring = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") {
                let words = line.split(separator: " ", maxSplits: 3)
                guard words.count >= 3, words[2] != excluded else { continue }
                current = words[2]
                update(current) { if !$0.comments.contains(line) { $0.comments.append(line) } }
            } else {
                let name = line.prefix { $0 != "{" && $0 != " " }
                if name == excluded { continue }
                // Samples of a histogram have the family's name and a suffix.
                let family = name.hasPrefix(current) && !current.isEmpty ? current : name
                update(family) { $0.samples.append(line) }
            }
        }
    }

    /// Adds one gauge `bulkhead_up` a service.
    package mutating func addUp(_ services: [(name: String, isUp: Bool)]) {
        let samples = services.map { "bulkhead_up{service=\"\($0.name)\"} \($0.isUp ? 1 : 0)" }
        add(
            "# HELP bulkhead_up Whether the service answered.\n# TYPE bulkhead_up gauge\n" + samples.joined(separator: "\n"),
            besides: nil)
    }

    /// The page.
    package func text() -> String {
        var text = ""
        for name in order {
            guard let family = families[name] else { continue }
            for line in Self.once(family.comments) + family.samples { text += line + "\n" }
        }
        return text
    }

    /// One HELP and one TYPE, even if processes word them differently.
    private static func once(_ comments: [Substring]) -> [Substring] {
        var kinds: Set<Substring> = []
        return comments.filter { kinds.insert($0.split(separator: " ", maxSplits: 2)[1]).inserted }
    }

    private mutating func update(_ name: Substring, _ change: (inout Family) -> Void) {
        if families[name] == nil { order.append(name) }
        change(&families[name, default: Family()])
    }
}
