import BulkheadJSON

/// What becomes of a member that only the client's dialect has.
package indirect enum MemberRule: Sendable {
    /// It is translated elsewhere, or changes nothing of what the answer means.
    case leftOut
    /// So with these values, which say the same as leaving it out.
    case only([JSON])
    /// So with a list of nothing but these words.
    case words(Set<String>)
    /// An object whose own members are judged.
    case members([String: MemberRule])
}

extension [String: MemberRule] {
    /// The same rule for several names.
    package init(leftOut names: String...) {
        self.init(uniqueKeysWithValues: names.map { ($0, .leftOut) })
    }

    package func adding(_ other: [String: MemberRule]) -> [String: MemberRule] { merging(other) { $1 } }

    /// The path of the first member that cannot be left out; nil when there is none. A member that is null is as good as absent.
    package func firstUnfit(in object: JSONObject) -> String? {
        for (name, value) in object where !value.isNull {
            if let path = unfit(name, value) { return path }
        }
        return nil
    }

    private func unfit(_ name: String, _ value: JSON) -> String? {
        let shown = String(name.prefix(64))
        switch self[name] {
        case .leftOut: return nil
        case .only(let values): return values.contains(value) ? nil : shown
        case .words(let words):
            let isFine = value.array?.allSatisfy { words.contains($0.string ?? "") } ?? false
            return isFine ? nil : shown
        case .members(let rules):
            guard let object = value.object else { return shown }
            return rules.firstUnfit(in: object).map { "\(shown).\($0)" }
        case nil: return shown
        }
    }
}
