import Synchronization

/// Facts and prices by model name: the built-in table with what the operator configured over it. Made anew from every
/// configuration; never changes.
package struct ModelCatalog: Sendable {
    private let entries: [String: ModelEntry]
    private let memo = Memo()

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
    package func facts(_ model: String) -> ModelFacts { known(model).entry?.facts ?? ModelFacts() }

    /// The price of `model` at a time; nil when it is not known.
    /// - Parameters:
    ///   - seconds: since 1970.
    ///   - tier: the tariff, as the provider told it; nil for the standard one.
    package func price(_ model: String, at seconds: Int, tier: String? = nil) -> TokenPrice? {
        let known = known(model)
        guard let entry = known.entry, let price = entry.price(at: seconds, tier: TierTable.charged(tier)) else { return nil }
        return known.isRegional && entry.hasRegionalPremium ? price.scaled(11, over: 10) : price
    }

    private func known(_ model: String) -> Known {
        memo.value(model) {
            let name = ModelName(model)
            return Known(entry: Self.find(name, in: entries), isRegional: name.isRegional)
        }
    }

    /// The entry of the name itself, else of the longest name that begins it, where only a date, a revision or `latest` follows.
    private static func find(_ name: ModelName, in entries: [String: ModelEntry]) -> ModelEntry? {
        if let exact = entries[name.bare] { return exact }
        return name.families.lazy.compactMap { entries[$0] }.first
    }
}

/// What a name leads to.
private final class Known: Sendable {
    let entry: ModelEntry?
    let isRegional: Bool

    init(entry: ModelEntry?, isRegional: Bool) {
        self.entry = entry
        self.isRegional = isRegional
    }
}

/// The names looked up lately: taking one apart costs more than all else that is done for a chat's price.
private final class Memo: Sendable {
    /// Providers that serve all of their names let clients choose them: beyond this many it begins anew.
    private static let capacity = 256
    private let names = Mutex<[String: Known]>([:])

    func value(_ name: String, _ find: () -> Known) -> Known {
        names.withLock { names in
            if let known = names[name] { return known }
            let known = find()
            if names.count >= Self.capacity { names.removeAll(keepingCapacity: true) }
            names[name] = known
            return known
        }
    }
}
