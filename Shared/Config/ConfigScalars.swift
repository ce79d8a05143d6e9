import BulkheadCore

// Readers of single values. Each notes the value in force; a value that cannot be used is a problem, and the default is
// returned so that reading goes on.
extension ConfigSection {
    /// Text.
    package func string(_ key: String, default: String) -> String {
        value(key, `default`, expected: "text", text: { $0 }) { $0.text }
    }

    /// Text; nil when absent.
    package func optionalString(_ key: String) -> String? {
        optional(key, expected: "text", text: { $0 }) { $0.text }
    }

    /// Text that must be there and not be empty; a problem and `""` otherwise.
    package func requiredString(_ key: String) -> String {
        let expected = "text that is not empty"
        if lookup(key) == nil { report(key, found: ConfigProblem.nothing, expected: expected) }
        return optional(key, expected: expected, text: { $0 }) { $0.text.isEmpty ? nil : $0.text } ?? ""
    }

    /// A whole number.
    package func int(_ key: String, default: Int, in range: ClosedRange<Int>) -> Int {
        optionalInt(key, in: range, unset: "\(`default`)") ?? `default`
    }

    /// A whole number; nil when absent.
    package func optionalInt(_ key: String, in range: ClosedRange<Int>) -> Int? { optionalInt(key, in: range, unset: "null") }

    /// A number with or without fraction.
    package func double(_ key: String, default: Double, in range: ClosedRange<Double>) -> Double {
        optionalDouble(key, in: range, unset: Self.plain(`default`)) ?? `default`
    }

    /// A number with or without fraction; nil when absent.
    package func optionalDouble(_ key: String, in range: ClosedRange<Double>) -> Double? {
        optionalDouble(key, in: range, unset: "null")
    }

    /// `true` or `false`.
    package func bool(_ key: String, default: Bool) -> Bool {
        value(key, `default`, expected: "true or false", text: { "\($0)" }, suggest: Self.truth) { scalar in
            guard scalar.isPlain else { return nil }
            switch scalar.text {
            case "true", "True", "TRUE": return true
            case "false", "False", "FALSE": return false
            default: return nil
            }
        }
    }

    /// A duration such as `250ms`, `30s`, `5m`, `1h` or `2d`.
    package func duration(_ key: String, default: Duration, in range: ClosedRange<Duration>) -> Duration {
        optionalDuration(key, in: range, unset: Quantity.text(`default`)) ?? `default`
    }

    /// A duration such as `250ms`; nil when absent.
    package func optionalDuration(_ key: String, in range: ClosedRange<Duration>) -> Duration? {
        optionalDuration(key, in: range, unset: "null")
    }

    /// A size in bytes, written `64KiB`, `10MiB`, `5MB` or as a bare number.
    package func size(_ key: String, default: Int, in range: ClosedRange<Int>) -> Int {
        let bounds = "from \(Quantity.text(bytes: range.lowerBound)) to \(Quantity.text(bytes: range.upperBound))"
        return value(
            key, `default`, expected: "a size \(bounds), e.g. \(Quantity.sizeExamples)", text: { Quantity.text(bytes: $0) },
            suggest: Quantity.suggestSize
        ) { scalar in
            Quantity.size(scalar.text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// One of the cases of `C`.
    package func choice<C: RawRepresentable & CaseIterable>(_ key: String, default: C) -> C where C.RawValue == String {
        optionalChoice(key, of: C.self, unset: `default`.rawValue) ?? `default`
    }

    /// One of the cases of `C`; nil when absent.
    package func optionalChoice<C: RawRepresentable & CaseIterable>(_ key: String, of type: C.Type) -> C?
    where C.RawValue == String {
        optionalChoice(key, of: type, unset: "null")
    }

    /// One text or a list of them; nil when absent.
    package func texts(_ key: String) -> [String]? {
        guard let node = lookup(key) else { return nil }
        return node.sequence == nil ? optionalString(key).map { [$0] } : strings(key, default: [])
    }

    /// A list of texts.
    package func strings(_ key: String, default: [String]) -> [String] {
        guard let node = lookup(key) else {
            note(key, "[\(`default`.joined(separator: ", "))]")
            return `default`
        }
        guard let items = node.sequence else {
            problem(key, node, expected: "a list of texts, e.g. [\(document.shown(node))]")
            return `default`
        }
        let texts = items.enumerated().compactMap { index, item -> String? in
            guard let scalar = item.scalar, !scalar.isNull else {
                problem("\(key)[\(index)]", item, expected: "text")
                return nil
            }
            return document.isSecret(item) ? nil : scalar.text
        }
        note(key, "[\(texts.joined(separator: ", "))]")
        return texts
    }

    /// The NAME of a secret (`[A-Z][A-Z0-9_]*`, at most 64 characters); nil when absent. Anything else is a problem, and is
    /// never shown: it may be the secret itself.
    package func secretName(_ key: String) -> String? {
        guard let node = lookup(key) else { return nil }
        guard let text = node.scalar?.text, SecretShape.isName(text), !document.isSecret(node) else {
            let found = node.scalar == nil ? document.shown(node) : ConfigProblem.hidden
            report(key, found: found, expected: SecretShape.advice)
            return nil
        }
        note(key, text)
        return text
    }
}

// The two ways every reader above goes.
extension ConfigSection {
    /// The value at `key`; the default when it is absent or cannot be used.
    func value<T>(
        _ key: String, _ unset: T, expected: String, text: (T) -> String, suggest: (String) -> String? = { _ in nil },
        parse: (YAMLNode.Scalar) -> T?
    ) -> T {
        optional(key, expected: expected, unset: text(unset), text: text, suggest: suggest, parse: parse) ?? unset
    }

    /// The value at `key`; nil when it is absent or cannot be used.
    /// - Parameters:
    ///   - unset: what is in force when it is absent.
    ///   - suggest: a corrected text for one that `parse` refuses.
    func optional<T>(
        _ key: String, expected: String, unset: String = "null", text: (T) -> String,
        suggest: (String) -> String? = { _ in nil }, parse: (YAMLNode.Scalar) -> T?
    ) -> T? {
        guard let node = lookup(key) else {
            note(key, unset)
            return nil
        }
        guard let scalar = node.scalar, let value = parse(scalar) else {
            problem(key, node, expected: expected, suggestion: node.scalar.flatMap { suggest($0.text) })
            return nil
        }
        note(key, text(value))
        return value
    }

    private func optionalInt(_ key: String, in range: ClosedRange<Int>, unset: String) -> Int? {
        let bounds =
            range.upperBound == .max ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        let unquoted: (String) -> String? = { Self.whole($0).flatMap { range.contains($0) ? "\($0) without quotes" : nil } }
        return optional(key, expected: "a whole number \(bounds)", unset: unset, text: { "\($0)" }, suggest: unquoted) { scalar in
            guard scalar.isPlain, let number = Self.whole(scalar.text), range.contains(number) else { return nil }
            return number
        }
    }

    private func optionalDouble(_ key: String, in range: ClosedRange<Double>, unset: String) -> Double? {
        let low = Self.plain(range.lowerBound)
        let isOpen = range.upperBound >= .greatestFiniteMagnitude
        let bounds = isOpen ? "of at least \(low)" : "from \(low) to \(Self.plain(range.upperBound))"
        return optional(key, expected: "a number \(bounds)", unset: unset, text: { Self.plain($0) }) { scalar in
            guard scalar.isPlain, scalar.text.utf8.allSatisfy({ "0123456789.+-eE".utf8.contains($0) }),
                let number = Double(scalar.text), number.isFinite, range.contains(number)
            else { return nil }
            return number
        }
    }

    private func optionalDuration(_ key: String, in range: ClosedRange<Duration>, unset: String) -> Duration? {
        let bounds = "from \(Quantity.text(range.lowerBound)) to \(Quantity.text(range.upperBound))"
        return optional(
            key, expected: "a duration \(bounds), e.g. \(Quantity.durationExamples)", unset: unset, text: { Quantity.text($0) },
            suggest: Quantity.suggestDuration
        ) { scalar in
            Quantity.duration(scalar.text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    private func optionalChoice<C: RawRepresentable & CaseIterable>(_ key: String, of type: C.Type, unset: String) -> C?
    where C.RawValue == String {
        let names = C.allCases.map(\.rawValue)
        return optional(
            key, expected: "one of: \(names.joined(separator: ", "))", unset: unset, text: { $0.rawValue },
            suggest: { NearestName.find($0, among: names) }
        ) { C(rawValue: $0.text) }
    }

    /// Decimal digits only. A leading zero is octal to some readers of YAML and decimal to others: refused.
    private static func whole(_ text: String) -> Int? {
        let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
        return digits.count > 1 && digits.hasPrefix("0") ? nil : Int(text)
    }

    /// `5` rather than `5.0`.
    private static func plain(_ number: Double) -> String { Int(exactly: number).map { "\($0)" } ?? "\(number)" }

    private static func truth(_ text: String) -> String? {
        switch text.lowercased() {
        case "yes", "on", "y", "1", "true": "true"
        case "no", "off", "n", "0", "false": "false"
        default: nil
        }
    }
}
