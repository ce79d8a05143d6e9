/// A JSON pointer (RFC 6901) to a place below the root.
struct JSONPointer: Sendable {
    /// The names on the way, unescaped.
    let steps: [String]

    /// nil for a text that is no pointer, points to the whole document, or is longer than 16 steps.
    init?(_ text: String) {
        guard text.hasPrefix("/"), text.utf8.count <= 512, text.utf8.allSatisfy({ $0 >= 32 }) else { return nil }
        var steps: [String] = []
        for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let isComplete = part.split(separator: "~", omittingEmptySubsequences: false).dropFirst().allSatisfy {
                $0.hasPrefix("0") || $0.hasPrefix("1")
            }
            guard isComplete else { return nil }
            steps.append(String(part).replacing("~1", with: "/").replacing("~0", with: "~"))
        }
        guard steps.count <= 16 else { return nil }
        self.steps = steps
    }

    /// A step as the index of an element (§4): digits without leading zeros.
    static func index(_ step: String) -> Int? {
        guard step.utf8.allSatisfy({ (48 ... 57).contains($0) }), step == "0" || !step.hasPrefix("0") else { return nil }
        return Int(step)
    }
}
