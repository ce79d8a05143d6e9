import BulkheadJSON

/// Puts together members the canonical form does not model, which a stream tells piece by piece.
enum RawDelta {
    /// Strings that are told again, not continued.
    private static let names: Set<String> = ["id", "type", "index", "role", "object"]

    /// Adds what a delta says: strings are continued, lists extended (entries with an `index` are continued where they stand),
    /// objects filled; everything else is replaced.
    static func merge(_ delta: JSONObject, into whole: inout JSONObject) {
        for (name, value) in delta {
            guard let known = whole[name], !known.isNull else {
                whole[name] = value
                continue
            }
            whole[name] = names.contains(name) ? value : merged(known, value)
        }
    }

    private static func merged(_ known: JSON, _ value: JSON) -> JSON {
        switch (known, value) {
        case (_, .null): return known
        case (.string(let start), .string(let more)): return .string(start + more)
        case (.object(var whole), .object(let delta)):
            merge(delta, into: &whole)
            return .object(whole)
        case (.array(var entries), .array(let more)):
            for entry in more { add(entry, to: &entries) }
            return .array(entries)
        default: return value
        }
    }

    private static func add(_ entry: JSON, to entries: inout [JSON]) {
        guard let index = entry["index"]?.int, let place = entries.firstIndex(where: { $0["index"]?.int == index }) else {
            return entries.append(entry)
        }
        entries[place] = merged(entries[place], entry)
    }
}
