/// Facts and prices by model name: the built-in table with what the operator configured over it. Made anew from every
/// configuration; never changes.
package struct ModelCatalog: Sendable {
    private let entries: [String: ModelEntry]

    /// The built-in table alone.
    package static let builtin = ModelCatalog(entries: ModelTable.entries)

    private init(entries: [String: ModelEntry]) { self.entries = entries }

    /// The built-in table with `overrides`: what an override says holds, the rest stays as it is. Of several overrides of one
    /// model later ones win, and their prices add up to a history.
    package init(overrides: [ModelOverride] = []) {
        var entries = ModelTable.entries
        for override in overrides {
            let name = ModelName(override.model).bare
            entries[name] = override.applied(to: entries[name] ?? Self.find(ModelName(name), in: entries) ?? ModelEntry())
        }
        self.entries = entries
    }

    /// What is known of `model`, the provider's name of it.
    package func facts(_ model: String) -> ModelFacts { Self.find(ModelName(model), in: entries)?.facts ?? ModelFacts() }

    /// The price of `model` at a time; nil when it is not known.
    /// - Parameter seconds: since 1970.
    package func price(_ model: String, at seconds: Int) -> TokenPrice? {
        let name = ModelName(model)
        guard let entry = Self.find(name, in: entries), let price = entry.price(at: seconds) else { return nil }
        return name.isRegional && entry.hasRegionalPremium ? price.scaled(11, over: 10) : price
    }

    /// The entry of the name itself, else of the longest name that begins it, where only a date, a revision or `latest` follows.
    private static func find(_ name: ModelName, in entries: [String: ModelEntry]) -> ModelEntry? {
        if let exact = entries[name.bare] { return exact }
        return name.families.lazy.compactMap { entries[$0] }.first
    }
}
