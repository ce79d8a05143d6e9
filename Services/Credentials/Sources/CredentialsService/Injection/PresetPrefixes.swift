extension Preset {
    /// What the values of a vendor begin with; empty where that is not known.
    private var usualPrefix: String {
        switch self {
        case .openai: "sk-"
        case .anthropic: "sk-ant-"
        case .gemini: "AIza"
        default: ""
        }
    }

    /// Why a value may be the wrong one; nil when it looks as it should. A warning only: compatible servers give out keys of
    /// any form. Never repeats the value.
    package func doubt(about value: [UInt8]) -> String? {
        let others = [Preset.anthropic, .gemini].filter { $0 != self && value.starts(with: $0.usualPrefix.utf8) }
        if self != .header, self != .query, let other = others.first, !usualPrefix.isEmpty {
            return "the value begins with \(other.usualPrefix), as those of \(other.rawValue) do, and the preset is \(rawValue): "
                + "is it the right one?"
        }
        guard !usualPrefix.isEmpty, !value.starts(with: usualPrefix.utf8) else { return nil }
        return "values of preset \(rawValue) usually begin with \(usualPrefix), this one does not: is it the right one?"
    }
}
