/// What a key's list of models says: names, and beginnings of names with a `*` behind them.
package enum ModelPattern {
    /// Whether a list covers `model`. An empty list covers all, and an empty name is no model at all.
    package static func covers(_ patterns: [String], model: String) -> Bool {
        patterns.isEmpty || model.isEmpty
            || patterns.contains { $0 == model || ($0.hasSuffix("*") && model.hasPrefix($0.dropLast())) }
    }
}
