import BulkheadCore

/// The targets an operator can name as `provider/model`.
package struct TargetNames: Sendable {
    private let configuration: RouterConfiguration
    private let table: RoutingTable

    package init(_ settings: RouterSettings) {
        configuration = settings.configuration
        table = settings.table
    }

    /// Every target the configuration writes out, patterns with a model of their own included; in file order, each once.
    package var labels: [String] {
        var seen: Set<String> = []
        return configuration.models.flatMap(\.targets).filter { !$0.model.isEmpty }.map { Self.label($0, configuration) }
            .filter { seen.insert($0).inserted }
    }

    /// Whether requests can reach the target `label`: it is written out, a pattern passes the name on, or its provider serves
    /// all of its names.
    package func knows(_ label: String) -> Bool {
        if labels.contains(label) { return true }
        guard let slash = label.firstIndex(of: "/") else { return false }
        let provider = label[..<slash]
        let model = String(label[label.index(after: slash)...])
        guard !model.isEmpty else { return false }
        let passesOn = configuration.models.contains { entry in
            entry.targets.contains { $0.provider == provider && $0.model.isEmpty } && NamePattern(entry.name).matches(model)
        }
        return passesOn || (try? table.route(model))?.targets.contains { $0.label == label } == true
    }

    /// - Throws: NOT_FOUND that names the nearest targets.
    package func require(_ label: String) throws {
        guard !knows(label) else { return }
        let shown = label.count > 200 ? label.prefix(200) + "…" : label[...]
        let nearest = NearestNames.of(label, among: labels)
        let hint =
            nearest.isEmpty
            ? "router.models has no targets"
            : "the nearest are \(nearest.joined(separator: ", ")); bulkhead-router models lists all"
        throw CallError(
            .notFound, reason: "target_not_found", message: "There is no target \"\(shown)\" (PROVIDER/MODEL): \(hint).")
    }

    private static func label(_ target: TargetConfiguration, _ configuration: RouterConfiguration) -> String {
        let provider = configuration.providers.first { $0.name == target.provider }
        return "\(target.provider)/\(provider?.modelName(target.model) ?? target.model)"
    }
}
